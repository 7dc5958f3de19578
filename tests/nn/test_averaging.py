"""The running average over a long training is the weighted mean that it stands for."""

import numpy as np
import pytest

from workers.nn.training.averaging import track, unbiased

STEPS = 96_000


@pytest.mark.parametrize("decay", [0.5, 0.9999, 0.99999, 1 - 1e-9])
def test_a_long_average_does_not_drift(decay):
    steps = np.arange(1, STEPS + 1)
    moving = np.stack([np.ones(STEPS), np.sin(steps / 1e4), 1e-4 * steps], axis=1)
    moving = moving.astype(np.float32)
    average = np.zeros((1, 3))
    for row in moving:
        track(average, row[np.newaxis], decay)
    weights = decay ** (STEPS - steps)
    expected = weights @ moving.astype(np.float64) / weights.sum()
    found = unbiased(average[0], decay, STEPS, moving.dtype)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-7)
