"""Layers read as the CS231n notes read them: updates, activations and gradients in words.

The ratio of an update's norm to that of the weights should be around 1e-3: a lower one may
come from a learning rate that is too low, a higher one from one that is too high. A high
rate can also kill ReLUs for good. A bad start shows in layers whose activations are all zero,
or all at the ends of their range.

Source: CS231n, Neural Networks Part 1, "Commonly used activation functions", and Part 3,
"Babysitting the learning process".
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from hpsearch.diagnosis.learning_curves import Reading
from hpsearch.storage.sqlite.rows import LayerRow

GOOD_RATIO: Final = 1e-3
"""The ratio of an update to the weights that is good, roughly."""

_LOW, _HIGH, _TOO_HIGH = 1e-4, 1e-2, 5e-2
"""Median ratios over the epochs from which on a learning rate is low, high, too high."""

_SOME, _MANY = 0.1, 0.4
"""Shares of dead units, or of saturated activations, that are worth a note, a warning."""

_FADED: Final = 0.1
"""Activations that spread by this share of the first layer's have faded; by 1/it, grown."""

_VANISHED: Final = 1e-3
"""A gradient is lost on its way back if it is less than this share of the last layer's."""


def diagnose_layers(rows: Sequence[LayerRow]) -> tuple[Reading, ...]:
    """Return what a trial's layers, ordered by epoch and layer, say of it."""
    if not rows:
        return ()
    last = [row for row in rows if row.epoch == rows[-1].epoch]
    found = [
        _updates(rows),
        _share(last, "dead", "units are dead", _DEAD),
        _share(last, "saturated", "activations are saturated", _SATURATED),
        _spread(last[:-1]),
        _gradients(last),
    ]
    return tuple(reading for reading in found if reading is not None)


_DEAD: Final = (
    "zero on every validation row, which their gradient can't change: lower the learning rate, "
    "or try leaky_relu"
)
_SATURATED: Final = (
    "close to an end of their range, where the gradient is almost zero: begin with smaller "
    "weights (xavier_uniform), lower the learning rate, or try relu"
)


def _updates(rows: Sequence[LayerRow]) -> Reading | None:
    """Read the learning rate from the layer whose updates are farthest from a good ratio."""
    ratios: dict[int, list[float]] = {}
    for row in rows:
        if row.statistics.update_ratio is not None:
            ratios.setdefault(row.layer, []).append(row.statistics.update_ratio)
    if not ratios:
        return None
    typical = {layer: median(values) for layer, values in ratios.items()}
    most, least = (f(typical, key=lambda layer: typical[layer]) for f in (max, min))
    about = f"about {GOOD_RATIO:.0e}".replace("e-0", "e-")
    if typical[most] > _HIGH:
        much = typical[most] > _TOO_HIGH
        text = (
            f"Updates are {_short(typical[most])} of the weights in layer {most}, "
            f"where {about} is good: {'lower' if much else 'try to lower'} the learning rate."
        )
        label = "updates too large" if much else "updates large"
        return Reading("warning" if much else "note", label, text)
    if typical[most] < _LOW:
        text = (
            f"Updates are at most {_short(typical[most])} of the weights, where {about} is good: "
            "the learning rate is low."
        )
        return Reading("note", "updates small", text)
    text = (
        f"Updates are {_short(typical[least])} to {_short(typical[most])} of the weights, "
        f"where {about} is good."
    )
    return Reading("good", "updates good", text)


def _share(rows: Sequence[LayerRow], name: str, what: str, why: str) -> Reading | None:
    """Say in which layers a share is large, if it is in any."""
    shares = {row.layer: getattr(row.statistics, name) for row in rows}
    large = {layer: s for layer, s in shares.items() if s is not None and s >= _SOME}
    if not large:
        return None
    places = ", ".join(f"{share:.0%} of layer {layer}'s" for layer, share in large.items())
    many = max(large.values()) >= _MANY
    return Reading(
        "warning" if many else "note",
        what.replace("are ", ""),
        f"{places} {what}: {why}.".replace("%", " %"),
    )


def _spread(hidden: Sequence[LayerRow]) -> Reading | None:
    """Say whether activations fade or grow from the first hidden layer to another one."""
    return _compare(
        [(row.layer, row.statistics.activation_std) for row in hidden],
        lambda first, other: other < _FADED * first or other > first / _FADED,
        "activations {} from layer to layer",
        "The standard deviation of the activations is {} in layer {} and {} in layer {}: scale "
        "the initial weights by the inputs (he, xavier_uniform), or normalize batches.",
    )


def _gradients(rows: Sequence[LayerRow]) -> Reading | None:
    """Say whether the gradient vanishes on its way back from the last layer."""
    return _compare(
        [(row.layer, row.statistics.gradient_norm) for row in reversed(rows)],
        lambda last, other: other < _VANISHED * last,
        "gradient vanishes",
        "The gradient's norm is {} in layer {} and {} in layer {}: fewer layers, relu, or "
        "normalized batches hand on more of it.",
    )


def _compare(
    values: Sequence[tuple[int, float | None]],
    differs: Callable[[float, float], bool],
    label: str,
    text: str,
) -> Reading | None:
    """Return a warning about the layer that is farthest from the first given one, if any is."""
    known = [(layer, value) for layer, value in values if value is not None]
    if len(known) < 2 or not known[0][1]:
        return None
    first, start = known[0]
    far = [(layer, value) for layer, value in known[1:] if differs(start, value)]
    if not far:
        return None
    layer, value = far[-1]
    way = "fade" if value < start else "grow"
    evidence = text.format(_short(start), first, _short(value), layer)
    return Reading("warning", label.format(way), evidence)


def _short(value: float) -> str:
    """Return a number in two digits, as the notes write it.

    >>> _short(0.2), _short(0.00123), _short(3.14)
    ('2e-1', '1.2e-3', '3.1')
    """
    if 1 <= value < 1000 or value == 0:
        return f"{value:.2g}"
    digits, power = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"
