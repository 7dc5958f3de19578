"""Metrics equal scikit-learn's, of one network and of a stack, and are finite where it is not."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference
from sklearn.preprocessing import label_binarize

from workers.nn.metrics.metrics import METRICS, metric_of, told

Array = NDArray[Any]
ONE = np.ones(1)


def one_against_rest(y: Array, shares: Array) -> Array:
    """Return 0 and 1 for each class, of two for the second only."""
    return label_binarize(y, classes=range(shares.shape[1]))


def scores_of(shares: Array) -> Array:
    return shares[:, 1] if shares.shape[1] == 2 else shares


def area(y: Array, shares: Array) -> float:
    if shares.shape[1] == 2:
        return reference.roc_auc_score(y, shares[:, 1])
    labels = range(shares.shape[1])
    return reference.roc_auc_score(y, shares, multi_class="ovr", average="macro", labels=labels)


def brier(y: Array, shares: Array) -> float:
    labels = range(shares.shape[1])
    return reference.brier_score_loss(y, scores_of(shares), labels=labels)


CLASSES: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": lambda y, p: reference.accuracy_score(y, p.argmax(axis=1)),
    "balanced_accuracy": lambda y, p: reference.balanced_accuracy_score(y, p.argmax(axis=1)),
    "f1_macro": lambda y, p: reference.f1_score(y, p.argmax(axis=1), average="macro"),
    "log_loss": lambda y, p: reference.log_loss(y, p, labels=range(p.shape[1])),
    "roc_auc": area,
    "average_precision": lambda y, p: reference.average_precision_score(
        one_against_rest(y, p), scores_of(p), average="macro"
    ),
    "brier": brier,
}
"""scikit-learn's, of classes and probabilities."""

TARGETS: dict[str, Callable[[Array, Array], float]] = {
    "mse": reference.mean_squared_error,
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
}
"""scikit-learn's, of targets and predictions."""


def of(name: str, predictions: Array, wanted: Array, units: Array = ONE) -> Any:
    return METRICS[name].function(predictions, wanted, units)


def shares_of(
    classes: int, *, members: int = 1, rows: int = 60, ties: bool = False, kind: Any = np.float64
) -> Array:
    """Return probabilities ``(members, rows, classes)``, of a few values only with ties."""
    rng = np.random.default_rng(classes)
    raw = 2 * rng.standard_normal((members, rows, classes)).astype(kind)
    raw = np.round(raw) if ties else raw
    powers = np.exp(raw)
    return powers / powers.sum(axis=-1, keepdims=True)


def labels_of(classes: int, *, rows: int = 60) -> Array:
    """Return classes of rows, each one there and the first ones more often."""
    rng = np.random.default_rng(classes + 1)
    drawn = np.minimum(rng.geometric(0.4, rows) - 1, classes - 1)
    drawn[:classes] = range(classes)
    return rng.permutation(drawn).astype(np.int32)


def test_every_metric_is_compared() -> None:
    assert set(METRICS) == {*CLASSES, *TARGETS}


@pytest.mark.filterwarnings("ignore:The y_prob values do not sum to one")  # In float64.
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("name", CLASSES)
def test_classification_is_as_in_scikit_learn(
    name: str, classes: int, ties: bool, kind: Any
) -> None:
    y = labels_of(classes)
    shares = shares_of(classes, members=3, ties=ties, kind=kind)
    found = of(name, shares, y[np.newaxis])
    assert found.shape == (3,)
    for value, own in zip(found, shares.astype(np.float64), strict=True):
        assert value == pytest.approx(CLASSES[name](y, own), abs=1e-9)


