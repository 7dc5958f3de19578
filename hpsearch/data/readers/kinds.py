"""What kind a column is of, and its values as raw rows have them: see `workers.data.columns`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.readers.raw_table import Source, shown
from workers.data.columns import Column
from workers.errors import InputError

FEW: Final = 20
"""With fewer rows, as many values as rows make no identifier."""

_TIMES: Final = ("%Y/%m/%d", "%d.%m.%Y", "%Y-%m-%dT%H:%M:%SZ")
_REAL = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)


@dataclass(frozen=True, eq=False)
class Values:
    """A column as raw rows have it, or why it is left out."""

    column: Column
    values: NDArray[np.float64]
    left_out: str | None = None


def values_of(column: pa.ChunkedArray, name: str, source: Source, *, typed: bool) -> Values:
    """Return a column's values under the kind that is known, that the config says, or that fits.

    ``typed`` says that the file tells types: then text is text, whatever it looks like.

    Raises
    ------
    InputError
        If the values are of no such kind, or of several.
    """
    known = next((one for one in source.known or () if one.name == name), None)
    wanted = known.kind if known is not None else source.kinds.get(name)
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
        wanted = wanted or "category"
    if wanted == "category":
        return _category(_texts(column, source), name, known)
    if any(test(kind) for test in _REAL) or pa.types.is_null(kind):
        return _number(column, name, source)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return Values(Column(name, "date"), _seconds(column.cast(pa.timestamp("us"))))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(
            "features must be numbers, text or dates",
            f"column {shown(name)} of type {kind} in {shown(source.path)}",
            "drop it",
        )
    texts = _texts(column, source)
    if wanted == "number":
        return _numbers_of_text(texts, name, source)
    if wanted == "date":
        return _date(texts, name, source)
    return _inferred(texts, name, source, typed=typed)


def _inferred(texts: pa.ChunkedArray, name: str, source: Source, *, typed: bool) -> Values:
    known = texts.drop_null()
    numbers = 0 if typed else sum(_is_number(text) for text in known.to_pylist())
    if len(known) and numbers == len(known):
        return _numbers_of_text(texts, name, source)
    if len(known) and _times(known) is not None:
        return _date(texts, name, source)
    if numbers and 2 * numbers >= len(known):
        raise _mixture(known.to_pylist(), numbers, name, source)
    distinct = len(known.unique())
    found = _category(texts, name, None)
    if distinct == len(texts) > FEW:
        return Values(found.column, found.values, "as many values as rows, an identifier")
    if distinct == 1 and not texts.null_count:
        return Values(found.column, found.values, "the same in all rows")
    return found


def _number(column: pa.ChunkedArray, name: str, source: Source) -> Values:
    if source.kinds.get(name) == "date":
        raise InputError(f"column {shown(name)} must hold dates", "numbers", "correct data.columns")
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy())
    empty = bool(len(values)) and bool(np.isnan(values).all())
    return Values(Column(name), values, "without a value" if empty else None)


def _category(texts: pa.ChunkedArray, name: str, known: Column | None) -> Values:
    column = known or Column(
        name, "category", tuple(sorted(texts.drop_null().unique().to_pylist()))
    )
    places = pc.index_in(texts, value_set=pa.array(column.values, pa.string()))
    values = np.asarray(places.cast(pa.float64()).fill_null(-1.0).to_numpy(), np.float64).copy()
    values[np.asarray(texts.is_null())] = np.nan
    return Values(column, values)


def _texts(column: pa.ChunkedArray, source: Source) -> pa.ChunkedArray:
    """Return values as text without blanks around, null where they are missing."""
    kind = column.type
    if pa.types.is_boolean(kind) or not (
        pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        return pa.chunked_array(
            [[None if v is None else str(v) for v in column.to_pylist()]], pa.string()
        )
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    missing = pc.is_in(trimmed, value_set=pa.array(source.missing, pa.string()))
    return pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)


def _numbers_of_text(texts: pa.ChunkedArray, name: str, source: Source) -> Values:
    values = np.empty(len(texts))
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
    return Values(Column(name), values)


def _date(texts: pa.ChunkedArray, name: str, source: Source) -> Values:
    """Return moments; each value may be of another form, so that they don't depend on others."""
    times = _times(texts)
    if times is not None:
        return Values(Column(name, "date"), _seconds(times))
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts.to_pylist()):
        moment = None if text is None else _times(pa.chunked_array([[text]]))
        if moment is not None:
            values[row] = _seconds(moment)[0]
        elif text is not None:
            raise InputError(
                f"column {shown(name)} must hold dates such as 2026-11-27 or 2026-11-27 14:30:00",
                f"{shown(text)} in row {row + source.first_row} (counted from 0) of"
                f" {shown(source.path)}",
                "correct it, or call the column a category",
            )
    return Values(Column(name, "date"), values)


def _times(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the moments of texts that are all of one form, else None."""
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        pass
    for form in _TIMES:
        times = pc.strptime(texts, format=form, unit="us", error_is_null=True)
        if times.null_count == texts.null_count:
            return times
    return None


def _seconds(times: pa.ChunkedArray) -> NDArray[np.float64]:
    moments = np.asarray(times.to_numpy()).astype("datetime64[us]")
    seconds = moments.astype(np.int64) / 1e6
    return np.where(np.isnat(moments), np.nan, seconds)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _mixture(known: Sequence[str], numbers: int, name: str, source: Source) -> InputError:
    others = list(dict.fromkeys(text for text in known if not _is_number(text)))
    row = known.index(others[0])
    listed = ", ".join(shown(text) for text in others[:3]) + ", ..." * (len(others) > 3)
    return InputError(
        "features must be numbers, or text throughout",
        f"{listed} in row {row} (counted from 0), column {shown(name)} of {shown(source.path)},"
        f" among {numbers} numbers",
        f"list what means missing in data.missing, set data.columns.{name}: category, or set"
        " header: false if the file has no header",
    )
