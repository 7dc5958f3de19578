"""Text as numbers, dates and labels."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.tables.raw_table import Source, shown
from workers.errors import InputError

FEW: Final = 20
"""With fewer rows, as many values as rows make no identifier."""

_TIMES: Final = ("%Y/%m/%d", "%d.%m.%Y", "%Y-%m-%dT%H:%M:%SZ")
_BEGINS: Final = r"^[+-]?(\p{Nd}|\.|[iInN])"
"""How every text begins that Python takes for a number."""


def as_numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column of numbers or booleans as numbers, NaN where there is none."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())


def numbers_of_text(texts: pa.ChunkedArray, name: str, source: Source) -> NDArray[np.float64]:
    """Return text as numbers, NaN where there is none; raises InputError for what is none."""
    try:
        return as_numbers(texts.cast(pa.float64()))
    except pa.ArrowInvalid:
        values = np.empty(len(texts))  # Python knows more ways to write numbers.
    for row, text in enumerate(texts.to_pylist()):
        if text is None:
            values[row] = np.nan
        elif _is_number(text):
            values[row] = float(text)
        else:
            raise InputError(
                "features must be numbers",
                f"{shown(text)} in row {row + source.first_row} (counted from 0),"
                f" column {shown(name)} of {shown(source.path)}",
                "correct it, list it in data.missing, or call the column a category",
            )
    return values


def dates_of_text(texts: pa.ChunkedArray, name: str, source: Source) -> NDArray[np.float64]:
    """Return text as seconds since 1970 began, NaN where there is none.

    Each value may be of another form, so that none depends on others. Raises InputError for what
    is no date.
    """
    times = moments(texts)
    if times is not None:
        return seconds(times)
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts.to_pylist()):
        moment = None if text is None else moments(pa.chunked_array([[text]]))
        if moment is not None:
            values[row] = seconds(moment)[0]
        elif text is not None:
            raise InputError(
                f"column {shown(name)} must hold dates such as 2026-11-27 or 2026-11-27 14:30:00",
                f"{shown(text)} in row {row + source.first_row} (counted from 0) of"
                f" {shown(source.path)}",
                "correct it, or call the column a category",
            )
    return values


def moments(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the moments of texts that are all of one form, else None."""
    if len(texts) > FEW and moments(texts[:FEW]) is None:
        return None
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        pass
    for form in _TIMES:
        times = pc.strptime(texts, format=form, unit="us", error_is_null=True)
        if times.null_count == texts.null_count:
            return times
    return None


def seconds(times: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return moments as seconds since 1970 began, NaN where there is none."""
    found = np.asarray(times.to_numpy()).astype("datetime64[us]")
    return np.where(np.isnat(found), np.nan, found.astype(np.int64) / 1e6)


def count_numbers(distinct: pa.Array, counts: pa.Array) -> int:
    """Return how many texts are numbers; what begins otherwise need not be looked at."""
    likely = pc.match_substring_regex(distinct, _BEGINS)
    both = (part.filter(likely).to_pylist() for part in (distinct, counts))
    return sum(count for text, count in zip(*both, strict=True) if _is_number(text))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def mixture(texts: pa.ChunkedArray, count: int, name: str, source: Source) -> InputError:
    """Return what is to be said of text of which so many values are numbers, and others not."""
    values = texts.to_pylist()
    others = list(dict.fromkeys(t for t in values if t is not None and not _is_number(t)))
    listed = ", ".join(shown(text) for text in others[:3]) + ", ..." * (len(others) > 3)
    return InputError(
        "features must be numbers, or text throughout",
        f"{listed} in row {values.index(others[0])} (counted from 0), column {shown(name)} of"
        f" {shown(source.path)}, among {count} numbers",
        f"list what means missing in data.missing, set data.columns.{name}: category, or set"
        " header: false if the file has no header",
    )


def labels_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return labels as they are: numbers, booleans, or text without blanks around."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return np.asarray(column.to_numpy())
    if pa.types.is_boolean(kind) and not column.null_count:
        return np.asarray(column.to_numpy())
    if not pa.types.is_string(kind):
        return np.array([_text(value) for value in column.to_pylist()], object)
    coded = column.combine_chunks().dictionary_encode("encode")
    texts = np.array([_text(value) for value in coded.dictionary.to_pylist()], object)
    found: NDArray[Any] = texts[np.asarray(coded.indices)]
    return found


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
