"""What the ranges of a search space must keep (`check`) and what looks odd (`warnings`)."""

from typing import Any

from hpsearch.scales import Numeric
from hpsearch.sections import CategoricalDimension, IntDimension
from hpsearch.space import SearchSpace
from workers.errors import InputError


def check(space: SearchSpace) -> None:
    """Raise InputError for the first dimension whose range or choices can't be searched."""
    for name, dimension in space.items():
        where = f"search_space.{name}"
        if isinstance(dimension, CategoricalDimension):
            _check_choices(where, dimension)
        else:
            _check_range(where, dimension)


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
