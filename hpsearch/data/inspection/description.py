"""What a source's columns are, and what becomes of them: for a line, a table, and warnings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.encoding import columns_of
from hpsearch.data.tables.raw_table import Table
from workers.data.categories import Limits
from workers.data.columns import Column
from workers.data.encoder import Encoder, fit_encoder

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
        _described(column, _inputs(column, part, coded=place in encoder.coded), rows[:, place])
        for place, (column, part) in enumerate(zip(columns, encoder.parts, strict=True))
    ]
    names = (text.partition(": ") for text in table.left_out)
    return found + [Description(name, why, 0, 0, "", "left out") for name, _, why in names]


def _described(column: Column, inputs: str, x: NDArray[np.float64]) -> Description:
    known = x[~np.isnan(x)]
    distinct, missing = len(np.unique(known)), int(np.isnan(x).sum())
    kind = "constant" if distinct <= 1 and not missing else column.kind
    text = _texts(column, known)
    return Description(column.name, kind, missing, distinct, text, inputs)


def _inputs(column: Column, part: NDArray[np.float64], *, coded: bool) -> str:
    """Return what a network gets of a column."""
    inputs = Encoder((column,), (part,)).width + (column.kind != "category")
    if coded:
        return f"a vector for each of {inputs:,}"
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
