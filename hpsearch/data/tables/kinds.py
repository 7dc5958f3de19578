"""What kind a column is of, and its values as raw rows have them: see `workers.data.columns`."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.data.tables.numbers import (
    as_numbers,
    check_commas,
    count_numbers,
    mixture,
    numbers_of_text,
    plain_numbers,
)
from hpsearch.data.tables.raw_table import Source, shown
from hpsearch.data.tables.texts import FEW, dates_of_text, moments, seconds
from workers.data.columns import Column
from workers.errors import InputError

_REAL = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)


@dataclass(frozen=True, eq=False)
class Values:
    """A column as raw rows have it, or why it is left out."""

    column: Column
    values: NDArray[np.float64]
    left_out: str | None = None


def is_number(kind: pa.DataType, name: str, source: Source) -> bool:
    """Whether values of this type are taken as numbers."""
    said = next((one.kind for one in source.known or () if one.name == name), None)
    real = any(test(kind) for test in _REAL) or pa.types.is_null(kind)
    return real and (said or source.kinds.get(name, "number")) == "number"


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
        texts = _texts(column, source)
        values = known.values if known else sorted(texts.drop_null().unique().to_pylist())
        return _category(texts, Column(name, "category", tuple(values)))
    if any(test(kind) for test in _REAL) or pa.types.is_null(kind):
        return _number(column, name, source)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return Values(Column(name, "date"), seconds(column.cast(pa.timestamp("us"))))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(
            "features must be numbers, text or dates",
            f"column {shown(name)} of type {kind} in {shown(source.path)}",
            "drop it",
        )
    texts = _texts(column, source)
    if wanted == "number":
        return Values(Column(name), numbers_of_text(texts, name, source))
    if wanted == "date":
        return Values(Column(name, "date"), dates_of_text(texts, name, source))
    return _inferred(texts, name, source, typed=typed)


def _inferred(texts: pa.ChunkedArray, name: str, source: Source, *, typed: bool) -> Values:
    known = texts.drop_null()
    distinct, counts = (known.value_counts().field(part) for part in ("values", "counts"))
    numeric = 0 if typed else count_numbers(plain_numbers(distinct, source), counts)
    if len(known) and numeric == len(known):
        return Values(Column(name), numbers_of_text(texts, name, source))
    if len(known) and moments(distinct) is not None:
        return Values(Column(name, "date"), dates_of_text(texts, name, source))
    if numeric and 2 * numeric >= len(known):
        raise mixture(texts, numeric, name, source)
    if not typed:
        check_commas(distinct, name, source)
    found = _category(texts, Column(name, "category", tuple(sorted(distinct.to_pylist()))))
    if len(distinct) == len(texts) > FEW:
        return Values(found.column, found.values, "as many values as rows, an identifier")
    if len(distinct) == 1 and not texts.null_count:
        return Values(found.column, found.values, "the same in all rows")
    return found


def _number(column: pa.ChunkedArray, name: str, source: Source) -> Values:
    if source.kinds.get(name) == "date":
        raise InputError(f"column {shown(name)} must hold dates", "numbers", "correct data.columns")
    values = as_numbers(column)
    empty = bool(len(values)) and bool(np.isnan(values).all())
    return Values(Column(name), values, "without a value" if empty else None)


def _category(texts: pa.ChunkedArray, column: Column) -> Values:
    places = pc.index_in(texts, value_set=pa.array(column.values, pa.string()))
    values = np.asarray(places.fill_null(-1).to_numpy(), np.float64)
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
