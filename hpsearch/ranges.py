"""The next range of one dimension, from the values of the best trials."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpsearch.scales import from_scale, snapped, to_scale, to_unit, width
from hpsearch.settings.dimensions import CategoricalDimension, Dimension, IntDimension, Numeric
from hpsearch.settings.stage_sections import NarrowConfig
from hpsearch.verdicts import Side, Verdict

BORDER = 0.05
"""A value within this share of its range's width from an end lies at the border."""

GROWTH = 0.5
"""By which share of its width a range grows beyond a border (`at_border: extend`)."""

GROWTH_DECADES = 2.0
"""The most that a logarithmic range grows in one step, in decades."""

TRIED = 3
"""How many trials must have had a choice before it can count as beaten."""


def remaining(
    dimension: CategoricalDimension, tried: Sequence[Any], best: Sequence[Any]
) -> tuple[Any, ...]:
    """Return the choices that are not clearly beaten.

    A choice is dropped when `TRIED` trials had it and none of the best has; at least one
    stays.
    """
    counts, good = Counter(map(json.dumps, tried)), set(map(json.dumps, best))
    marks = [(choice, json.dumps(choice)) for choice in dimension.choices]
    stay = tuple(choice for choice, mark in marks if mark in good or counts[mark] < TRIED)
    return stay or dimension.choices


def judged(
    verdict: Verdict,
    dimension: Numeric,
    original: Dimension,
    values: Sequence[float],
    rule: NarrowConfig | None,
    limit: tuple[float, float],
) -> Verdict:
    """Return the verdict with the best value's place, the border case and the next range.

    `values` are those of the best trials; without a rule the range stays.
    """
    unit = 1.0 if not isinstance(original, Numeric) or dimension.log else width(original)
    values = [min(max(value, dimension.low), dimension.high) for value in values]
    place = to_unit(dimension, min(max(verdict.best, dimension.low), dimension.high))
    side = _side(place)
    bounds = verdict.before
    grown = _grown(dimension, side, limit) if side else bounds
    if grown[0] >= bounds[0] and grown[1] <= bounds[1]:
        side, grown = None, bounds
    after = _next_range(dimension, values, rule, unit, None, bounds) if rule else bounds
    extended = _next_range(dimension, values, rule, unit, side, grown) if rule else grown
    outermost = side is not None and _is_outermost(dimension, original, side)
    return replace(
        verdict,
        place=place,
        at_border=side,
        outermost=outermost,
        after=extended if rule and rule.at_border == "extend" else after,
        extended=extended if side else None,
        fatal=outermost and rule is not None and rule.at_border == "error",
    )


def _side(place: float) -> Side | None:
    return "low" if place <= BORDER else "high" if place >= 1 - BORDER else None


def _is_outermost(dimension: Numeric, original: Dimension, side: Side) -> bool:
    if not isinstance(original, Numeric):
        return False
    if side == "low":
        return dimension.low <= original.low
    return dimension.high >= original.high


def _grown(dimension: Numeric, side: Side, limit: tuple[float, float]) -> tuple[float, float]:
    """Return the range with one side moved outwards, within the limits."""
    low, high = dimension.low, dimension.high
    growth = GROWTH * width(dimension)
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
