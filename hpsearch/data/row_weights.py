"""What rows weigh in the loss, from a column beside the features."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hpsearch.config.sections.data import DataConfig
from hpsearch.data.splits import Part, source_of
from hpsearch.data.tables.numbers import plain_numbers
from hpsearch.data.tables.raw_table import shown
from workers.errors import InputError


def weights_of(part: Part, config: DataConfig) -> NDArray[np.float32]:
    """Return the weights of a part's rows ``(rows,)``, over their mean: so it is 1.

    Raises
    ------
    InputError
        If one is no finite number of 0 or more, or none is above 0.
    """
    name, source = str(config.weight), source_of(config)
    column = part.beside[name]
    texts = column.to_pylist()
    if pa.types.is_string(column.type):
        column = plain_numbers(pc.utf8_trim_whitespace(column), source)
    weights = np.array([_number(value) for value in column.to_pylist()])
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        first = int(bad.argmax())
        raise InputError(
            f"column {shown(name)} must hold weights: numbers from 0",
            f"{shown(texts[first])} in row {part.rows[first]} (counted from 0) of"
            f" {shown(part.source)}",
            "correct it",
        )
    scaled = weights / (weights.max() or 1.0)
    if not scaled.any():
        raise InputError(
            "a training row must weigh more than 0", f"{shown(name)} is 0 in all", "correct it"
        )
    return np.asarray(scaled / scaled.mean(), np.float32)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
