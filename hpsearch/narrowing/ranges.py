"""The next range of one dimension, from the values of the best trials."""

from collections.abc import Sequence
from dataclasses import replace

from hpsearch.config.sections.stages import NarrowConfig
from hpsearch.narrowing.significance import closeness
from hpsearch.narrowing.verdicts import Side, Verdict
from hpsearch.space.dimensions import Dimension, IntDimension, Numeric
from hpsearch.space.scales import from_scale, snapped, to_scale, to_unit, width

BORDER = 0.05
"""A value within this share of its range's width from an end lies at the border."""

GROWTH = 0.5
"""By which share of all that was searched a range grows beyond a border (`at_border: extend`)."""

GROWTH_DECADES = 2.0
"""The most that a logarithmic range grows in one step, in decades."""


def widened(dimension: Numeric, original: Dimension) -> Numeric:
    """Return all that was ever searched: the config's own range, as far as it has grown."""
    if not isinstance(original, Numeric):
        return dimension
    low, high = min(dimension.low, original.low), max(dimension.high, original.high)
    return dimension.model_copy(update={"low": low, "high": high})


def judged(
    verdict: Verdict,
    dimension: Numeric,
    original: Dimension,
    tried: Sequence[float],
    best: Sequence[int],
    rule: NarrowConfig | None,
    limit: tuple[float, float],
) -> Verdict:
    """Return the verdict with the best value's place, the border case and the next range.

    `best` says which of the values `tried` are those of the best trials; without a rule the
    range stays.
    """
    unit = 1.0 if not isinstance(original, Numeric) or dimension.log else width(original)
    most = widened(dimension, original)
    place = to_unit(dimension, min(max(verdict.best, dimension.low), dimension.high))
    side = _side(place)
    bounds = verdict.before
    outermost = side is not None and _is_outermost(dimension, original, side)
    if side and not outermost and _beyond(side, bounds, tried):
        side = None
    grown = _grown(dimension, side, limit, most) if side else bounds
    if grown[0] >= bounds[0] and grown[1] <= bounds[1]:
        side, grown, outermost = None, bounds, False
    after, extended = bounds, grown
    if rule is not None:
        verdict = _weighed(verdict, dimension, tried, best, rule)
        wide = most.low, most.high
        values = [min(max(tried[index], wide[0]), wide[1]) for index in best]
        if verdict.doubted is not None:
            after, extended = wide, _span(wide, grown)
        elif verdict.believed:
            outer = _reached((min(values), max(values)), bounds, wide)
            after = _next_range(dimension, values, rule, unit, None, outer)
            extended = _next_range(dimension, values, rule, unit, side, _span(outer, grown))
        else:
            after = _reached((verdict.best, verdict.best), bounds, wide)
            extended = _span(after, grown)
    return replace(
        verdict,
        place=place,
        at_border=side,
        outermost=outermost,
        after=extended if side and rule and rule.at_border == "extend" else after,
        extended=extended if side else None,
        fatal=outermost and rule is not None and rule.at_border == "error",
    )


def _weighed(
    verdict: Verdict,
    dimension: Numeric,
    tried: Sequence[float],
    best: Sequence[int],
    rule: NarrowConfig,
) -> Verdict:
    """Return the verdict with how probable it is that the best lie as close by chance."""
    if rule.significance == 1:
        return replace(verdict, chance=None, believed=True)
    chance = closeness([to_unit(dimension, value) for value in tried], best)
    return replace(verdict, chance=chance, believed=chance <= rule.significance)


def _beyond(side: Side, bounds: tuple[float, float], tried: Sequence[float]) -> bool:
    """Return whether trials have looked beyond a border that a narrowing has drawn."""
    return min(tried) < bounds[0] if side == "low" else max(tried) > bounds[1]


def _span(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]), max(one[1], other[1])


def _reached(
    best: tuple[float, float], bounds: tuple[float, float], wide: tuple[float, float]
) -> tuple[float, float]:
    """Return the bounds, moved to all ever searched on a side where the best lie outside them."""
    low = wide[0] if best[0] < bounds[0] else bounds[0]
    return low, wide[1] if best[1] > bounds[1] else bounds[1]


def _side(place: float) -> Side | None:
    return "low" if place <= BORDER else "high" if place >= 1 - BORDER else None


def _is_outermost(dimension: Numeric, original: Dimension, side: Side) -> bool:
    if not isinstance(original, Numeric):
        return False
    if side == "low":
        return dimension.low <= original.low
    return dimension.high >= original.high


def _grown(
    dimension: Numeric, side: Side, limit: tuple[float, float], most: Numeric
) -> tuple[float, float]:
    """Return the range with one side moved outwards, within the limits.

    `most` is all that was ever searched: a range that has narrowed grows no less for it.
    """
    low, high = dimension.low, dimension.high
    growth = GROWTH * width(most)
    if dimension.log:
        growth = min(growth, GROWTH_DECADES)
        if isinstance(dimension, IntDimension):
            limit = (max(limit[0], 1), limit[1])
    if side == "low":
        moved = from_scale(dimension, to_scale(dimension, low) - growth)
        return snapped(dimension, min(low, max(moved, limit[0])), high, (limit[0], high))
    moved = from_scale(dimension, to_scale(dimension, high) + growth)
    return snapped(dimension, low, max(high, min(moved, limit[1])), (low, limit[1]))


def _next_range(
    dimension: Numeric,
    values: Sequence[float],
    rule: NarrowConfig,
    unit: float,
    side: Side | None,
    outer: tuple[float, float],
) -> tuple[float, float]:
    """Widen what the values span by the margin, hold the minimum width, stay in `outer`.

    Towards `side` the range reaches to the end of `outer`.
    """
    least, most = (to_scale(dimension, bound) for bound in outer)
    spanned = [to_scale(dimension, value) for value in (min(values), max(values))]
    low = least if side == "low" else max(spanned[0] - rule.margin * unit, least)
    high = most if side == "high" else min(spanned[1] + rule.margin * unit, most)
    if high - low < rule.min_width * unit:
        middle, half = sum(spanned) / 2, rule.min_width * unit / 2
        middle = max(min(middle, most - half), least + half)
        low, high = max(middle - half, least), min(middle + half, most)
    # Exact where nothing moved: a power of ten of a logarithm is off in the last digit.
    ends = (
        outer[0] if low <= least else min(from_scale(dimension, low), min(values)),
        outer[1] if high >= most else max(from_scale(dimension, high), max(values)),
    )
    return snapped(dimension, *ends, outer)
