"""The columns of the tables of results: what they hold, in their narrowest types."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Literal

import pandas as pd

from hpsearch.storage.sqlite.rows import EpochRow, LayerRow, TrialRow
from workers.nn.layer_statistics import STATISTICS


def _seconds(trial: TrialRow, epochs: Sequence[EpochRow]) -> float:
    del trial
    total = 0.0  # Newer Pythons' sum would round otherwise.
    for row in epochs:
        total += row.seconds
    return total


LAST_COLUMNS: Mapping[str, tuple[str, Callable[[TrialRow, Sequence[EpochRow]], object]]] = {
    "reason": ("string", lambda trial, _: trial.reason),
    "failures": ("int64", lambda trial, _: trial.failures),
    "seconds": ("float64", _seconds),
}
"""The columns of trials after the hyperparameters: a type, and a value from a trial's rows."""


def kind_of(epochs: Iterable[float]) -> Literal["int64", "float64"]:
    """Return the type of a column of epochs: a float where one of them is a part of the first."""
    return "float64" if any(epoch != int(epoch) for epoch in epochs) else "int64"


def layer_frame(rows: Sequence[LayerRow], kind: str) -> pd.DataFrame:
    """Return layers as a table: what they are by, the epoch in its kind, and statistics."""
    values = [(row.trial, row.epoch, row.layer, *astuple(row.statistics)) for row in rows]
    keys = {"trial": "int64", "epoch": kind, "layer": "int64"}
    kinds = keys | dict.fromkeys(STATISTICS, "float64")
    return pd.DataFrame(values, columns=list(kinds)).astype(kinds)


def floats(rows: Sequence[Mapping[str, float]], name: str) -> "pd.Series[float]":
    """Return the column of a name, missing where a row lacks it."""
    return pd.Series([row.get(name) for row in rows], dtype="float64")


def typed(values: Sequence[Any]) -> "pd.Series[Any]":
    """Return a hyperparameter's column in the narrowest type that holds all its values."""
    kinds = {
        object if isinstance(value, int) and not -(2**63) <= value < 2**63 else type(value)
        for value in (value for value in values if value is not None)
    }
    if kinds <= {bool}:
        return pd.Series(values, dtype="boolean")
    if kinds == {int}:
        return pd.Series(values, dtype="Int64")
    if kinds <= {int, float}:
        return pd.Series(values, dtype="float64")
    if kinds == {str}:
        return pd.Series(values, dtype="string")
    return pd.Series([tuple(v) if isinstance(v, list) else v for v in values], dtype="object")
