"""Data losses: bias, value, gradient and the bias's gradient in one pass per row.

A kernel gets the ``scores`` ``(members, batch, scores)`` without their bias, turns them
into their gradient (already divided by the batch's rows), adds every member's summed
loss to ``totals`` and sums the bias's gradient. The targets of the epoch, ``(splits, rows)``
or ``(splits, rows, outputs)``, lie in the order of its rows; ``clock[1]`` is where the batch
begins. Below, ``s`` are a row's
scores, ``y`` its class or targets, and ``number`` the member's smoothing or margin.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.softmax import softmax
from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats, Integers

Kernel = Callable[
    [Floats, Floats, int, NDArray[Any], Floats, Integers, Floats, Floats, NDArray[np.float64]],
    None,
]
Row = Callable[[Floats, Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Loss:
    """A kernel, its task, the field of the spec it gets, whether one score is enough.

    A kernel takes the scores ``(members, batch, scores)`` for their gradient, that of the mean of
    ``weight*loss`` over the batch, and adds their sum to the totals. ``targets`` and ``weights``
    are ``(splits, rows)`` of the whole epoch; without rows, all weights are 1.
    ``chance`` is the loss of scores that are all 0, from the classes and the number.
    ``kinked`` losses change their slope, or its slope, where a score's gradient becomes 0.
    """

    kernel: Kernel
    task: Literal["classification", "regression"]
    chance: Callable[[int, float], float]
    parameter: str | None = None
    one_score: bool = False
    kinked: bool = False


def _rowwise(row_loss: Row) -> Kernel:
    """Make a kernel of ``row_loss(s, y, number, one)``.

    The function returns a row's loss and turns its scores into their gradient.
    """
    value_of = inlined(row_loss)

    @kernel
    def loss(
        scores: Floats,
        rows: Floats,
        bias: int,
        targets: NDArray[Any],
        weights: Floats,
        clock: Integers,
        number: Floats,
        gradient: Floats,
        totals: NDArray[np.float64],
    ) -> None:
        one = scores.dtype.type(1)
        batch, width = scores.shape[1], scores.shape[2]
        share, weighted = one / scores.dtype.type(batch), weights.shape[1] > 0
        for k in range(scores.shape[0]):
            db, b = gradient[k, bias : bias + width], rows[k, bias : bias + width]
            split = k * targets.shape[0] // scores.shape[0]
            db[:] = 0
            total = 0.0
            for r in range(batch):
                row = scores[k, r]
                for j in range(width):
                    row[j] += b[j]
                weight = weights[split, clock[1] + r] if weighted else one
                total += weight * value_of(row, targets[split, clock[1] + r], number[k], one)
                part = weight * share
                for j in range(width):
                    row[j] *= part
                    db[j] += row[j]
            totals[k] += total

    return loss


def _hinge(s: Floats, y: Any, margin: Any, one: Any) -> Any:
    """Compute ``sum_{j!=y} max(0, s_j - s_y + margin)`` (Weston and Watkins 1999)."""
    zero = one - one
    wanted, total, pushes = s[y] - margin, zero, zero
    for j in range(s.shape[0]):
        excess = s[j] - wanted
        push = zero if excess <= zero or j == y else one
        total += excess * push
        pushes += push
        s[j] = push
    s[y] = -pushes
    return total


def _squared_hinge(s: Floats, y: Any, margin: Any, one: Any) -> Any:
    """Compute ``sum_{j!=y} max(0, s_j - s_y + margin)**2``."""
    zero = one - one
    wanted, total, pushes = s[y] - margin, 0.0, zero
    for j in range(s.shape[0]):
        excess = s[j] - wanted
        push = zero if excess <= zero or j == y else excess
        total += np.float64(push) * np.float64(push)
        pushes += push + push
        s[j] = push + push
    s[y] = -pushes
    return total


def _logistic(s: Floats, y: Any, smoothing: Any, one: Any) -> Any:
    """Compute ``log(1 + exp(s)) - q*s``, q the smoothed 0 or 1."""
    zero = one - one
    half = one / (one + one)
    wanted = (one if y == 1 else zero) * (one - smoothing) + smoothing * half
    score = s[0]
    power = np.exp(-abs(score))
    s[0] = (one if score >= zero else power) / (one + power) - wanted
    return (score if score > zero else zero) + np.log1p(power) - wanted * score


def _max_margin(s: Floats, y: Any, margin: Any, one: Any) -> Any:
    """Compute ``max(0, margin - t*s)``, t = 1 for class 1 and -1 for class 0."""
    zero = one - one
    sign = one if y == 1 else -one
    slack = margin - sign * s[0]
    s[0] = zero if slack <= zero else -sign
    return zero if slack <= zero else slack


def _squared_error(s: Floats, y: Any, _number: Any, _one: Any) -> Any:
    """Compute ``sum_j (s_j - y_j)**2 / 2``."""
    total = 0.0
    for j in range(s.shape[0]):
        s[j] -= y[j]
        total += np.float64(s[j]) * np.float64(s[j])
    return total / 2


LOSSES: Final[Mapping[str, Loss]] = {
    "softmax": Loss(softmax, "classification", lambda c, _: float(np.log(c)), "label_smoothing"),
    "hinge": Loss(
        _rowwise(_hinge), "classification", lambda c, m: (c - 1) * m, "margin", kinked=True
    ),
    "squared_hinge": Loss(
        _rowwise(_squared_hinge),
        "classification",
        lambda c, m: (c - 1) * m**2,
        "margin",
        kinked=True,
    ),
    "logistic": Loss(
        _rowwise(_logistic),
        "classification",
        lambda _c, _n: float(np.log(2)),
        "label_smoothing",
        one_score=True,
    ),
    "max_margin": Loss(
        _rowwise(_max_margin),
        "classification",
        lambda _, m: m,
        "margin",
        one_score=True,
        kinked=True,
    ),
    "squared_error": Loss(_rowwise(_squared_error), "regression", lambda _c, _n: float("nan")),
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
