"""Scores and metrics of a stack in evaluation mode, in batches of bounded memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.errors import InputError
from workers.nn.families.losses import LOSSES, probabilities
from workers.nn.layout import Floats, Integers, Lookup
from workers.nn.metrics.metrics import told
from workers.nn.network.diagnostics import Probe
from workers.nn.network.network import Passes
from workers.nn.network.stack import Stack, plan, stack
from workers.nn.spec import NetworkSpec

BATCH: Final = 128
"""Rows scored at a time: enough for the BLAS, few enough for a pack to stay in the cache."""


def predict(
    specs: Sequence[NetworkSpec],
    rows: Floats,
    x: NDArray[Any],
    *,
    features: int,
    outputs: int,
    lookups: tuple[Lookup, ...] = (),
    statistics: Floats | None = None,
) -> Floats:
    """Return raw scores ``(members, rows, scores)`` of stored rows of parameters.

    The specs share one structure; ``rows`` is ``(members, parameters)``. With batch
    normalization ``statistics`` ``(members, statistics)`` belong to the rows.
    """
    layout = plan(specs, features=features, outputs=outputs, lookups=lookups)
    if statistics is not None:
        statistics = np.array(statistics)
    return raw_scores(stack(specs, np.array(rows), layout, statistics=statistics), x)


def raw_scores(net: Stack, *x: NDArray[Any], probe: Probe | None = None) -> Floats:
    """Return the scores ``(members, rows, scores)`` of a stack, biases included.

    There is one ``x`` for each of the stack's splits, of equally many rows. Batches have one
    size, so that a member's numbers don't depend on its stack. A ``probe`` sees the layers'
    activations.
    """
    count = len(x[0])
    result = np.empty((net.members, count, net.layout.widths[-1]), net.rows.dtype)
    passes: Passes | None = None
    last, clock = net.layout.biases[-1], np.zeros(2, np.int64)
    biases = net.rows[:, np.newaxis, last.start : last.stop]
    with np.errstate(all="ignore"):
        for start in range(0, count, BATCH):
            batch = min(BATCH, count - start)
            if passes is None or passes.batch != batch:
                passes = Passes(net, batch, training=False, keys=None, clock=clock)
            for inputs, part in zip(passes.inputs, x, strict=True):
                inputs[...] = part[start : start + BATCH]
            for call in passes.forward:
                call()
            np.add(passes.scores, biases, out=result[:, start : start + BATCH])
            if probe:
                probe.look(passes)
    if probe:
        probe.finish(result)
    return result


def measure_statistics(net: Stack, x: Sequence[NDArray[Any]], order: Integers, batch: int) -> None:
    """Fill the stack's statistics with their means over the mini-batches of an epoch.

    Averaged weights have seen no batch, so theirs are measured. A smaller last batch is
    left out.
    """
    net.statistics[...] = 0
    clock = np.zeros(2, np.int64)
    exact = replace(net, decay=np.ones_like(net.decay), counts=np.zeros_like(net.counts))
    passes = Passes(exact, batch, training=True, keys=None, clock=clock)
    with np.errstate(all="ignore"):
        for step in range(order.shape[1] // batch):
            clock[0] = step
            for inputs, part, rows in zip(passes.inputs, x, order, strict=True):
                inputs[...] = part[rows[step * batch : (step + 1) * batch]]
            for call in passes.forward:
                call()


def metrics(
    net: Stack,
    raw: Floats,
    *y: NDArray[Any],
    units: Sequence[NDArray[np.float64]] | None = None,
    pursued: str = "",
) -> list[dict[str, float]]:
    """Return each member's ``loss`` and what `workers.nn.metrics.metrics.told` has of its task.

    The loss is the data loss without label smoothing, so that members compare. There is one
    ``y`` for each of the stack's splits; ``units`` ``(outputs,)``, likewise, say how much of a
    target's own units is 1 in ``y``, and ``pursued`` is the metric of the search, if there is one.
    """
    task = LOSSES[net.spec.loss].task
    with np.errstate(all="ignore"):
        found = {"loss": _losses(net, raw, *y)}
        wanted, predictions = np.stack(y), raw
        if task == "classification":
            predictions = probabilities(net.spec.loss, raw)
        else:
            wanted = wanted.reshape(len(y), *raw.shape[1:])
        own = np.ones((1, 1)) if units is None else _for_members(net, np.stack(units))
        for name, metric in told(task, pursued).items():
            found[name] = metric.function(predictions, _for_members(net, wanted), own)
    return [
        {name: float(values[member]) for name, values in found.items()}
        for member in range(net.members)
    ]


def _for_members(net: Stack, values: NDArray[Any]) -> NDArray[Any]:
    """Return an array of splits that broadcasts against one of members."""
    return values if net.splits == 1 else np.repeat(values, net.members // net.splits, axis=0)


def _losses(net: Stack, raw: Floats, *y: NDArray[Any]) -> NDArray[np.float64]:
    loss = LOSSES[net.spec.loss]
    totals = np.zeros(net.members)
    rows, gradient = np.zeros((2, net.members, raw.shape[2]), raw.dtype)
    number = np.zeros_like(net.loss) if loss.parameter == "label_smoothing" else net.loss
    wanted, clock = targets(net, *y), np.zeros(2, np.int64)
    weights = np.zeros((len(wanted), 0), raw.dtype)
    loss.kernel(raw.copy(), rows, 0, wanted, weights, clock, number, gradient, totals)
    return totals / len(y[0])


def row_weights(net: Stack, *weights: NDArray[Any] | None) -> Floats:
    """Return a copy of each split's weights as losses take them: no rows where there are none."""
    given = [np.empty(0) if one is None else one for one in weights]
    return np.array(given, net.rows.dtype)


def targets(net: Stack, *y: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of each split's ``y`` as the stack's loss takes it.

    Class indices ``(splits, rows)`` as int64, or ``(splits, rows, outputs)`` in the stack's
    own type.

    Raises
    ------
    InputError
        A label is no index of a class; kernels would read beyond their arrays.
    """
    loss, width = LOSSES[net.spec.loss], net.layout.widths[-1]
    if loss.task == "regression":
        return np.array(y, net.rows.dtype).reshape(len(y), -1, width)
    labels = np.array(y, np.int64)
    classes = 2 if loss.one_score else width
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise InputError(
            f"labels must be class indices from 0 to {classes - 1}",
            f"labels from {labels.min()} to {labels.max()}",
            "encode the target column",
        )
    return labels
