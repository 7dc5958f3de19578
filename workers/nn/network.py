"""Forward and backward passes of a stack of networks, prepared as lists of calls.

Everything a pass touches has a fixed place, so a pass is a list of prepared calls: NumPy
for the matrix products, one fused kernel for what lies between two of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.activations import ACTIVATIONS
from workers.nn.layout import Floats, Integers, Layout, layout, views
from workers.nn.losses import LOSSES, scores
from workers.nn.regularizers import Keys, dropout, masked
from workers.nn.spec import NetworkSpec, rates

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Stack:
    """Members of one structure: their rows ``(members, parameters)`` and what varies.

    ``activation`` and ``loss`` ``(members,)`` are the number that the kernels of these
    families get, ``dropout`` ``(members, layers)`` the rates from the inputs on.
    """

    spec: NetworkSpec
    layout: Layout
    rows: Floats
    gradient: Floats
    activation: Floats
    loss: Floats
    dropout: Floats

    @property
    def members(self) -> int:
        """How many networks there are."""
        return len(self.rows)


def stack(specs: Sequence[NetworkSpec], rows: Floats, *, features: int, outputs: int) -> Stack:
    """Put rows of parameters and the specs of equal structure beside each other."""
    first, kind = specs[0], rows.dtype
    plan = layout(first, features=features, scores=scores(first.loss, outputs))

    def numbers(name: str | None) -> Floats:
        return np.array([getattr(spec, name) if name else 0 for spec in specs], kind)

    return Stack(
        first,
        plan,
        rows,
        np.zeros_like(rows),
        numbers(ACTIVATIONS[first.activation].parameter),
        numbers(LOSSES[first.loss].parameter),
        np.array([rates(spec) for spec in specs], kind),
    )


def _flat(values: Floats) -> Floats:
    return values[0] if len(values) == 1 else values


def _turned(values: Floats) -> Floats:
    return np.swapaxes(values, -1, -2)


class Passes:
    """The buffers and calls of a stack at one batch size.

    Fill ``inputs`` ``(batch, features)``, run ``forward``, find the raw scores without
    their bias in ``scores`` ``(members, batch, scores)``; put their gradient there and run
    ``backward`` to find all but the last bias's gradient in the stack's ``gradient``.
    """

    def __init__(self, net: Stack, batch: int, *, keys: Keys | None, clock: Integers) -> None:
        self.net, self.batch, self.keys, self.clock = net, batch, keys, clock
        self.inputs = np.empty((batch, net.layout.widths[0]), net.rows.dtype)
        self.forward: list[Call] = []
        self.backward: list[Call] = []
        below: Floats = self.inputs[None]
        mask = self._dropped(below, 0)
        below = below if mask is None else mask[1]
        gradient: Floats | None = None
        for layer in range(len(net.layout.weights) - 1):
            below, gradient = self._hidden(layer, below, gradient)
        self.scores = self._product(len(net.layout.weights) - 1, below)
        self._product_back(len(net.layout.weights) - 1, below, self.scores, gradient)

    def _empty(self, *shape: int) -> Floats:
        return np.empty((self.net.members, self.batch, *shape), self.net.rows.dtype)

    def _hidden(self, layer: int, below: Floats, gradient: Floats | None) -> tuple[Floats, Floats]:
        net, kernels = self.net, ACTIVATIONS[self.net.spec.activation]
        bias = net.layout.biases[layer].start
        z = self._product(layer, below)
        out = z if kernels.in_place else self._empty(net.layout.widths[layer + 1])
        d = np.empty_like(out)
        dz = d if kernels.in_place else np.empty_like(z)
        self.forward.append(partial(kernels.forward, z, net.rows, bias, net.activation, out))
        self._product_back(layer, below, dz, gradient)
        self.backward.insert(
            0, partial(kernels.backward, d, z, net.gradient, bias, net.activation, dz)
        )
        mask = self._dropped(out, layer + 1)
        if mask is not None:
            self.backward.insert(0, partial(masked, d, mask[0]))
        return out if mask is None else mask[1], d

    def _product(self, layer: int, below: Floats) -> Floats:
        tensor = self.net.layout.weights[layer]
        z = self._empty(tensor.shape[1])
        self.forward.append(
            partial(np.matmul, _flat(below), views(self.net.rows, tensor), _flat(z))
        )
        return z

    def _product_back(self, layer: int, below: Floats, d: Floats, gradient: Floats | None) -> None:
        tensor = self.net.layout.weights[layer]
        into, flat = views(self.net.gradient, tensor), _flat(d)
        calls: list[Call] = [partial(np.matmul, _turned(_flat(below)), flat, into)]
        if gradient is not None:
            weights = views(self.net.rows, tensor)
            calls.append(partial(np.matmul, flat, _turned(weights), _flat(gradient)))
        self.backward[:0] = calls

    def _dropped(self, values: Floats, layer: int) -> tuple[Floats, Floats] | None:
        if self.keys is None or not self.net.dropout[:, layer].any():
            return None
        mask, out = self._empty(values.shape[2]), self._empty(values.shape[2])
        self.forward.append(
            partial(dropout, values, self.net.dropout, self.keys, self.clock, layer, mask, out)
        )
        return mask, out


def training_step(passes: Passes, targets: NDArray[Any], totals: NDArray[np.float64]) -> list[Call]:
    """Return the calls from inputs to the gradient of the mean loss, which adds to ``totals``."""
    return [
        *passes.forward,
        loss_call(passes, targets, totals),
        *passes.backward,
    ]


def loss_call(passes: Passes, targets: NDArray[Any], totals: NDArray[np.float64]) -> Call:
    """Return the call of the stack's loss on the scores of its passes."""
    net = passes.net
    return partial(
        LOSSES[net.spec.loss].kernel,
        passes.scores,
        net.rows,
        net.layout.biases[-1].start,
        targets,
        passes.clock,
        net.loss,
        net.gradient,
        totals,
    )
