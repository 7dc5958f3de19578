"""Numbers in text, written as a source writes them."""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.tables.raw_table import Source, shown
from workers.errors import InputError

_BEGINS: Final = r"^[+-]?(\p{Nd}|\.|[iInN])"
"""How every text begins that Python takes for a number."""


def plain_numbers(texts: Any, source: Source) -> Any:
    """Return text, an Arrow array, in which the source's numbers are written as Python does.

    Digits may stand in groups of three, as in ``1,234,567.5``. What is no number in the dialect is
    none afterwards.
    """
    decimal, between = source.decimal, source.thousands
    if decimal == "." and between is None:
        return texts
    groups = "" if between is None else rf"\d{{1,3}}(?:{re.escape(between)}\d{{3}})+|"
    number = rf"^[+-]?(?:{groups}\d*)(?:{re.escape(decimal)}\d*)?(?:[eE][+-]?\d+)?$"
    right = pc.match_substring_regex(texts, number)
    found = texts if between is None else pc.replace_substring(texts, between, "")
    found = found if decimal == "." else pc.replace_substring(found, decimal, ".")
    points = pc.match_substring(texts, ".")
    other = pc.if_else(points, pc.binary_join_element_wise("no number: ", texts, ""), texts)
    return pc.if_else(right, found, other)


def as_numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column of numbers or booleans as numbers, NaN where there is none."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())


def numbers_of_text(texts: pa.ChunkedArray, name: str, source: Source) -> NDArray[np.float64]:
    """Return text as numbers, NaN where there is none; raises InputError for what is none."""
    plain = plain_numbers(texts, source)
    try:
        return as_numbers(plain.cast(pa.float64()))
    except pa.ArrowInvalid:
        values = np.empty(len(texts))  # Python knows more ways to write numbers.
    for row, (text, number) in enumerate(zip(texts.to_pylist(), plain.to_pylist(), strict=True)):
        if text is None:
            values[row] = np.nan
        elif _is_number(number):
            values[row] = float(number)
        else:
            raise InputError(
                "features must be numbers",
                f"{shown(text)} in row {row + source.first_row} (counted from 0),"
                f" column {shown(name)} of {shown(source.path)}",
                "correct it, list it in data.missing, or call the column a category",
            )
    return values


def count_numbers(distinct: pa.Array, counts: pa.Array) -> int:
    """Return how many texts are numbers; what begins otherwise need not be looked at."""
    likely = pc.match_substring_regex(distinct, _BEGINS)
    both = (part.filter(likely).to_pylist() for part in (distinct, counts))
    return sum(count for text, count in zip(*both, strict=True) if _is_number(text))


def mixture(texts: pa.ChunkedArray, count: int, name: str, source: Source) -> InputError:
    """Return what is to be said of text of which so many values are numbers, and others not."""
    values, plain = texts.to_pylist(), plain_numbers(texts, source).to_pylist()
    pairs = zip(values, plain, strict=True)
    others = list(dict.fromkeys(t for t, p in pairs if t is not None and not _is_number(p)))
    listed = ", ".join(shown(text) for text in others[:3]) + ", ..." * (len(others) > 3)
    return InputError(
        "features must be numbers, or text throughout",
        f"{listed} in row {values.index(others[0])} (counted from 0), column {shown(name)} of"
        f" {shown(source.path)}, among {count} numbers",
        f"list what means missing in data.missing, set data.columns.{name}: category, or set"
        f" header: false if the file has no header{_commas(others, source)}",
    )


def check_commas(distinct: pa.Array, name: str, source: Source) -> None:
    """Raise InputError if all texts would be numbers without their commas."""
    if len(distinct) and _commas(distinct.to_pylist(), source):
        raise InputError(
            "a comma in numbers must be told from text",
            f"{shown(distinct[0].as_py())} in column {shown(name)} of {shown(source.path)}",
            f'set data.decimal: "," or data.thousands: ",", or data.columns.{name}: category',
        )


def _commas(texts: Sequence[str], source: Source) -> str:
    """Return what more can be done about texts that would be numbers without their commas."""
    swapped = _without_commas(pa.array(texts, pa.string()), source)
    wrong = swapped is None or not all(map(_is_number, swapped.to_pylist()))
    return "" if wrong else '; set data.decimal: "," or data.thousands: "," if that is meant'


def _without_commas(texts: pa.Array, source: Source) -> pa.Array | None:
    """Return text with points in the place of commas, where the source has no commas in numbers."""
    if source.decimal == "," or source.thousands == ",":
        return None
    return pc.replace_substring(texts, ",", ".", max_replacements=1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
