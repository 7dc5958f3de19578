"""What is known of a network's layers after an epoch: the record and its definitions."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final, TypeAlias

ENDS: Final[Mapping[str, tuple[float, float]]] = {
    "sigmoid": (0.0125, 0.9875),
    "tanh": (-0.975, 0.975),
    "hard_tanh": (-0.975, 0.975),
    "softsign": (-0.975, 0.975),
}
"""Below the first or above the second number an activation counts as saturated.

That is nearer to an end than 1.25 % of the range; the slopes of sigmoid and tanh are there
below 5 % of their greatest.
"""

DYING: Final = ("relu",)
"""The activations whose units can die: zero with a slope of zero on every row."""


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """One layer's numbers of one epoch; None stands for what is not finite or has no meaning.

    ``W`` are the layer's weights ``(inputs, units)`` without biases, all norms Euclidean over
    all of a layer's weights, all sums in float64. The step is that of the epoch's last full
    mini-batch (of L-BFGS: the epoch). The activations ``a`` ``(rows, units)`` are those of the
    validation rows in evaluation mode; of the last layer they are the raw scores.

    Parameters
    ----------
    update_ratio
        ``norm(W_after - W_before) / norm(W_before)`` of the step, with all that it does:
        momentum, penalties, clipping, max-norm. About 1e-3 is good.
    gradient_norm
        ``norm(dL/dW)`` of the data loss at that mini-batch (of L-BFGS: of all rows, at the
        epoch's end), before penalties and clipping.
    activation_mean, activation_std
        ``mean(a)`` and ``sqrt(mean(a**2) - mean(a)**2)`` over all rows and units.
    dead
        Share of the units that are 0 on every row; of hidden layers of ReLU.
    saturated
        Share of all rows' activations beyond `ENDS`; of hidden layers of sigmoid, tanh, hard
        tanh and softsign.

    Source: CS231n, Neural Networks Part 3, "Ratio of weights:updates" and "Activation /
    Gradient distributions per layer".
    """

    update_ratio: float | None
    gradient_norm: float | None
    activation_mean: float | None
    activation_std: float | None
    dead: float | None = None
    saturated: float | None = None


STATISTICS: Final = tuple(field.name for field in fields(LayerStatistics))
"""The names of a layer's statistics, in order."""


Layers: TypeAlias = tuple[LayerStatistics, ...]
"""A network's layers, from the first hidden one to the scores."""


def average(networks: Sequence[Sequence[LayerStatistics]]) -> Layers:
    """Return each layer's mean statistics over networks of one structure.

    >>> one, two = LayerStatistics(1, 2, 0, 1), LayerStatistics(3, None, 0, 1)
    >>> average([[one], [two]])[0].update_ratio, average([[one], [two]])[0].gradient_norm
    (2.0, None)
    """
    return tuple(
        LayerStatistics(*map(_mean, zip(*map(astuple, same), strict=True)))
        for same in zip(*networks, strict=True)
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(values) if known and len(known) == len(values) else None
