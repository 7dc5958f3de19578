"""What a source's columns are, and what becomes of them: for a line, a table, and warnings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.encoding import columns_of
from hpsearch.data.tables.raw_table import Table
from workers.data.columns import Column
from workers.data.encoder import Encoder, Limits, fit_encoder

FREQUENT: Final = 3
"""So many of a category's values are named."""


@dataclass(frozen=True, slots=True)
class Description:
    """A column: its kind, missing and distinct values, its range or frequent values, its inputs."""

    column: str
    kind: str
    missing: int
    distinct: int
    values: str
    inputs: str

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        return asdict(self)


def describe(table: Table, limits: Limits) -> list[Description]:
    """Return what each feature column is, those that are left out last."""
    columns, rows = columns_of(table), np.asarray(table.x, float)
    encoder = fit_encoder(columns, rows, limits)
    found = [
        _described(column, _width(column, part), values)
        for column, part, values in zip(columns, encoder.parts, rows.T, strict=True)
    ]
    names = (text.partition(": ") for text in table.left_out)
    return found + [Description(name, why, 0, 0, "", "left out") for name, _, why in names]


def in_a_line(table: Table) -> str:
    """Return what the features are in a line.

    Such as ``20 columns: 15 numbers, 5 categories (31 values); 455 missing values filled``.
    """
    columns = columns_of(table)
    kinds: Counter[str] = Counter(column.kind for column in columns)
    values = sum(len(column.values) for column in columns)
    parts = [
        f"{_count(kinds[kind], one, many)}{f' ({values} values)' * (kind == 'category')}"
        for kind, one, many in (
            ("number", "number", "numbers"),
            ("category", "category", "categories"),
            ("date", "date", "dates"),
        )
        if kinds[kind]
    ]
    text = f"{_count(len(columns), 'column', 'columns')}: {', '.join(parts)}"
    missing = int(np.isnan(table.x).sum()) if table.x.dtype.kind == "f" else 0
    return (
        f"{text}; {_count(missing, 'missing value', 'missing values')} filled" if missing else text
    )


def _width(column: Column, part: NDArray[np.float64]) -> int:
    """Return how many inputs a column becomes."""
    return Encoder((column,), (part,)).width + (column.kind != "category")


def _described(column: Column, inputs: int, x: NDArray[np.float64]) -> Description:
    known = x[~np.isnan(x)]
    distinct, missing = len(np.unique(known)), int(np.isnan(x).sum())
    kind = "constant" if distinct <= 1 and not missing else column.kind
    text = _texts(column, known)
    return Description(column.name, kind, missing, distinct, text, _inputs(column, inputs))


def _inputs(column: Column, inputs: int) -> str:
    words = {"number": "number", "date": "position and cycles", "category": "one-hot"}
    return f"{inputs} ({words[column.kind]})"


def _texts(column: Column, known: NDArray[np.float64]) -> str:
    if not len(known):
        return ""
    if column.kind == "category":
        often = Counter(known.astype(int).tolist()).most_common(FREQUENT)
        more = ", ..." * (len(set(known.tolist())) > FREQUENT)
        return ", ".join(f"{column.values[place]} ({count})" for place, count in often) + more
    ends: Sequence[Any] = (known.min(), known.max())
    if column.kind == "date":
        return " to ".join(str(np.datetime64(int(end), "s")).replace("T", " ") for end in ends)
    return " to ".join(f"{end:.6g}" for end in ends)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
