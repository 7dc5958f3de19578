"""Losses as functions of a row of parameters, which say where their maxima have kinks."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.activations import ACTIVATIONS
from workers.nn.families.losses import LOSSES
from workers.nn.layout import Floats
from workers.nn.network.evaluation import row_weights, targets
from workers.nn.network.network import Passes, loss_calls
from workers.nn.network.regularizers import penalize, penalty
from workers.nn.network.stack import Stack

# A row's loss, and the winners of all maxima on the way.
Loss = Callable[[Floats], tuple[float, NDArray[Any]]]


def data_loss(
    net: Stack,
    x: NDArray[Any],
    y: NDArray[Any],
    weights: NDArray[Any] | None,
    keys: NDArray[np.uint64] | None,
) -> tuple[Loss, Floats]:
    """Return a lone member's mean data loss as a function of its row, and its gradient.

    ``weights`` are the rows', none stands for ones. With keys the dropout masks are theirs at every
    call: frozen.
    """
    passes = Passes(net, len(x), training=True, keys=keys, clock=np.zeros(2, np.int64))
    passes.inputs[0] = x
    totals = np.zeros(1)
    calls = loss_calls(passes, targets(net, y), row_weights(net, weights), totals)

    def loss(row: Floats) -> tuple[float, NDArray[Any]]:
        net.rows[0] = row
        totals[:] = 0
        with np.errstate(all="ignore"):
            for call in calls:
                call()
        return float(totals[0] / len(x)), np.concatenate(list(winners(passes)))

    loss(net.rows[0].copy())
    return loss, net.gradient[0].copy()


def winners(passes: Passes) -> Iterator[NDArray[Any]]:
    """Yield which side of every maximum wins, layer by layer and in the loss."""
    spec = passes.net.spec
    activation = ACTIVATIONS[spec.activation]
    for a in passes.bent:
        for edge in activation.edges:
            yield (1 * (a > edge) + (a >= edge)).ravel()
        if not activation.in_place:
            pieces = a.reshape(*a.shape[:2], spec.maxout_pieces, -1)
            yield pieces.argmax(axis=2).ravel()
    if LOSSES[spec.loss].kinked:
        yield 1 * (passes.scores != 0).ravel()
    yield np.zeros(0, np.int64)


def penalty_loss(net: Stack) -> tuple[Loss, Floats]:
    """Return a lone member's penalty as a function of its row, and its gradient."""
    spec, weights = net.spec, net.layout.penalized
    numbers = np.array([[spec.l2, spec.l1, 0.0]])
    gradient = np.zeros_like(net.rows)
    penalize(net.rows, gradient, weights, numbers)

    def loss(row: Floats) -> tuple[float, NDArray[Any]]:
        signs = np.sign(row[:weights]) if spec.l1 else np.zeros(0)
        return penalty(row, weights, l2=spec.l2, l1=spec.l1), signs

    return loss, gradient[0]
