"""The encoder of a split: what makes numbers and flags of its raw rows."""

from collections.abc import Mapping

import numpy as np

from hpsearch.config.sections.data import DataConfig
from hpsearch.data.splits import Part
from hpsearch.data.tables.raw_table import Table
from workers.data.columns import Column
from workers.data.encoder import Encoder, Limits, fit_encoder


def columns_of(table: Table) -> tuple[Column, ...]:
    """Return the table's columns, which are numbers where the table says no more."""
    return table.columns or tuple(Column(name) for name in table.feature_names)


def encoder_of(config: DataConfig, table: Table, parts: Mapping[str, Part]) -> Encoder | None:
    """Return an encoder fitted on the training rows; None where all rows are complete numbers."""
    complete = not any(_misses(part) for part in parts.values())
    if table.columns is None and complete:
        return None
    limits = Limits(config.categories.min_frequency, config.categories.max_categories)
    return fit_encoder(columns_of(table), parts["train"].x, limits)


def _misses(part: Part) -> bool:
    return part.x.dtype.kind == "f" and bool(np.isnan(part.x).any())
