"""Update rules: a member of the family is a function on one parameter.

:func:`_rule` makes it the fused kernel over the flat rows. A function gets the parameter
``x``, the gradient ``g`` of data loss and L2 penalty, what the rule remembers of this
parameter in ``p`` and ``q``, and the step's :class:`Numbers`; it returns the new x, p, q.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from workers.nn.families.adafactor import adafactor
from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats, Integers

KNOBS: Final = ("l2", "weight_decay", "beta1", "beta2", "rho", "epsilon")

Update = Callable[[Integers, Floats, Floats, Integers, Floats, Floats, Floats, Floats], None]
Parts = tuple[Any, Any, Any]


class Numbers(NamedTuple):
    """What a rule knows of a member at a step; ``rest1`` is ``1 - beta1`` and so on.

    ``unbias1`` is ``1/(1 - beta1**t)`` and ``unbias2`` is ``1/sqrt(1 - beta2**t)`` at
    update t, counted from 1; ``decay`` is 0 for biases.
    """

    rate: Any
    momentum: Any
    decay: Any
    beta1: Any
    rest1: Any
    beta2: Any
    rest2: Any
    rho: Any
    rest: Any
    epsilon: Any
    unbias1: Any
    unbias2: Any


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An update kernel and the names of what it remembers per parameter.

    A kernel gets ``clock``, whose first entry is the step; ``rates`` ``(steps, members, 5)``:
    learning rate, momentum, unbias1, unbias2 and t; ``knobs`` ``(members, 6)`` as named by
    ``KNOBS``, in float64 for what 1 minus them is; ``segments``, ranges ``(start, stop,
    penalized, height, width)`` of the row whose rate is multiplied by ``scales[member,
    segment]``; the rows of parameters, gradients; and ``memory`` ``(members, slots,
    parameters)``. ``per_tensor`` rules need a segment for every tensor; only ``unbiased`` ones
    are given unbias1 and unbias2. Without a kernel SciPy minimizes over the whole epoch.
    """

    update: Update | None
    slots: tuple[str, ...] = ()
    per_tensor: bool = False
    unbiased: bool = False


def _rule(
    step: Callable[[Any, Any, Any, Any, Numbers], Parts], *slots: str, unbiased: bool = False
) -> Optimizer:
    """Make an optimizer of a function on one parameter and the names of its p and q."""
    stepped, count = inlined(step), len(slots)

    @kernel
    def update(
        clock: Integers,
        rates: Floats,
        knobs: Floats,
        segments: Integers,
        scales: Floats,
        rows: Floats,
        gradient: Floats,
        memory: Floats,
    ) -> None:
        kind = rows.dtype.type
        zero = kind(0)
        for k in range(rows.shape[0]):
            now, knob = rates[clock[0], k], knobs[k]
            for s in range(segments.shape[0]):
                l2, decay = (kind(knob[0]), kind(knob[1])) if segments[s, 2] else (zero, zero)
                beta1, beta2, rho = knob[2], knob[3], knob[4]
                c = Numbers(
                    now[0] * scales[k, s], now[1], decay, kind(beta1), kind(1.0 - beta1),
                    kind(beta2), kind(1.0 - beta2), kind(rho), kind(1.0 - rho), kind(knob[5]),
                    now[2], now[3],
                )  # fmt: skip
                start, stop = segments[s, 0], segments[s, 1]
                x, g = rows[k, start:stop], gradient[k, start:stop]
                first = memory[k, 0, start:stop] if count > 0 else g
                second = memory[k, 1, start:stop] if count > 1 else g
                for i in range(x.shape[0]):
                    p = first[i] if count > 0 else zero
                    q = second[i] if count > 1 else zero
                    w, p, q = stepped(x[i], g[i] + l2 * x[i], p, q, c)
                    x[i] = w
                    if count > 0:
                        first[i] = p
                    if count > 1:
                        second[i] = q

    return Optimizer(update, slots, unbiased=unbiased)


def _sgd(x: Any, g: Any, p: Any, q: Any, c: Numbers) -> Parts:
    """Step ``x -= rate*g``."""
    return x - c.rate * g, p, q


def _momentum(x: Any, g: Any, v: Any, q: Any, c: Numbers) -> Parts:
    """Step ``v = mu*v - rate*g; x += v``."""
    v = c.momentum * v - c.rate * g
    return x + v, v, q


def _nesterov(x: Any, g: Any, old: Any, q: Any, c: Numbers) -> Parts:
    """Step ``w = v; v = mu*v - rate*g; x += v + mu*(v - w)``, the rewritten form."""
    v = c.momentum * old - c.rate * g
    return x + (v + c.momentum * (v - old)), v, q


def _adagrad(x: Any, g: Any, s: Any, q: Any, c: Numbers) -> Parts:
    """Step ``s += g**2; x -= rate*g/(sqrt(s) + eps)`` (Duchi et al. 2011)."""
    s = s + g * g
    return x - c.rate * g / (np.sqrt(s) + c.epsilon), s, q


def _rmsprop(x: Any, g: Any, s: Any, q: Any, c: Numbers) -> Parts:
    """Step ``s = rho*s + (1 - rho)*g**2; x -= rate*g/(sqrt(s) + eps)`` (Hinton 2012)."""
    s = c.rho * s + c.rest * g * g
    return x - c.rate * g / (np.sqrt(s) + c.epsilon), s, q


def _adadelta(x: Any, g: Any, s: Any, e: Any, c: Numbers) -> Parts:
    """Step ``u = sqrt(e + eps)/sqrt(s + eps)*g; x -= rate*u`` (Zeiler 2012).

    s and e are running means of ``g**2`` and ``u**2``; their quotient might underflow.
    """
    s = c.rho * s + c.rest * g * g
    u = np.sqrt(e + c.epsilon) / np.sqrt(s + c.epsilon) * g
    return x - c.rate * u, s, c.rho * e + c.rest * u * u


def _adam(x: Any, g: Any, m: Any, v: Any, c: Numbers) -> Parts:
    """Step ``x -= rate*m'/(sqrt(v') + eps)`` by unbiased moments (Kingma and Ba 2015)."""
    m = c.beta1 * m + c.rest1 * g
    v = c.beta2 * v + c.rest2 * g * g
    return x - c.rate * c.unbias1 * m / (np.sqrt(v) * c.unbias2 + c.epsilon), m, v


def _adamw(x: Any, g: Any, m: Any, v: Any, c: Numbers) -> Parts:
    """Step as Adam after ``x -= rate*decay*x`` (Loshchilov and Hutter 2019)."""
    x = x - c.rate * c.decay * x
    m = c.beta1 * m + c.rest1 * g
    v = c.beta2 * v + c.rest2 * g * g
    return x - c.rate * c.unbias1 * m / (np.sqrt(v) * c.unbias2 + c.epsilon), m, v


OPTIMIZERS: Final[Mapping[str, Optimizer]] = {
    "sgd": _rule(_sgd),
    "momentum": _rule(_momentum, "velocity"),
    "nesterov": _rule(_nesterov, "velocity"),
    "adagrad": _rule(_adagrad, "squares"),
    "adadelta": _rule(_adadelta, "squares", "steps"),
    "rmsprop": _rule(_rmsprop, "squares"),
    "adam": _rule(_adam, "first_moment", "second_moment", unbiased=True),
    "adamw": _rule(_adamw, "first_moment", "second_moment", unbiased=True),
    "adafactor": Optimizer(adafactor, ("factors",), per_tensor=True),
    "lbfgs": Optimizer(None),
}
