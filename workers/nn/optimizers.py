"""Update rules over the flat rows of parameters, each one fused pass.

``rates`` ``(steps, members, 2)`` holds every step's learning rate and momentum and
``clock[0]`` the step; ``knobs`` ``(members, ...)`` the other numbers by the column
constants here; ``slots`` ``(slots, members, parameters)`` what the rule remembers;
``counts`` ``(members,)`` the updates done before this epoch. A segment ``(start, stop, penalized)``
is a range of the row whose rate is multiplied by ``scales[member, segment]``. In the
formulas ``g`` is the gradient of data loss and penalty.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats, Integers

L2, BETA1, BETA2, RHO, EPSILON, WEIGHT_DECAY = 0, 1, 2, 3, 4, 5
KNOBS: Final = ("l2", "beta1", "beta2", "rho", "epsilon", "weight_decay")

Update = Callable[
    [Integers, Floats, Floats, Integers, Integers, Floats, Floats, Floats, Floats], None
]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An update kernel and the names of what it remembers per parameter."""

    update: Update
    slots: tuple[str, ...] = ()


@kernel
def _momentum(
    clock: Integers,
    rates: Floats,
    knobs: Floats,
    _counts: Integers,
    segments: Integers,
    scales: Floats,
    parameters: Floats,
    gradient: Floats,
    slots: Floats,
) -> None:
    zero = parameters.dtype.type(0)
    for k in range(parameters.shape[0]):
        mu = rates[clock[0], k, 1]
        x, g, v = parameters[k], gradient[k], slots[0, k]
        for s in range(segments.shape[0]):
            rate = rates[clock[0], k, 0] * scales[k, s]
            l2 = knobs[k, L2] if segments[s, 2] else zero
            for i in range(segments[s, 0], segments[s, 1]):
                v[i] = mu * v[i] - rate * (g[i] + l2 * x[i])
                x[i] += v[i]


@kernel
def _adam(
    clock: Integers,
    rates: Floats,
    knobs: Floats,
    counts: Integers,
    segments: Integers,
    scales: Floats,
    parameters: Floats,
    gradient: Floats,
    slots: Floats,
) -> None:
    kind = parameters.dtype.type
    for k in range(parameters.shape[0]):
        beta1, beta2, epsilon = knobs[k, BETA1], knobs[k, BETA2], knobs[k, EPSILON]
        rest1, rest2 = kind(1) - beta1, kind(1) - beta2
        t = counts[k] + clock[0] + 1
        unbias1 = 1.0 / (1.0 - float(beta1) ** t)
        unbias2 = kind(np.sqrt(1.0 / (1.0 - float(beta2) ** t)))
        x, g, m, v = parameters[k], gradient[k], slots[0, k], slots[1, k]
        for s in range(segments.shape[0]):
            rate = kind(rates[clock[0], k, 0] * scales[k, s] * unbias1)
            l2 = knobs[k, L2] if segments[s, 2] else kind(0)
            for i in range(segments[s, 0], segments[s, 1]):
                d = g[i] + l2 * x[i]
                m[i] = beta1 * m[i] + rest1 * d
                v[i] = beta2 * v[i] + rest2 * d * d
                x[i] -= rate * m[i] / (np.sqrt(v[i]) * unbias2 + epsilon)


OPTIMIZERS: Final[Mapping[str, Optimizer]] = {
    "momentum": Optimizer(_momentum, ("velocity",)),
    "adam": Optimizer(_adam, ("first_moment", "second_moment")),
}
