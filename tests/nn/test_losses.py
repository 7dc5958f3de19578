"""Losses of the lecture notes' examples."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from workers.nn.families.losses import LOSSES, probabilities
from workers.nn.network.evaluation import metrics
from workers.nn.network.stack import plan, stack
from workers.nn.spec import NetworkSpec

# Scores of a cat, a car and a frog image for the classes cat, car, frog (CS231n, lecture 3).
ANIMALS = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])


def _metrics(loss, scores, y, *, kind=np.float64, **options):
    scores = np.asarray(scores, kind)
    outputs = 2 if LOSSES[loss].one_score else scores.shape[1]
    spec = NetworkSpec(hidden=(), loss=loss, **options)
    layout = plan([spec], features=1, outputs=outputs)
    net = stack([spec], np.zeros((1, layout.size), kind), layout)
    return metrics(net, scores[np.newaxis], np.asarray(y))[0]


@pytest.mark.parametrize(
    ("loss", "scores", "y", "value"),
    [
        ("hinge", ANIMALS[:1], [0], 2.9),
        ("hinge", ANIMALS, [0, 1, 2], (2.9 + 0 + 12.9) / 3),
        ("squared_hinge", ANIMALS[:1], [0], 2.9**2),
        ("softmax", ANIMALS[:1], [0], -np.log(24.5 / (24.5 + 164.0 + 0.18))),
        ("softmax", [[1000.0, 0.0]], [1], 1000.0),
        ("logistic", [[0.0]], [1], np.log(2)),
        ("logistic", [[np.log(3)]], [0], np.log(4)),
        ("logistic", [[-1000.0]], [1], 1000.0),
        ("max_margin", [[0.3], [0.3], [2.0]], [1, 0, 1], (0.7 + 1.3 + 0) / 3),
        ("squared_error", [[1.0, 2.0]], [[3.0, 1.0]], 2.5),
    ],
)
def test_worked_examples(loss, scores, y, value):
    assert _metrics(loss, scores, y)["loss"] == pytest.approx(value, rel=1e-3)


def test_the_margin_moves_the_hinge():
    assert _metrics("hinge", ANIMALS[:1], [0], margin=2.0)["loss"] == pytest.approx(3.9)


def test_evaluation_leaves_label_smoothing_out():
    plain = _metrics("softmax", ANIMALS, [0, 1, 2])
    assert _metrics("softmax", ANIMALS, [0, 1, 2], label_smoothing=0.3) == plain


@pytest.mark.parametrize("name", [n for n, loss in LOSSES.items() if loss.task != "regression"])
def test_chance_is_the_loss_of_zero_scores(name):
    width = 1 if LOSSES[name].one_score else 4
    found = _metrics(name, np.zeros((2, width)), [0, 1], margin=1.5)["loss"]
    assert found == pytest.approx(LOSSES[name].chance(width, 1.5))


def test_accuracy_counts_the_greatest_score():
    assert _metrics("softmax", ANIMALS, [1, 1, 2])["accuracy"] == pytest.approx(2 / 3)
    assert _metrics("logistic", [[0.5], [-0.5]], [1, 1])["accuracy"] == 0.5


@pytest.mark.parametrize("guess", [0.1, 3.0])
@pytest.mark.parametrize("outputs", [1, 2])
def test_r2_of_a_target_that_never_varies(guess, outputs):
    """The mean of three times 0.1 is not 0.1, so a variance would be rounding noise."""
    y = np.array([[0.1, 0.0], [0.1, 1.0], [0.1, 2.5]])[:, :outputs]
    given = np.array([[guess, 1.0]] * 3)[:, :outputs]
    each = [float(guess == 0.1), r2_score([0.0, 1.0, 2.5], [1.0] * 3)][:outputs]
    assert _metrics("squared_error", given, y)["r2"] == pytest.approx(np.mean(each))


def test_regression_metrics():
    found = _metrics("squared_error", [[1.0], [3.0]], [[1.0], [5.0]])
    assert (found["mse"], found["r2"]) == (2.0, 0.5)


def test_probabilities():
    np.testing.assert_allclose(probabilities("logistic", np.array([[np.log(3)]])), [[0.25, 0.75]])
    for loss in ("softmax", "hinge"):
        found = probabilities(loss, np.array([[1000.0, 1000.0 + np.log(3)]]))
        np.testing.assert_allclose(found, [[0.25, 0.75]])
    values = np.array([[7.0]])
    assert probabilities("squared_error", values) is values


@pytest.mark.parametrize("lead", [0.0, 1e-9, -1e-9, 1e-3, -1e-3])
@pytest.mark.parametrize("loss", [n for n in LOSSES if LOSSES[n].task == "classification"])
def test_the_class_that_counts_is_the_one_that_is_told(loss, lead):
    """Scores 1e-9 apart have the same float32 probability; the first class wins a tie."""
    one = LOSSES[loss].one_score
    raw = np.array([[lead] if one else [0.0, lead]], np.float32)
    told = int(probabilities(loss, raw).argmax())
    assert told == (lead > 1e-6)
    assert [_metrics(loss, raw, [y], kind=np.float32)["accuracy"] for y in (told, 1 - told)] == [
        1.0,
        0.0,
    ]
