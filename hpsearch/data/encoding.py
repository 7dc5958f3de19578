"""The encoder of a split: what makes numbers and flags of its raw rows."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from hpsearch.config.sections.data import DataConfig
from hpsearch.data.splits import Part
from hpsearch.data.tables.raw_table import Table
from workers.data.categories import Limits
from workers.data.columns import Column
from workers.data.encoder import Encoder, fit_encoder


def columns_of(table: Table) -> tuple[Column, ...]:
    """Return the table's columns, which are numbers where the table says no more."""
    return table.columns or tuple(Column(name) for name in table.feature_names)


def encoder_of(config: DataConfig, table: Table, parts: Mapping[str, Part]) -> Encoder | None:
    """Return an encoder fitted on the training rows; None where all rows are complete numbers."""
    complete = not any(_misses(part) for part in parts.values())
    if table.columns is None and complete:
        return None
    limits = Limits(**config.categories.model_dump())
    return fit_encoder(columns_of(table), parts["train"].x, limits)


def _misses(part: Part) -> bool:
    return part.x.dtype.kind == "f" and bool(np.isnan(part.x).any())


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


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
