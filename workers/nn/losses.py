"""Data losses: bias, value, gradient and the bias's gradient in one pass per row.

A kernel gets the ``scores`` ``(members, batch, scores)`` without their bias, turns them
into their gradient (already divided by the batch's rows), adds every member's summed
loss to ``totals`` and sums the bias's gradient. The targets of the epoch lie in the
order of its rows; ``clock[1]`` is where the batch begins.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from workers.nn.jit import kernel
from workers.nn.layout import Floats, Integers

Kernel = Callable[
    [Floats, Floats, int, NDArray[Any], Integers, Floats, Floats, NDArray[np.float64]], None
]


@dataclass(frozen=True, slots=True)
class Loss:
    """A kernel, its task, the field of the spec it gets, whether one score is enough."""

    kernel: Kernel
    task: Literal["classification", "regression"]
    parameter: str | None = None
    one_score: bool = False


@kernel
def _softmax(
    scores: Floats,
    rows: Floats,
    bias: int,
    targets: NDArray[Any],
    clock: Integers,
    smoothing: Floats,
    gradient: Floats,
    totals: NDArray[np.float64],
) -> None:
    members, batch, classes = scores.shape
    kind = scores.dtype.type
    for k in range(members):
        gradient[k, bias : bias + classes] = 0
        spread = smoothing[k] / kind(classes)
        kept = kind(1) - smoothing[k]
        share = kind(1) / kind(batch)
        total = 0.0
        for r in range(batch):
            row = scores[k, r]
            target = targets[clock[1] + r]
            top = row[0] + rows[k, bias]
            for j in range(classes):
                row[j] += rows[k, bias + j]
                top = max(top, row[j])
            wanted = kept * (row[target] - top)
            if spread != kind(0):
                for j in range(classes):
                    wanted += spread * (row[j] - top)
            mass = kind(0)
            for j in range(classes):
                row[j] = np.exp(row[j] - top)
                mass += row[j]
            total += np.log(mass) - wanted
            scale = share / mass
            for j in range(classes):
                row[j] = row[j] * scale - spread * share
            row[target] -= kept * share
            for j in range(classes):
                gradient[k, bias + j] += row[j]
        totals[k] += total


LOSSES: Final[Mapping[str, Loss]] = {
    "softmax": Loss(_softmax, "classification", "label_smoothing"),
}


def scores(loss: str, outputs: int) -> int:
    """Return how many scores a network has for so many classes or target columns."""
    return 1 if LOSSES[loss].one_score else outputs


def probabilities(loss: str, values: Floats) -> Floats:
    """Return class probabilities of raw scores ``(..., rows, scores)``; regression's stay.

    ``exp(s_j) / sum(exp(s))``. Hinge losses have no probabilities of their own: by
    convention theirs are the softmax of their scores. One score ``s`` becomes the two
    columns ``1 - p, p`` with ``p = 1/(1 + exp(-s))``.

    >>> probabilities("softmax", np.zeros((1, 2)))
    array([[0.5, 0.5]])
    """
    if LOSSES[loss].task == "regression":
        return values
    if LOSSES[loss].one_score:
        values = np.concatenate([np.zeros_like(values), values], axis=-1)
    with np.errstate(all="ignore"):
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares
