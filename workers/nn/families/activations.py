"""Activations: a member of the family is a scalar function and its slope.

:func:`_elementwise` makes the fused kernels of the two. A forward kernel gets ``z``
``(members, batch, units)`` without its bias, the parameter rows with the bias's offset,
one number per member, and ``out``. A backward kernel turns ``d``, the gradient on the
activations, into the one on ``z`` and sums the bias's gradient. All but maxout work in
place: their slopes need no more than the activation ``a`` itself. What is negative may become
0 there, by a slope of 0 or by underflow, so that 0 has the slope of the negative side.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from workers.nn.families.elementary import falling, falling_rest
from workers.nn.families.maxout import maxout, maxout_back
from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats

Forward = Callable[[Floats, Floats, int, Floats, Floats], None]
Backward = Callable[[Floats, Floats, Floats, int, Floats, Floats], None]
Scalar = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Activation:
    """Two kernels, and which field of the spec they get as their number.

    ``edges`` are the activations at which the slope or its slope jumps.
    """

    forward: Forward
    backward: Backward
    parameter: str | None = None
    edges: tuple[float, ...] = ()
    in_place: bool = True


def _elementwise(
    function: Scalar, slope: Scalar, parameter: str | None = None, edges: tuple[float, ...] = ()
) -> Activation:
    """Make an activation of ``function(z, one, number)`` and ``slope(a, one, number)``.

    ``one`` carries the floating type, so that no literal widens the arithmetic.
    """
    bend, tilt = inlined(function), inlined(slope)

    @kernel
    def forward(z: Floats, rows: Floats, bias: int, number: Floats, _out: Floats) -> None:
        one = z.dtype.type(1)
        for k in range(z.shape[0]):
            b, n = rows[k, bias : bias + z.shape[2]], number[k]
            for r in range(z.shape[1]):
                for j in range(z.shape[2]):
                    z[k, r, j] = bend(z[k, r, j] + b[j], one, n)

    @kernel
    def backward(
        d: Floats, a: Floats, gradient: Floats, bias: int, number: Floats, _out: Floats
    ) -> None:
        one = d.dtype.type(1)
        for k in range(d.shape[0]):
            db, n = gradient[k, bias : bias + d.shape[2]], number[k]
            db[:] = 0
            for r in range(d.shape[1]):
                for j in range(d.shape[2]):
                    s = d[k, r, j] * tilt(a[k, r, j], one, n)
                    d[k, r, j] = s
                    db[j] += s

    return Activation(forward, backward, parameter, edges)


def _identity(z: Any, _one: Any, _number: Any) -> Any:
    return z


def _identity_slope(_a: Any, one: Any, _number: Any) -> Any:
    return one


def _sigmoid(z: Any, one: Any, _number: Any) -> Any:
    t = falling(-abs(z), one)
    return (t if z < one - one else one) / (one + t)


def _sigmoid_slope(a: Any, one: Any, _number: Any) -> Any:
    return a * (one - a)


def _tanh(z: Any, one: Any, _number: Any) -> Any:
    e = falling_rest(-abs(z + z), one)
    t = e / (e + one + one)
    return t if z < one - one else -t


def _tanh_slope(a: Any, one: Any, _number: Any) -> Any:
    return one - a * a


def _hard_tanh(z: Any, one: Any, _number: Any) -> Any:
    low = -one if z < -one else z
    return one if low > one else low


def _hard_tanh_slope(a: Any, one: Any, _number: Any) -> Any:
    return one if abs(a) < one else one - one


def _softsign(z: Any, one: Any, _number: Any) -> Any:
    return z / (one + abs(z))


def _softsign_slope(a: Any, one: Any, _number: Any) -> Any:
    return (one - abs(a)) * (one - abs(a))


def _relu(z: Any, one: Any, _number: Any) -> Any:
    zero = one - one
    return zero if z < zero else z


def _relu_slope(a: Any, one: Any, _number: Any) -> Any:
    zero = one - one
    return zero if a <= zero else one


def _leaky_relu(z: Any, one: Any, number: Any) -> Any:
    zero = one - one
    return number * z + zero if z < zero else z  # + 0: without a slope 0.0 as ReLU, not -0.0


def _leaky_relu_slope(a: Any, one: Any, number: Any) -> Any:
    return number if a <= one - one else one


def _elu(z: Any, one: Any, number: Any) -> Any:
    zero = one - one
    return number * falling_rest(zero if z > zero else z, one) if z < zero else z


def _elu_slope(a: Any, one: Any, number: Any) -> Any:
    return a + number if a <= one - one else one


ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "identity": _elementwise(_identity, _identity_slope),
    "sigmoid": _elementwise(_sigmoid, _sigmoid_slope),
    "tanh": _elementwise(_tanh, _tanh_slope),
    "hard_tanh": _elementwise(_hard_tanh, _hard_tanh_slope, edges=(-1, 1)),
    "softsign": _elementwise(_softsign, _softsign_slope, edges=(0,)),
    "relu": _elementwise(_relu, _relu_slope, edges=(0,)),
    "leaky_relu": _elementwise(_leaky_relu, _leaky_relu_slope, "leaky_slope", (0,)),
    "elu": _elementwise(_elu, _elu_slope, "elu_alpha", (0,)),
    "maxout": Activation(maxout, maxout_back, in_place=False),
}
