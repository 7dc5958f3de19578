"""A probe that watches the layers of a stack for an epoch and changes nothing."""

import math

import numpy as np
from numpy.typing import NDArray

from workers.nn.jit import kernel
from workers.nn.layer_statistics import DYING, ENDS, Layers, LayerStatistics
from workers.nn.layout import Floats, Integers
from workers.nn.network.network import Passes
from workers.nn.network.stack import Stack

_Numbers = NDArray[np.float64]

_LANES = 64


class Probe:
    """What one epoch shows of each member's layers; see `LayerStatistics`.

    The engine calls `begin`, `slope` and `end` around one step, the scoring of rows `look`
    at every batch and `finish`; then `layers` has it all. Every number depends on its
    member alone.
    """

    def __init__(self, net: Stack) -> None:
        self._net = net
        self._sums = [np.zeros((3, net.members, width)) for width in net.layout.widths[1:]]
        self._bounds = np.array(
            [net.layout.weights[0].start, *(tensor.stop for tensor in net.layout.weights)]
        )
        self._squares = np.full((3, net.members, len(self._sums)), np.nan)
        self._before = net.rows[:, :0]
        self._rows = 0

    def begin(self) -> None:
        """Remember the weights before a step."""
        self._before = self._net.rows[:, : self._net.layout.penalized].copy()

    def slope(self) -> None:
        """Measure the gradient of the data loss."""
        _square(self._net.gradient, self._bounds, self._squares[0])

    def end(self) -> None:
        """Measure the weights as they were and how far the step has moved them."""
        _square(self._before, self._bounds, self._squares[1])
        self._before -= self._net.rows[:, : self._net.layout.penalized]
        _square(self._before, self._bounds, self._squares[2])

    def look(self, passes: Passes) -> None:
        """Take the hidden layers' activations of a batch into account."""
        low, high = ENDS.get(self._net.spec.activation, (-math.inf, math.inf))
        for values, sums in zip(passes.activations, self._sums, strict=False):
            _tally(values, low, high, sums)

    def finish(self, scores: Floats) -> None:
        """Take the raw scores ``(members, rows, scores)`` of all rows into account."""
        self._rows = scores.shape[1]
        _tally(scores, -math.inf, math.inf, self._sums[-1])

    def layers(self) -> list[Layers]:
        """Return each member's layers from the first hidden one to the scores."""
        members, count = self._net.members, len(self._sums)
        table = np.empty((members, count, 6))
        with np.errstate(all="ignore"):
            gradient, length, moved = np.sqrt(self._squares)
            table[..., 0], table[..., 1] = moved / length, gradient
        activation = self._net.spec.activation
        for layer, sums in enumerate(self._sums):
            _summarize(sums, self._rows, table[:, layer, 2:])
            hidden = layer < count - 1
            if not (hidden and activation in DYING):
                table[:, layer, 4] = math.nan
            if not (hidden and activation in ENDS):
                table[:, layer, 5] = math.nan
        return [tuple(LayerStatistics(*map(_finite, r)) for r in rows) for rows in table.tolist()]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@kernel
def _square(rows: Floats, bounds: Integers, into: _Numbers) -> None:
    """Sum the squares of each member's values between two bounds, in many lanes for speed."""
    lanes = np.zeros(_LANES)
    for k in range(into.shape[0]):
        for layer in range(into.shape[1]):
            lanes[:] = 0
            stop = bounds[layer + 1]
            for start in range(bounds[layer], stop, _LANES):
                for j in range(min(_LANES, stop - start)):
                    v = np.float64(rows[k, start + j])
                    lanes[j] += v * v
            total = 0.0
            for j in range(_LANES):
                total += lanes[j]
            into[k, layer] = total


@kernel
def _tally(a: Floats, low: float, high: float, sums: _Numbers) -> None:
    """Add up each unit's activations, their squares, and how many are beyond the ends."""
    for k in range(a.shape[0]):
        for r in range(a.shape[1]):
            for j in range(a.shape[2]):
                v = np.float64(a[k, r, j])
                sums[0, k, j] += v
                sums[1, k, j] += v * v
                sums[2, k, j] += 1.0 if v < low or v > high else 0.0


@kernel
def _summarize(sums: _Numbers, rows: int, into: _Numbers) -> None:
    """Turn sums over ``rows`` into mean, deviation, shares of dead and of saturated."""
    members, units = sums.shape[1:]
    for k in range(members):
        total, squares, dead, ends = 0.0, 0.0, 0.0, 0.0
        for j in range(units):
            total += sums[0, k, j]
            squares += sums[1, k, j]
            ends += sums[2, k, j]
            dead += 1.0 if sums[1, k, j] == 0 else 0.0
        mean = total / (rows * units)
        into[k, 0] = mean
        into[k, 1] = math.sqrt(max(squares / (rows * units) - mean * mean, 0.0))
        into[k, 2] = dead / units
        into[k, 3] = ends / (rows * units)
