"""Activations at points worked out by hand."""

import numpy as np
import pytest

from workers.nn.families.activations import ACTIVATIONS
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

# number is the slope of leaky_relu and the alpha of elu
POINTS = {
    "identity": [(-2, -2), (3, 3)],
    "sigmoid": [(0, 0.5), (np.log(3), 0.75), (-200, 0)],
    "tanh": [(0, 0), (np.log(3) / 2, 0.5), (50, 1), (-50, -1)],
    "hard_tanh": [(-3, -1), (-0.25, -0.25), (1.5, 1)],
    "softsign": [(-1, -0.5), (3, 0.75)],
    "relu": [(-1, 0), (2, 2)],
    "leaky_relu": [(-1, -0.25), (2, 2)],
    "elu": [(-np.log(2), -0.125), (2, 2), (-200, -0.25)],
}


def _bent(name, values, number=0.25):
    z = np.array(values, np.float64).reshape(1, 1, -1)
    rows = np.zeros((1, z.shape[2]))
    out = z if ACTIVATIONS[name].in_place else np.empty((1, 1, z.shape[2] // 2))
    ACTIVATIONS[name].forward(z, rows, 0, np.array([number]), out)
    return out[0, 0]


def test_every_activation_has_its_points():
    assert set(POINTS) | {"maxout"} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", POINTS)
def test_worked_points(name):
    given, expected = zip(*POINTS[name], strict=True)
    np.testing.assert_allclose(_bent(name, given), expected, atol=1e-15)


def test_maxout_takes_the_greatest_piece_of_each_unit():
    np.testing.assert_array_equal(_bent("maxout", [1, -5, 0, -7]), [1, -5])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_not_a_number_stays_visible(name):
    assert np.isnan(_bent(name, [np.nan, np.nan])).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_leaky_slope_of_zero_is_relu_to_the_bit(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 6)), rng.integers(0, 3, 40)
    found = []
    for options in ({"activation": "relu"}, {"activation": "leaky_relu", "leaky_slope": 0.0}):
        learner = Learner(
            [NetworkSpec(hidden=(9, 7), batch_size=8, learning_rate=0.1, **options)],
            features=6,
            outputs=3,
            epochs=3,
            rows=40,
            ema_decay=0.9,
            initial=[np.random.default_rng(0)],
            dtype=dtype,
        )
        for epoch in (1, 2, 3):
            learner.run_epoch(x, y, order=np.arange(40), epoch=epoch, dropout_keys=[0])
        state = learner.state(0)
        found.append({name: array.tobytes() for name, array in state.items()})
    assert found[0] == found[1]


# Slopes at inputs whose activations are 0, or become it: as PyTorch 2.13.0 has them in float32.
@pytest.mark.parametrize(
    ("name", "number", "z", "slope"),
    [
        ("leaky_relu", 0.0, -1.0, 0.0),
        ("leaky_relu", 1e-30, -1e-20, 1e-30),
        ("leaky_relu", 0.25, 0.0, 0.25),
        ("elu", 1e-30, -1e-20, 1e-30),
        ("elu", 0.25, 0.0, 0.25),
        ("relu", 0.0, 0.0, 0.0),
    ],
)
def test_a_slope_of_what_became_zero_is_that_of_its_input(name, number, z, slope):
    kernels = ACTIVATIONS[name]
    a, row = np.full((1, 1, 1), z, np.float32), np.zeros((1, 1), np.float32)
    d, numbers = np.ones_like(a), np.array([number], np.float32)
    kernels.forward(a, row, 0, numbers, a)
    kernels.backward(d, a, np.zeros_like(row), 0, numbers, d)
    np.testing.assert_allclose(d[0, 0, 0], slope, rtol=1e-6)
