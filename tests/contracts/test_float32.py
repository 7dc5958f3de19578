"""What float32 can hold comes out of float32, where gradients are zero, tiny and huge in places.

The kernels' products and quotients on the way may be beyond its range.
"""

import numpy as np
import pytest

from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import KNOBS, OPTIMIZERS
from workers.nn.network.regularizers import dropout, penalize, shorten

RULES = [name for name, rule in OPTIMIZERS.items() if rule.update is not None]
# Rows and columns of zeros; squares of 1e-23 vanish, and 1e18 squared is within range.
GRADIENTS = {
    "zero": [[0.01, 0, 0.02], [0, 0, 0], [0.03, 0, 0.01]],
    "tiny": [[1e-23, 0, 1e-12], [0, 0, 1e-30], [0.03, 0, 0.01]],
    "huge": [[1e18, 0, 1e17], [0, 0, 0], [1e18, 0, 1e-3]],
}


def _steps(name, gradient, dtype, count=3):
    """Return a 3 by 3 matrix of ones after some steps of a rule at a rate of 0.1."""
    knobs = {"l2": 0, "weight_decay": 0, "beta1": 0.9, "beta2": 0.999, "rho": 0.9, "epsilon": 1e-8}
    t = np.arange(1.0, count + 1)
    columns = [0.1 + 0 * t, 0.9 + 0 * t, 1 / (1 - 0.9**t), 1 / np.sqrt(1 - knobs["beta2"] ** t), t]
    rates = np.stack(columns, axis=1)[:, np.newaxis].astype(dtype)
    numbers = np.array([[knobs[knob] for knob in KNOBS]])
    segments, scales = np.array([[0, 9, 1, 3, 3]]), np.ones((1, 1), dtype)
    rows = np.ones((1, 9), dtype)
    memory = np.zeros((1, len(OPTIMIZERS[name].slots), 9), dtype)
    clock = np.zeros(2, np.int64)
    for step in range(count):
        clock[0] = step
        given = np.array(gradient, dtype).reshape(1, 9)
        OPTIMIZERS[name].update(clock, rates, numbers, segments, scales, rows, given, memory)
    return rows.reshape(3, 3)


@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize("name", RULES)
def test_steps_are_those_of_float64(name, kind):
    double = _steps(name, GRADIENTS[kind], np.float64)
    single = _steps(name, GRADIENTS[kind], np.float32)
    np.testing.assert_allclose(single, double, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("rate", [0.5, 0.999, 0.99999999])
def test_what_dropout_keeps_has_its_size(rate):
    values, mask = np.ones((1, 1, 64), np.float32), np.empty((1, 1, 64), np.float32)
    keys, clock = np.array([7], np.uint64), np.zeros(2, np.int64)
    dropout(values, np.array([[rate]]), keys, clock, 0, mask, np.empty_like(mask))
    sizes = np.float32([0, 1 / (1 - rate)])
    assert set(mask.ravel()) <= set(sizes)


def test_adafactor_leaves_alone_what_has_no_gradient_in_row_and_column():
    # In float64, and in PyTorch 2.13.0's float32, as well.
    found = _steps("adafactor", GRADIENTS["zero"], np.float32, count=1)
    assert found[1].tolist() == [1, 1, 1]
    assert found[:, 1].tolist() == [1, 1, 1]
    # PyTorch's step of 0.1 by Adafactor(weight_decay=0) on ones
    torch = [[0.9452, 1, 0.8451], [1, 1, 1], [0.8838, 1, 0.9452]]
    np.testing.assert_allclose(found, torch, atol=1e-4)


@pytest.mark.parametrize(("size", "limit"), [(1e-23, 1e-24), (1e20, 1e-3), (1e20, 1e10), (1e38, 1)])
def test_clipping_keeps_the_direction_of_any_gradient(size, limit):
    rows = np.zeros((1, 20), np.float32)
    gradient = np.tile(np.array([3, 4], np.float32), 10)[np.newaxis] * np.float32(size / 4)
    penalize(rows, gradient, 20, np.array([[0, 0, limit]]))
    expected = np.tile([3, 4], 10) / np.sqrt(250) * limit
    np.testing.assert_allclose(gradient[0] / limit, expected / limit, rtol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("size", "limit"), [(1e-23, 1e-24), (1e20, 1e-3), (1e20, 1e10), (1e38, 1)])
def test_max_norm_keeps_the_direction_of_any_weights(size, limit, turned):
    weights = np.array([[3, 4] * 10, [4, 3] * 10], np.float32) * np.float32(size / 4)
    rows = (weights if turned else weights.T).reshape(1, 40).copy()
    height, width = (2, 20) if turned else (20, 2)
    shorten(rows, 0, height, width, turned, np.array([limit]))
    found = rows.reshape(height, width)
    expected = weights / np.float32(size / 4) / np.sqrt(250)
    np.testing.assert_allclose((found if turned else found.T) / limit, expected, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-23, 1e20])
@pytest.mark.parametrize(("name", "loss"), [("squared_error", 0.625), ("squared_hinge", 0.5)])
def test_squares_of_scores_neither_vanish_nor_overflow(name, loss, size):
    # Scores (1, 0.5) in units of ``size``: (1 + 0.25)/2, and of class 0 with a margin of 0
    # from scores (0.5, 1.2071...) a difference whose square is 0.5.
    regression = name == "squared_error"
    scores = np.array([[[1, 0.5]]] if regression else [[[0.5, 0.5 + 0.5**0.5]]], np.float32)
    scores *= np.float32(size)
    targets = np.zeros((1, 1, 2), np.float32) if regression else np.zeros((1, 1), np.int64)
    rows, gradient, totals = np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32), np.zeros(1)
    clock, number = np.zeros(2, np.int64), np.zeros(1, np.float32)
    weights = np.zeros((1, 0), np.float32)
    LOSSES[name].kernel(scores, rows, 0, targets, weights, clock, number, gradient, totals)
    assert totals[0] / size**2 == pytest.approx(loss, rel=1e-6)
