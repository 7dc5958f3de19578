"""Every update rule: a first step by hand, and the optimum of a convex problem."""

import numpy as np
import pytest

from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.layout import layout, views
from workers.nn.network.regularizers import shorten
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner


def _linear(optimizer, x, y, start, epochs, *, dtype=np.float64, **options):
    """Fit ``y = x w + b`` by full batches; return the row (w, b)."""
    spec = NetworkSpec(
        hidden=(), loss="squared_error", optimizer=optimizer, batch_size="full", **options
    )
    learner = Learner(
        [spec],
        features=x.shape[1],
        outputs=1,
        epochs=epochs,
        rows=len(x),
        ema_decay=0.0,
        initial=[np.random.default_rng(0)],
        dtype=dtype,
    )
    learner.restore(0, learner.state(0) | {"parameters": np.array(start, dtype)})
    order = np.arange(len(x))
    for epoch in range(1, epochs + 1):
        learner.run_epoch(x, y, order=order, epoch=epoch, dropout_keys=[0])
    return learner.state(0)["parameters"]


# w = 0.5, b = 0, x = 2, y = 0: the score is 1, the gradient (2, 1), the rate 0.1.
FIRST_STEPS = {
    "sgd": ([0.3, -0.1], {}),
    "momentum": ([0.3, -0.1], {}),
    "nesterov": ([0.12, -0.19], {}),
    "adagrad": ([0.4, -0.1], {}),
    "rmsprop": ([0.5 - 0.1 / 0.1**0.5, -0.1 / 0.1**0.5], {"rho": 0.9}),
    # u = sqrt(eps)/sqrt(g**2/4 + eps)*g = 2e-4
    "adadelta": ([0.5 - 2e-5, -2e-5], {"rho": 0.75, "epsilon": 1e-8}),
    "adam": ([0.4, -0.1], {}),
    "adamw": ([0.395, -0.1], {"weight_decay": 0.1}),
    "adafactor": ([0.45, -0.0001], {}),
}


