"""Initial weights have the spread that their inventors derived; biases start at 0."""

import numpy as np
import pytest

from workers.nn.families.initializers import INITIALIZERS, initial
from workers.nn.layout import layout, views
from workers.nn.spec import NetworkSpec

# For 300 inputs and 200 units: the deviation, and the bound where there is one.
SPREADS = {
    "normal": (0.01, None),
    "uniform": (0.01 / 3**0.5, 0.01),
    "xavier_uniform": (0.0632456, 0.1095445),
    "xavier_normal": (0.0632456, None),
    "he": (0.0816497, None),
}


def _weights(**options):
    spec = NetworkSpec(hidden=(200,), **options)
    plan = layout(spec, features=300, scores=10)
    row = initial(spec, plan, rng=np.random.default_rng(0))
    return row, plan, views(row[np.newaxis], plan.weights[0])


def test_every_initializer_has_its_spread():
    assert set(SPREADS) == set(INITIALIZERS)


@pytest.mark.parametrize("name", SPREADS)
def test_spread(name):
    deviation, bound = SPREADS[name]
    _, _, weights = _weights(initializer=name)
    assert weights.shape == (300, 200)
    assert weights.std() == pytest.approx(deviation, rel=0.02)
    assert abs(weights.mean()) < 0.02 * deviation
    if bound:
        assert 0.99 * bound < np.abs(weights).max() <= bound


@pytest.mark.parametrize("name", SPREADS)
def test_the_scale_is_a_deviation_a_bound_or_a_gain(name):
    _, _, weights = _weights(initializer=name, initial_scale=0.02)
    usual = {"normal": 0.01, "uniform": 0.01}.get(name, 1.0)
    assert weights.std() == pytest.approx(SPREADS[name][0] * 0.02 / usual, rel=0.02)


def test_the_fan_in_of_a_later_layer_is_its_inputs():
    row, plan, _ = _weights(initializer="he")
    weights = views(row[np.newaxis], plan.weights[1])
    assert weights.shape == (200, 10)
    assert weights.std() == pytest.approx(0.1, rel=0.05)


def test_biases_start_at_zero_and_scales_at_one():
    row, plan, _ = _weights(batch_normalization=True)
    assert all((row[tensor.start : tensor.stop] == 0).all() for tensor in plan.biases)
    assert all((row[tensor.start : tensor.stop] == 1).all() for tensor in plan.scales)


def test_the_same_generator_gives_the_same_row():
    np.testing.assert_array_equal(_weights()[0], _weights()[0])
