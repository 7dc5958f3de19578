"""What the ranges of a search space must keep (`check`) and what looks odd (`warnings`)."""

import math
from typing import Any

from hpsearch.space.dimensions import (
    CategoricalDimension,
    Dimension,
    FixedDimension,
    IntDimension,
    Numeric,
)
from hpsearch.space.scales import last_step, on_grid, width
from hpsearch.space.space import SearchSpace, describe, text_of
from workers.errors import InputError

NARROW_DECADES = 0.5
"""A log scale over less than this hardly differs from a linear one."""

WIDE_DECADES = 3.0
"""A linear scale over so much leaves the lower decades empty."""

MANY_NUMBERS = 4
"""So many numbers as choices would be better searched as a range."""


def check(space: SearchSpace) -> None:
    """Raise InputError for the first dimension whose range or choices can't be searched."""
    for name, dimension in space.items():
        where = f"search_space.{name}"
        if isinstance(dimension, CategoricalDimension):
            _check_choices(where, dimension)
        elif not isinstance(dimension, FixedDimension):
            _check_range(where, dimension)
        _check_conditions(where, space, dimension)
    space.check_order()


def _check_conditions(where: str, space: SearchSpace, dimension: Dimension) -> None:
    """Refuse a condition that no trial can meet."""
    for name, values in (dimension.when or {}).items():
        if name not in space:
            remedy = f"use one of {', '.join(space)}, or make it a dimension"
            raise InputError(f"{where}: when must name another dimension", repr(name), remedy)
        if not any(space.takes(name, value) for value in values):
            got = f"when {name} is {', '.join(map(text_of, values))}"
            remedy = f"use a value of {name}: {describe(space[name])}"
            raise InputError(f"{where}: when must name a value that can be", got, remedy)


def _check_choices(where: str, dimension: CategoricalDimension) -> None:
    seen: set[Any] = set()
    for choice in dimension.choices:
        mark = (isinstance(choice, bool), choice)
        if mark in seen:
            raise InputError(
                f"{where}: every choice is given once", f"{choice!r} twice", "remove one of them"
            )
        seen.add(mark)


def _check_range(where: str, dimension: Numeric) -> None:
    low, high, step = dimension.low, dimension.high, dimension.step
    got = f"low={low:g}, high={high:g}"
    if dimension.log and low <= 0:
        raise InputError(
            f"{where}: low must be above 0 on a log scale", got, _log_remedy(dimension)
        )
    if low >= high:
        remedy = "swap them" if low > high else "widen the range or set the value under network"
        raise InputError(f"{where}: low must be below high", got, remedy)
    plain = 1 if isinstance(dimension, IntDimension) else None
    if dimension.log and step != plain:
        raise InputError(
            f"{where}: a log scale has no step", f"step={step:g}, log=true", "remove step or log"
        )
    if step is not None and step > high - low:
        raise InputError(
            f"{where}: step must not be above high - low", f"step={step:g}, {got}", "lower step"
        )


def _log_remedy(dimension: Numeric) -> str:
    """Bounds are values: whole numbers that make a plausible pair of exponents are asked about."""
    low, high = dimension.low, dimension.high
    if low < 0 and low < high and all(v == int(v) and -30 <= v <= 30 for v in (low, high)):
        return f"bounds are values, not exponents: did you mean {10.0**low:g} and {10.0**high:g}?"
    return "give a low above 0, or log: false for a range that includes 0"


def exponents_remedy(dimension: Dimension) -> str | None:
    """Return what a linear range that looks like exponents may have meant, else None."""
    if not isinstance(dimension, Numeric) or dimension.log:
        return None
    low, high = dimension.low, dimension.high
    if not (-12 <= low <= -2 and low < high <= 3 and low == int(low) and high == int(high)):
        return None
    return (
        f"bounds are values, not exponents: did you mean low: {10.0**low:g}, "
        f"high: {10.0**high:g}, log: true?"
    )


def warnings(space: SearchSpace) -> list[str]:
    """Return one line for each dimension whose range can be searched but looks unintended."""
    found = ((name, _oddity(dimension)) for name, dimension in space.items())
    return [f"search_space.{name}: {text}" for name, text in found if text]


def _oddity(dimension: Dimension) -> str | None:
    if isinstance(dimension, FixedDimension):
        return None
    if isinstance(dimension, CategoricalDimension):
        return _choices_oddity(dimension)
    low, high, text = dimension.low, dimension.high, describe(dimension)
    if dimension.log:
        if width(dimension) < NARROW_DECADES:
            return f"{text} is {width(dimension):.2g} decades; widen it or leave out log: true"
    elif remedy := exponents_remedy(dimension):
        return f"{text} looks like exponents; {remedy}"
    elif low > 0 and math.log10(high / low) >= WIDE_DECADES:
        return (
            f"{text} spans {math.log10(high / low):.2g} decades on a linear scale, so 9 in 10 "
            f"samples are above {text_of(0.9 * low + 0.1 * high)}; did you mean log: true?"
        )
    elif dimension.step and (last := on_grid(dimension, last_step(dimension))) < high:
        return f"{text} with step {dimension.step:g} ends at {last:g}; did you mean high: {last:g}?"
    return None


def _choices_oddity(dimension: CategoricalDimension) -> str | None:
    choices = dimension.choices
    numbers = [c for c in choices if isinstance(c, int | float) and not isinstance(c, bool)]
    if len(numbers) < max(len(choices), MANY_NUMBERS):
        return None
    kind = "int" if all(isinstance(number, int) for number in numbers) else "float"
    return (
        f"{describe(dimension)} are choices without an order; did you mean "
        f"{{type: {kind}, low: {text_of(min(numbers))}, high: {text_of(max(numbers))}}}?"
    )
