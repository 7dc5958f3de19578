"""Text as dates and labels."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.tables.numbers import plain_numbers
from hpsearch.data.tables.raw_table import Source, shown
from workers.errors import InputError

FEW: Final = 20
"""With fewer rows, as many values as rows make no identifier."""

_TIMES: Final = ("%Y/%m/%d", "%d.%m.%Y", "%Y-%m-%dT%H:%M:%SZ")


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


def labels_of(column: pa.ChunkedArray, source: Source) -> NDArray[Any]:
    """Return labels as they are: numbers, booleans, or text without blanks around.

    Text of a regression becomes numbers as Python writes them.
    """
    kind = column.type
    if source.task == "regression" and pa.types.is_string(kind):
        column = plain_numbers(pc.utf8_trim_whitespace(column), source)
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
