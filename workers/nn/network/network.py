"""Forward and backward passes of a stack of networks, prepared as lists of calls.

Everything a pass touches has a fixed place, so a pass is a list of prepared calls: NumPy
for the matrix products, one fused kernel for what lies between two of them.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.activations import ACTIVATIONS
from workers.nn.families.losses import LOSSES
from workers.nn.layout import Floats, Integers, views
from workers.nn.network.lookup import looked_up, looked_up_back
from workers.nn.network.normalization import normalize, normalize_back, standardize
from workers.nn.network.products import (
    Call,
    flat,
    operands,
    product,
    product_turned,
    turned,
)
from workers.nn.network.regularizers import Keys, dropout
from workers.nn.network.stack import Stack


@dataclass(frozen=True, eq=False)
class _Step:
    """What a layer of the forward pass leaves for the backward one.

    ``below`` are the layer's inputs, ``z`` its products, ``out`` its activations, ``mask``
    what dropout multiplied them by, ``normed`` and ``inverse`` those of batch normalization.
    """

    below: Floats
    z: Floats
    out: Floats
    mask: Floats | None = None
    normed: tuple[Floats, Floats] | None = None


class Passes:
    """The buffers and calls of a stack at one batch size.

    Fill ``inputs`` ``(splits, batch, features)``, run ``forward``, find the raw scores without
    their bias in ``scores`` ``(members, batch, scores)``; put their gradient there and run
    ``backward`` to find all but the last bias's gradient in the stack's ``gradient``. That is
    prepared when it is asked for, which scoring never does.
    ``bent`` holds each hidden layer's activations (of maxout: its pieces), and
    ``activations`` those that it hands on, before dropout.

    Parameters
    ----------
    training
        Normalize by the batch's statistics instead of the running ones.
    keys
        One per member for this epoch's dropout; None: drop nothing.
    clock
        Step of the epoch and first row of the batch.
    """

    def __init__(
        self, net: Stack, batch: int, *, training: bool, keys: Keys | None, clock: Integers
    ) -> None:
        self.net, self.batch, self.clock = net, batch, clock
        self._training, self._keys = training, keys
        self.inputs = np.empty((net.splits, batch, net.layout.features), net.rows.dtype)
        self.forward: list[Call] = []
        self._steps: list[_Step] = []
        below, self._tables = self.inputs, bool(net.layout.tables)
        if self._tables:
            below = self._empty(net.layout.widths[0])
            self.forward.append(looked_up(net, self.inputs, below))
        below, self._input_mask = self._dropped(below, 0)
        for layer in range(len(net.layout.weights) - 1):
            below = self._hidden(layer, below)
        self._below, self.scores = below, self._product(len(self._steps), below)

    @property
    def bent(self) -> list[Floats]:
        """Each hidden layer's activations, of maxout its pieces."""
        return [step.z for step in self._steps]

    @property
    def activations(self) -> list[Floats]:
        """What each hidden layer hands on, before dropout."""
        return [step.out for step in self._steps]

    def _empty(self, units: int) -> Floats:
        return np.empty((self.net.members, self.batch, units), self.net.rows.dtype)

    def _hidden(self, layer: int, below: Floats) -> Floats:
        net, kernels = self.net, ACTIVATIONS[self.net.spec.activation]
        bias, number = net.layout.biases[layer].start, net.activation
        z = self._product(layer, below)
        out = z if kernels.in_place else self._empty(net.layout.widths[layer + 1])
        normed = self._normalized(layer, z) if net.layout.scales else None
        self.forward.append(partial(kernels.forward, z, net.rows, bias, number, out))
        above, mask = self._dropped(out, layer + 1)
        self._steps.append(_Step(below, z, out, mask, normed))
        return above

    def _normalized(self, layer: int, z: Floats) -> tuple[Floats, Floats] | None:
        net = self.net
        scale = net.layout.scales[layer].start
        start = 2 * (scale - net.layout.scales[0].start)
        if not self._training:
            self.forward.append(partial(standardize, z, net.rows, scale, net.statistics, start))
            return None
        normed, inverse = np.empty_like(z), np.empty((net.members, z.shape[2]), z.dtype)
        into = (net.statistics, start, net.decay, net.counts, self.clock, normed, inverse)
        self.forward.append(partial(normalize, z, net.rows, scale, *into))
        return normed, inverse

    def _product(self, layer: int, below: Floats) -> Floats:
        tensor = self.net.layout.weights[layer]
        weights = views(self.net.rows, tensor)
        z = self._empty(weights.shape[-1])
        inputs, out, weights = operands(below, z, weights)
        self.forward += product(inputs, weights, out)
        return z

    def _dropped(self, values: Floats, layer: int) -> tuple[Floats, Floats | None]:
        """Return what a layer hands on after dropout, and the mask if there is one."""
        rates = self.net.dropout
        if self._keys is None or not rates[:, layer].any():
            return values, None
        mask, out = self._empty(values.shape[2]), self._empty(values.shape[2])
        self.forward.append(
            partial(dropout, values, rates, self._keys, self.clock, layer, mask, out)
        )
        return out, mask

    @cached_property
    def backward(self) -> list[Call]:
        """The calls from the scores' gradient, in ``scores``, to that of all parameters."""
        calls: list[Call] = []
        below, slope = self._below, self.scores
        for layer, step in reversed(list(enumerate(self._steps))):
            d = np.empty_like(step.out)
            calls += self._product_back(layer + 1, below, slope, d)
            below, slope = step.below, self._hidden_back(layer, step, d, calls)
        calls += self._product_back(0, below, slope, None)
        if self._tables:
            calls += looked_up_back(self.net, slope, self.inputs, self._input_mask)
        return calls

    def _hidden_back(self, layer: int, step: _Step, d: Floats, calls: list[Call]) -> Floats:
        """Add the calls from a layer's gradient to that of its products, which is returned."""
        net, kernels = self.net, ACTIVATIONS[self.net.spec.activation]
        bias, number = net.layout.biases[layer].start, net.activation
        dz = d if kernels.in_place else np.empty_like(step.z)
        if step.mask is not None:
            calls.append(partial(np.multiply, d, step.mask, d))
        calls.append(partial(kernels.backward, d, step.z, net.gradient, bias, number, dz))
        if step.normed is not None:
            scale = net.layout.scales[layer].start
            calls.append(partial(normalize_back, dz, net.rows, net.gradient, scale, *step.normed))
        return dz

    def _product_back(
        self, layer: int, below: Floats, d: Floats, gradient: Floats | None
    ) -> list[Call]:
        tensor = self.net.layout.weights[layer]
        x, slope, into = operands(below, d, views(self.net.gradient, tensor))
        if tensor.turned:
            calls = product(turned(slope), x, turned(into))
        else:
            calls = product(turned(x), slope, into)
        if gradient is not None:
            weights, out = views(self.net.rows, tensor), flat(gradient)
            if tensor.turned:
                calls += product(slope, turned(weights), out)
            else:
                calls += product_turned(slope, weights, out)
        return calls


def loss_calls(
    passes: Passes, targets: NDArray[Any], weights: Floats, totals: NDArray[np.float64]
) -> list[Call]:
    """Return the calls from inputs to the gradient of the mean loss.

    ``targets`` and ``weights`` are those of the whole epoch in its order, with a leading axis of
    splits, see `workers.nn.families.losses.Loss`; the summed losses of the batch are added to
    ``totals`` ``(members,)``.
    """
    net = passes.net
    loss = LOSSES[net.spec.loss].kernel
    bias, into = net.layout.biases[-1].start, (net.loss, net.gradient, totals)
    score = partial(loss, passes.scores, net.rows, bias, targets, weights, passes.clock, *into)
    return [*passes.forward, score, *passes.backward]
