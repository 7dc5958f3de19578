"""Activations at points worked out by hand."""

import numpy as np
import pytest

from workers.nn.activations import ACTIVATIONS

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