@given(
    values=st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]), min_size=2, max_size=20),
    chosen=st.data(),
)
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_equal_probabilities_are_no_order(name: str, values: list[float], chosen: Any) -> None:
    size = len(values)
    y = np.array(chosen.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    y[:2] = [0, 1]
    shares = np.stack([1 - np.array(values), values], axis=-1)
    assert of(name, shares, y) == pytest.approx(CLASSES[name](y, shares), abs=1e-9)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    """Counted, pair by pair, for each of three classes."""
    shares, y = shares_of(3, ties=True)[0], labels_of(3)
    areas = []
    for number in range(3):
        own, rest = shares[y == number, number], shares[y != number, number]
        apart = own[:, np.newaxis] - rest
        areas.append(np.mean((apart > 0) + 0.5 * (apart == 0)))
    assert of("roc_auc", shares, y) == pytest.approx(np.mean(areas), abs=1e-12)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_regression_is_as_in_scikit_learn(name: str, outputs: int, kind: Any) -> None:
    rng = np.random.default_rng(outputs)
    y = rng.standard_normal((50, outputs)).astype(kind)
    guess = (y + 0.5 * rng.standard_normal((2, 50, outputs))).astype(kind)
    units = np.array([1.0, 1000.0, 0.01])[:outputs]
    for given_units in (ONE, units):
        found = of(name, guess, y[np.newaxis], given_units)
        own = y.astype(np.float64) * given_units
        for value, one in zip(found, guess.astype(np.float64) * given_units, strict=True):
            assert value == pytest.approx(TARGETS[name](own, one), rel=1e-9, abs=1e-9)


# --- worked by hand

TOLD = np.array(
    [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]
)
TRUE = np.array([0, 0, 1, 1, 2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 4 / 5),
        ("balanced_accuracy", (1 + 1 / 2 + 1) / 3),
        ("f1_macro", (4 / 5 + 2 / 3 + 1) / 3),
        ("log_loss", -np.log(0.7 * 0.5 * 0.8 * 0.3 * 0.5) / 5),
        # Of the first class 0.5 lies below 0.6; of the second 0.3 equals two of three others.
        ("roc_auc", (5 / 6 + (3 + 1 + 2 * 0.5) / 6 + 1) / 3),
        ("average_precision", ((1 + 2 / 3) / 2 + (1 + 2 / 4) / 2 + 1) / 3),
        ("brier", (0.14 + 0.38 + 0.06 + 0.86 + 0.38) / 5),
    ],
)
def test_three_classes_by_hand(name: str, value: float) -> None:
    assert of(name, TOLD, TRUE) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mse", (5 + 400) / 2),
        ("rmse", (5**0.5 + 20) / 2),
        ("mae", (2 + 20) / 2),
        ("r2", (-4 + 1 - 16 / 9) / 2),
    ],
)
def test_two_targets_by_hand(name: str, value: float) -> None:
    """Misses of 1 and 3, and of 2 twice where 1 is ten of the target's units."""
    guess, y = np.array([[1.0, 0.0], [5.0, 3.0]]), np.array([[0.0, 2.0], [2.0, 5.0]])
    assert of(name, guess, y, np.array([1.0, 10.0])) == pytest.approx(value)


def test_scores_that_say_nothing_have_half_the_area() -> None:
    shares, y = np.full((6, 2), 0.5), np.array([0, 1, 0, 0, 1, 0])
    assert of("roc_auc", shares, y) == 0.5
    assert of("average_precision", shares, y) == pytest.approx(2 / 6)


# --- where scikit-learn warns, raises or has NaN


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_rows_of_a_single_class(y: list[int]) -> None:
    shares = np.array([[0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert np.isnan(CLASSES["roc_auc"](np.array(y), shares))
        precision = CLASSES["average_precision"](np.array(y), shares)
    assert of("roc_auc", shares, np.array(y)) == 0.5
    assert of("average_precision", shares, np.array(y)) == precision == y[0]
    for name in CLASSES:
        assert np.isfinite(of(name, shares, np.array(y)))


def test_a_class_without_rows() -> None:
    """It has no area, no recall, and a precision of 0."""
    shares, y = shares_of(4)[0], labels_of(3)
    kept = [area(y == number, np.stack([1 - shares[:, number], shares[:, number]], axis=-1))
            for number in range(3)]  # fmt: skip
    assert of("roc_auc", shares, y) == pytest.approx(np.mean(kept), abs=1e-12)
    for name in CLASSES.keys() - {"roc_auc"}:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            expected = CLASSES[name](y, shares)
        assert of(name, shares, y) == pytest.approx(expected, abs=1e-9), name


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_wrong_certainty_costs_as_much_as_in_scikit_learn(kind: Any) -> None:
    shares, y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1e-20]]), np.array([1, 1, 1])
    expected = reference.log_loss(y, shares, labels=[0, 1])
    assert of("log_loss", shares.astype(kind), y) == pytest.approx(expected, abs=1e-9)


def test_a_single_row_has_every_metric() -> None:
    for name in CLASSES:
        assert np.isfinite(of(name, np.array([[0.2, 0.8]]), np.array([1])))


# --- a stack is each of its members


@pytest.mark.parametrize(("width", "rows"), [(1, 300), (2, 37), (3, 300), (12, 1000)])
@pytest.mark.parametrize("name", METRICS)
def test_a_stack_tells_what_each_member_would_to_the_bit(name: str, width: int, rows: int) -> None:
    rng = np.random.default_rng(0)
    if METRICS[name].task == "classification":
        width = max(width, 2)
        predictions = shares_of(width, members=5, rows=rows, kind=np.float32)
        wanted = rng.integers(0, width, (5, rows))
    else:
        predictions = rng.standard_normal((5, rows, width)).astype(np.float32)
        wanted = rng.standard_normal((5, rows, width)).astype(np.float32)
    units = np.linspace(0.5, 2, width)[np.newaxis]
    together = of(name, predictions, wanted, np.repeat(units, 5, axis=0))
    shared = of(name, predictions, wanted[:1], units)
    for member in range(5):
        one = slice(member, member + 1)
        assert of(name, predictions[one], wanted[one], units)[0] == together[member]
        assert of(name, predictions[one], wanted[:1], units)[0] == shared[member]


def test_only_the_usual_and_the_pursued_are_told_after_an_epoch() -> None:
    assert list(told("regression", "")) == ["mse", "r2"]
    assert list(told("regression", "val_loss")) == ["mse", "r2"]
    assert list(told("classification", "ema_val_brier")) == ["accuracy", "brier"]
    assert list(told("regression", "val_brier")) == ["mse", "r2"]
    assert metric_of("train_loss") is None
