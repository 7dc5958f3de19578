"""Scores and metrics of a stack in evaluation mode, in batches of bounded memory."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.activations import ACTIVATIONS
from workers.nn.layout import Floats
from workers.nn.losses import LOSSES
from workers.nn.network import Passes, Stack, stack
from workers.nn.spec import NetworkSpec

BATCH_VALUES: Final = 1 << 17


def predict(
    specs: Sequence[NetworkSpec], rows: Floats, x: NDArray[Any], *, features: int, outputs: int
) -> Floats:
    """Return raw scores ``(members, rows, scores)`` of stored rows of parameters.

    The specs share one structure; ``rows`` is ``(members, parameters)``.
    """
    return raw_scores(stack(specs, rows, features=features, outputs=outputs), x)


def raw_scores(net: Stack, x: NDArray[Any]) -> Floats:
    """Return the scores ``(members, rows, scores)`` of a stack, biases included.

    Batches depend on the structure only, so that a member's numbers don't depend on its
    stack.
    """
    size = max(1, min(len(x), BATCH_VALUES // max(net.layout.widths)))
    result = np.empty((net.members, len(x), net.layout.widths[-1]), net.rows.dtype)
    passes: Passes | None = None
    bias, unused = net.layout.biases[-1].start, np.zeros(net.members, net.rows.dtype)
    with np.errstate(all="ignore"):
        for start in range(0, len(x), size):
            rows = x[start : start + size]
            if passes is None or passes.batch != len(rows):
                passes = Passes(net, len(rows), keys=None, clock=np.zeros(2, np.int64))
            passes.inputs[...] = rows
            for call in passes.forward:
                call()
            add = ACTIVATIONS["identity"].forward
            add(passes.scores, net.rows, bias, unused, passes.scores)
            result[:, start : start + size] = passes.scores
    return result


def metrics(net: Stack, raw: Floats, y: NDArray[Any]) -> list[dict[str, float]]:
    """Return each member's ``loss`` and ``accuracy``, or ``loss``, ``mse`` and ``r2``.

    The loss is the data loss without label smoothing, so that members compare. For
    regression ``r2`` is the mean over the target columns.
    """
    loss = LOSSES[net.spec.loss]
    totals = _losses(net, raw, y)
    with np.errstate(all="ignore"):
        if loss.task == "classification":
            guess = raw[..., 0] > 0 if loss.one_score else raw.argmax(axis=2)
            right = (guess == y).mean(axis=1)
            return [
                {"loss": float(t), "accuracy": float(r)} for t, r in zip(totals, right, strict=True)
            ]
        errors = ((raw.astype(np.float64) - y) ** 2).mean(axis=1)
        spread = np.var(y, axis=0, dtype=np.float64)
        r2 = 1 - errors / np.where(spread > 0, spread, 1)
        return [
            {"loss": float(t), "mse": float(e.mean()), "r2": float(r.mean())}
            for t, e, r in zip(totals, errors, r2, strict=True)
        ]


def _losses(net: Stack, raw: Floats, y: NDArray[Any]) -> NDArray[np.float64]:
    loss = LOSSES[net.spec.loss]
    totals = np.zeros(net.members)
    rows, gradient = np.zeros((2, net.members, raw.shape[2]), raw.dtype)
    number = np.zeros_like(net.loss) if loss.parameter == "label_smoothing" else net.loss
    with np.errstate(all="ignore"):
        loss.kernel(raw.copy(), rows, 0, y, np.zeros(2, np.int64), number, gradient, totals)
        return totals / len(y)
