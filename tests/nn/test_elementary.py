"""The vectorizable exponentials against the C library's, in extended precision."""

import numpy as np
import pytest

from workers.nn.families.elementary import falling, falling_rest
from workers.nn.jit import kernel


@kernel
def _run(x, out, rest):
    one = x.dtype.type(1)
    for i in range(x.shape[0]):
        out[i] = falling_rest(x[i], one) if rest else falling(x[i], one)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rest", [False, True])
def test_within_a_few_units_in_the_last_place(dtype, rest):
    x = np.concatenate([-np.logspace(-12, np.log10(79.9), 20001), [0.0]]).astype(dtype)
    found = np.empty_like(x)
    _run(x, found, rest)
    expected = (np.expm1 if rest else np.exp)(x.astype(np.longdouble))
    np.testing.assert_allclose(found, expected, rtol=2 * np.finfo(dtype).eps)


def test_the_ends():
    x = np.array([-80.1, -1e30, -np.inf, np.nan], np.float32)
    found = np.empty_like(x)
    _run(x, found, False)
    np.testing.assert_array_equal(found, [0, 0, 0, np.nan])
    _run(x, found, True)
    np.testing.assert_array_equal(found, [-1, -1, -1, np.nan])
