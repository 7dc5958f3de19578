"""Axes of a chart: where a value lies between 0 and 1, and which values are marked."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from workers.nn.metrics.metrics import metric_of

_TICKS: Final = 6
"""About how many values an axis marks."""

_SPREAD: Final = 5.0
"""A positive axis is logarithmic if its greatest value is so many times its least."""

_HUGE: Final = 1e300
_LEAST_ROOM: Final = 0.02


@dataclass(frozen=True)
class Axis:
    """A title and a scale from ``low`` to ``high``, both after ``transform``.

    ``ticks`` are pairs of a value before the transform and its label.
    """

    title: str
    low: float
    high: float
    transform: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at low, 1 at high, held in between."""
        share = (self.transform(value) - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


def linear(title: str, values: Iterable[float], *, pad: float = 0.04) -> Axis:
    """Return a linear axis that shows all values, with ``pad`` of its width to spare."""
    low, high = _padded(_finite(values), pad)
    return Axis(title, low, high, float, _labelled(_round_values(low, high), low, high))


def whole(title: str, values: Iterable[float], *, pad: float = 0.04) -> Axis:
    """Return a linear axis of whole numbers."""
    axis = linear(title, values, pad=pad)
    ticks = tuple((value, label) for value, label in axis.ticks if value == round(value))
    return Axis(title, axis.low, axis.high, float, ticks)


def logarithmic(title: str, values: Iterable[float], *, pad: float = 0.04) -> Axis:
    """Return a logarithmic axis; values that are not positive lie at its low end."""
    positive = [value for value in _finite(values) if value > 0]
    low, high = _padded([math.log10(value) for value in positive], pad, _LEAST_ROOM)
    marked = _decades(low, high)
    return Axis(f"{title} (log)", low, high, _log10, tuple((v, _text(v)) for v in marked))


def complement(title: str, values: Iterable[float]) -> Axis:
    """Return an axis for scores of at most 1, spaced by ``log(1 - score)``, best on top.

    Between 0.9 and 0.99 is as much room as between 0 and 0.9. What reaches 1 lies at the
    top, half as far from 1 as the best below it.
    """
    misses = [1 - value for value in _finite(values)]
    positive = [miss for miss in misses if miss > 0] or [1.0]
    least = min(positive) / (2 if min(misses, default=1) <= 0 else 1)
    low, high = _padded([-math.log10(max(miss, least)) for miss in misses], 0.06, _LEAST_ROOM)
    ticks = [(1 - miss, _text(1 - miss)) for miss in _decades(-high, -low)]
    return Axis(
        f"{title} (spaced by the error)", low, high, lambda v: -math.log10(max(1 - v, least)),
        tuple(ticks),
    )  # fmt: skip


def categories(title: str, names: Sequence[str]) -> Axis:
    """Return an axis with a place for each name; the first lies at 0, the next at 1, ..."""
    ticks = tuple((float(index), name) for index, name in enumerate(names))
    return Axis(title, -0.5, max(len(names), 1) - 0.5, float, ticks)


def scores(metric: str, values: Iterable[float], *, title: str | None = None) -> Axis:
    """Return the axis on which a metric's values are best told apart.

    Bounded metrics are at most 1, other metrics are errors. What is far worse
    than nearly all others lies at the axis' end.
    """
    found, title = metric_of(metric), title or metric
    bounded = found is not None and found.bounded
    errors = sorted(1 - value if bounded else value for value in _finite(values))
    errors = errors[: len(errors) - _stragglers(errors)]
    shown = [1 - error if bounded else error for error in errors]
    least = next((error for error in errors if error > 0), 1.0)
    if errors and errors[0] >= 0 and errors[-1] >= _SPREAD * least:
        if bounded:
            return complement(title, shown)
        if errors[0] > 0:
            return logarithmic(title, shown)
    return linear(title, shown)


def _stragglers(errors: Sequence[float]) -> int:
    """Return how many of the last of sorted errors are far beyond the first nine tenths."""
    if not errors:
        return 0
    way = _log10 if errors[0] > 0 else float
    places = [way(error) for error in errors]
    usual = places[math.ceil(0.9 * len(places)) - 1]
    return sum(place > usual + 1.5 * (usual - places[0]) + 1e-9 for place in places)


def _finite(values: Iterable[float]) -> list[float]:
    return [min(max(float(v), -_HUGE), _HUGE) for v in values if math.isfinite(v)]


def _padded(values: Sequence[float], pad: float, least: float = 1e-300) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    size = max(abs(low), abs(high))
    alike = high - low <= 1e-9 * size
    room = size * 0.1 if alike else (high - low) * pad
    room = room if high - low + room >= least else least
    return (low - 0.5, high + 0.5) if size == 0 else (low - room, high + room)


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def _round_values(low: float, high: float) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * m for m in (1, 2, 5) if power * m >= rough), power * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _labelled(values: Sequence[float], low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Label values with as many digits as tell them apart."""
    step = (high - low) / _TICKS
    digits = max(0, math.ceil(-math.log10(step) + 0.3)) if step < 1 else 0
    if digits > 6 or max(map(abs, (low, high))) >= 1e6:
        return tuple((value, f"{value:.3g}") for value in values)
    return tuple((value, _trimmed(f"{value:.{digits}f}")) for value in values)


def _decades(low: float, high: float) -> list[float]:
    """Return powers of ten from 10^low to 10^high; 1, 2 and 5 times them if they are few."""
    spans = high - low
    multiples = (1, 2, 5) if spans < 2.2 else (1, 3) if spans < 3.2 else (1,)
    stride = max(1, math.ceil(spans / (_TICKS + 2)))
    powers = range(math.floor(low), math.ceil(high) + 1)
    every = [p for p in powers if p % stride == 0]
    found = [float(f"{m}e{p}") for p in every for m in multiples]
    found = [value for value in found if value > 0 and low <= math.log10(value) <= high]
    if len(found) >= 2:
        return found
    return [value for value in _round_values(10**low, 10**high) if value > 0]


def _text(value: float) -> str:
    return f"{float(f'{value:.6g}'):g}"


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