def test_every_rule_has_its_worked_step():
    assert set(FIRST_STEPS) | {"lbfgs"} == set(OPTIMIZERS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("optimizer", FIRST_STEPS)
def test_first_step_by_hand(optimizer, dtype):
    expected, options = FIRST_STEPS[optimizer]
    x, y = np.array([[2.0]]), np.array([[0.0]])
    row = _linear(optimizer, x, y, [0.5, 0.0], 1, dtype=dtype, learning_rate=0.1, **options)
    np.testing.assert_allclose(row, expected, rtol=1e-6)


# With a decay so near to 1 the mean of the first square is a small share of it, and no less.
@pytest.mark.parametrize("decay", [0.99, 0.999, 0.99999999])
@pytest.mark.parametrize(
    ("optimizer", "step"),
    [
        ("adam", lambda g, share: np.sign(g)),
        ("adamw", lambda g, share: np.sign(g)),
        ("rmsprop", lambda g, share: np.sign(g) / share**0.5),
        ("adadelta", lambda g, share: g / (share * g**2 / 1e-8 + 1) ** 0.5),
    ],
)
def test_what_a_decay_leaves_keeps_its_digits_in_float32(optimizer, step, decay):
    options = {"rho": decay, "beta2": decay, "weight_decay": 0.0}
    options["epsilon"] = 1e-8 if optimizer == "adadelta" else 1e-20
    x, y = np.array([[2.0]]), np.array([[0.0]])
    kind = {"dtype": np.float32, "learning_rate": 1.0}
    row = _linear(optimizer, x, y, [0.5, 0.0], 1, **kind, **options)
    expected = [0.5, 0] - step(np.array([2.0, 1.0]), 1 - decay)
    np.testing.assert_allclose(row, expected, rtol=1e-6)


# The second step: the score is 0.5 for (0.3, -0.1), 0.05 for (0.12, -0.19).
@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("sgd", [0.3 - 0.1, -0.1 - 0.05]),
        ("momentum", [0.3 - 0.28, -0.1 - 0.14]),
        # v = 0.9*(-0.2) - 0.1*0.1 = -0.19; x += -0.19 + 0.9*(-0.19 + 0.2)
        ("nesterov", [0.12 - 0.19 + 0.009, -0.19 - 0.095 + 0.0045]),
        # the score of (0.4, -0.1) is 0.7: gradient (1.4, 0.7), squares 4 + 1.96 and 1 + 0.49
        ("adagrad", [0.4 - 0.14 / 5.96**0.5, -0.1 - 0.07 / 1.49**0.5]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_second_step_by_hand(optimizer, expected, dtype):
    x, y = np.array([[2.0]]), np.array([[0.0]])
    row = _linear(optimizer, x, y, [0.5, 0.0], 2, dtype=dtype, learning_rate=0.1)
    np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_l2_pulls_weights_and_not_biases():
    x, y = np.array([[0.0]]), np.array([[3.0]])
    row = _linear("sgd", x, y, [1.0, 3.0], 1, learning_rate=0.1, l2=0.5, l1=1.0)
    np.testing.assert_allclose(row, [1.0 - 0.1 * (0.5 + 1.0), 3.0])


def test_clipping_scales_the_whole_gradient():
    x, y = np.array([[2.0]]), np.array([[0.0]])
    row = _linear("sgd", x, y, [0.5, 0.0], 1, learning_rate=1.0, clip_norm=0.5)
    np.testing.assert_allclose([0.5 - row[0], -row[1]], np.array([2, 1]) * 0.5 / 5**0.5)


def test_fan_in_scaling_divides_the_rate_by_the_root_of_the_inputs():
    x, y = np.ones((1, 4)), np.array([[1.0]])
    plain = _linear("sgd", x, y, [0, 0, 0, 0, 0], 1, learning_rate=0.1)
    scaled = _linear("sgd", x, y, [0, 0, 0, 0, 0], 1, learning_rate=0.1, fan_in_scaling=True)
    np.testing.assert_allclose(scaled, plain / 2)


def test_max_norm_bounds_the_weights_into_each_unit():
    x, y = np.eye(2), np.array([[30.0], [40.0]])
    row = _linear("sgd", x, y, [0, 0, 0], 1, learning_rate=1.0, max_norm=5.0)
    np.testing.assert_allclose(row, [3.0, 4.0, 35.0])


def test_max_norm_bounds_the_weights_into_each_unit_of_every_layer():
    limits = np.array([0.5, 100.0, 0.7])
    rows = np.random.default_rng(0).standard_normal((3, 20 * 35 + 35 * 30 + 65))
    before = rows.copy()
    plan = layout(NetworkSpec(hidden=(35,)), features=20, scores=30)
    for t in plan.weights:
        shorten(rows, t.start, t.shape[0], t.shape[1], t.turned, limits)
    np.testing.assert_array_equal(rows[1], before[1])
    for t in plan.weights:
        norms = np.linalg.norm(views(rows, t), axis=1)
        np.testing.assert_allclose(norms[0], 0.5)
        np.testing.assert_allclose(norms[2], 0.7)
    biases = slice(plan.penalized, None)
    np.testing.assert_array_equal(rows[:, biases], before[:, biases])


RATES = {
    "sgd": 0.3,
    "momentum": 0.1,
    "nesterov": 0.1,
    "adagrad": 0.5,
    "rmsprop": 0.01,
    "adadelta": 1.0,
    "adam": 0.03,
    "adamw": 0.03,
    "adafactor": 0.03,
    "lbfgs": 1.0,
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_reaches_the_optimum_of_a_convex_problem(optimizer, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))
    best = np.array([1.5, -2.0, 0.5, 0.7])
    y = x @ best[:3, None] + best[3]
    options = {"learning_rate": RATES[optimizer], "epsilon": 1e-4, "weight_decay": 0.0}
    row = _linear(
        optimizer, x, y, [0.1, 0.1, 0.1, 0.1], 600, dtype=dtype, schedule="cosine", **options
    )
    np.testing.assert_allclose(row, best, atol=0.02)


def test_adafactor_factors_the_second_moment_per_matrix():
    # One step at t = 1 (no decay): v = outer(row means, column means)/mean of g**2.
    x, y = np.array([[1.0, 2.0]]), np.array([[1.0, 1.0, 4.0]])
    spec = NetworkSpec(
        hidden=(), loss="squared_error", optimizer="adafactor", batch_size=1, learning_rate=1e-3
    )
    learner = Learner(
        [spec],
        features=2,
        outputs=3,
        epochs=1,
        rows=1,
        ema_decay=0.0,
        initial=[np.random.default_rng(0)],
        dtype=np.float64,
    )
    before = learner.state(0)["parameters"]
    learner.run_epoch(x, y, order=np.array([0]), epoch=1, dropout_keys=[0])
    after = learner.state(0)["parameters"]
    # the gradient is an outer product, so its factored root mean square is exact: u = sign(g)
    moved = (after - before)[:6].reshape(2, 3)
    weights = before[:6].reshape(2, 3)
    signs = np.sign(x.T @ (x @ weights - y))
    np.testing.assert_allclose(moved, -1e-3 * np.sqrt((weights**2).mean()) * signs, rtol=1e-9)
