"""Specs that cannot be trained are refused in one line."""

import pytest
from pydantic import TypeAdapter, ValidationError

from workers.errors import InputError
from workers.nn.families.families import FAMILIES, check
from workers.nn.spec import STRUCTURAL, VARYING, NetworkSpec, structure


@pytest.mark.parametrize("field", FAMILIES)
def test_unknown_names(field):
    with pytest.raises(InputError, match=f"{field} must be one of"):
        check(NetworkSpec(**{field: "nonsense"}), "classification", 3)


@pytest.mark.parametrize(
    ("options", "task", "outputs", "rule"),
    [
        ({"loss": "squared_error"}, "classification", 3, "needs a classification loss"),
        ({"loss": "softmax"}, "regression", 1, "needs a regression loss"),
        ({"loss": "logistic"}, "classification", 3, "separates two classes"),
        ({"loss": "hinge", "label_smoothing": 0.1}, "classification", 3, "over probabilities"),
        ({"dropout": (0.1, 0.2)}, "classification", 3, "one for each hidden layer"),
        ({"batch_normalization": True, "batch_size": 1}, "classification", 3, "at least 2 rows"),
        ({"optimizer": "lbfgs"}, "classification", 3, "full batch"),
        (
            {"optimizer": "lbfgs", "batch_size": "full", "dropout": (0.5,)},
            "classification",
            3,
            "fixed function",
        ),
    ],
)
def test_impossible_combinations(options, task, outputs, rule):
    with pytest.raises(InputError, match=rule) as caught:
        check(NetworkSpec(**options), task, outputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "task", "outputs"),
    [
        ({}, "classification", 2),
        ({"loss": "logistic", "label_smoothing": 0.1}, "classification", 2),
        ({"loss": "squared_error", "hidden": ()}, "regression", 4),
        ({"optimizer": "lbfgs", "batch_size": "full", "l1": 0.1}, "classification", 3),
    ],
)
def test_possible_combinations(options, task, outputs):
    check(NetworkSpec(**options), task, outputs)


@pytest.mark.parametrize(
    "values",
    [
        {"hidden": [0]},
        {"learning_rate": 0},
        {"learning_rate": float("inf")},
        {"l2": -1},
        {"dropout": 1.0},
        {"dropout": [0.1, 1.0]},
        {"batch_size": "half"},
        {"maxout_pieces": 1},
    ],
)
def test_annotations_bound_single_numbers(values):
    with pytest.raises(ValidationError):
        TypeAdapter(NetworkSpec).validate_python(values)


def test_structure_covers_exactly_what_cannot_vary():
    changed = {
        "preprocess": ("center",),
        "hidden": (3,),
        "embedding_size": 3,
        "class_weight": "balanced",
        "activation": "tanh",
        "maxout_pieces": 3,
        "loss": "hinge",
        "optimizer": "adam",
        "batch_size": 7,
        "batch_normalization": True,
    }
    assert set(changed) == set(STRUCTURAL)
    for name, value in changed.items():
        assert structure(NetworkSpec(**{name: value})) != structure(NetworkSpec()), name
    assert "learning_rate" in VARYING
    assert not set(VARYING) & set(STRUCTURAL)
