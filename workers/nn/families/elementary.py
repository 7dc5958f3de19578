"""Exponentials that compilers can vectorize: plain arithmetic, no calls, no branches.

A call of the C library costs a kernel more than all its other work together. These agree
with it to a few units in the last place, in float32 and float64 alike.
"""

from typing import Any

import numpy as np

from workers.nn.jit import inlined


@inlined
def _parts(x: Any, one: Any) -> tuple[Any, Any]:
    """Return ``2**n`` and ``exp(r) - 1`` for ``x = n*ln2 + r <= 0``; 0 and 0 below -80.

    What is smaller than that would only make the arithmetic slow (subnormal numbers).
    The Taylor series of degree 13 is exact in float64 for ``|r| <= ln2/2``, degree 7 in
    float32. ``2**n`` is put together from n's bits.
    """
    kind = type(one)
    below = x < kind(-80)
    x = kind(0) if below else x
    n = np.floor(x * kind(1.4426950408889634) + kind(0.5))
    r = (x - n * kind(0.693359375)) + n * kind(2.121944400546905827679e-4)
    q = kind(1 / 5040)
    if one + kind(1e-12) != one:
        q = kind(1 / 6227020800)
        q = q * r + kind(1 / 479001600)
        q = q * r + kind(1 / 39916800)
        q = q * r + kind(1 / 3628800)
        q = q * r + kind(1 / 362880)
        q = q * r + kind(1 / 40320)
        q = q * r + kind(1 / 5040)
    q = q * r + kind(1 / 720)
    q = q * r + kind(1 / 120)
    q = q * r + kind(1 / 24)
    q = q * r + kind(1 / 6)
    q = q * r + kind(0.5)
    q = q * r * r + r
    m = np.int32(-n)
    power = kind(0.5) if m & 1 else one
    power *= kind(2.0**-2) if m & 2 else one
    power *= kind(2.0**-4) if m & 4 else one
    power *= kind(2.0**-8) if m & 8 else one
    power *= kind(2.0**-16) if m & 16 else one
    power *= kind(2.0**-32) if m & 32 else one
    power *= kind(2.0**-64) if m & 64 else one
    return (kind(0) if below else power), q


@inlined
def falling(x: Any, one: Any) -> Any:
    """Return ``exp(x)`` for ``x <= 0``, 0 below -80."""
    power, q = _parts(x, one)
    return power + power * q


@inlined
def falling_rest(x: Any, one: Any) -> Any:
    """Return ``exp(x) - 1`` for ``x <= 0``, accurate near 0."""
    power, q = _parts(x, one)
    return power * q + (power - one)
