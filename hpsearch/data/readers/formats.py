"""From a source's name to its raw table: files of several formats and built-in sets."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sklearn.datasets
from sklearn.utils import Bunch

from hpsearch.data.readers.array_reader import array_table, read_idx, read_npz
from hpsearch.data.readers.csv_reader import read_csv
from hpsearch.data.readers.feather_reader import read_feather
from hpsearch.data.readers.jsonl_reader import read_jsonl
from hpsearch.data.readers.parquet_reader import read_parquet
from hpsearch.data.readers.raw_table import Source, Table, regular_file, shown
from workers.errors import InputError


@dataclass(frozen=True, slots=True)
class Reader:
    """A function of a source, and what the suffix of its files looks like."""

    read: Callable[[Source], Table]
    suffix: str


READERS: Mapping[str, Reader] = {
    "csv": Reader(read_csv, r"\.(csv|tsv|data|txt|dat)"),
    "parquet": Reader(read_parquet, r"\.(parquet|pq)"),
    "jsonl": Reader(read_jsonl, r"\.(jsonl|ndjson)"),
    "feather": Reader(read_feather, r"\.(feather|arrow)"),
    "npz": Reader(read_npz, r"\.npz"),
    "idx": Reader(read_idx, r"([.-]idx\d?([.-]ubyte)?|[.-]ubyte)"),
}
"""Every file format by its name in a config's ``data.format``."""

NAMED = ("csv", "parquet", "jsonl", "feather")
"""Those whose columns have names, by which a second file's are found."""

BUILTINS: dict[str, tuple[Callable[[], Bunch], str]] = {
    "digits": (sklearn.datasets.load_digits, "classification"),
    "wine": (sklearn.datasets.load_wine, "classification"),
    "breast_cancer": (sklearn.datasets.load_breast_cancer, "classification"),
    "iris": (sklearn.datasets.load_iris, "classification"),
    "diabetes": (sklearn.datasets.load_diabetes, "regression"),
}
"""Every built-in data set by its name in ``data.source``, with its task."""


def read(source: Source) -> Table:
    """Read a source: a built-in set by its name, or else a file by its format.

    Raises
    ------
    InputError
        If there is no such source, or its rows can't be used: none, features that are
        no finite numbers, labels that do not fit the rows.
    """
    table = read_builtin(source) if source.path in BUILTINS else _read_file(source)
    rows, features = table.x.shape
    if not rows or not features:
        what = "rows" if not rows else "feature columns"
        raise InputError(
            f"a data source must have {what}", f"none in {shown(source.path)}", "add some"
        )
    _check_finite(table, source)
    return table


def file_format(source: Source) -> str:
    """Return the format given, or else the one that the file's suffix says.

    >>> file_format(Source("train-images-idx3-ubyte.gz")), file_format(Source("a.csv.gz"))
    ('idx', 'csv')
    """
    name = source.path.lower().removesuffix(".gz")
    for known, reader in READERS.items():
        if source.format == known or (not source.format and re.search(f"{reader.suffix}$", name)):
            return known
    if source.labels is not None:
        return "idx"
    raise InputError(
        "format must be given for a file whose suffix does not tell it",
        shown(source.path),
        f"add format: one of {', '.join(READERS)}",
    )


def read_builtin(source: Source) -> Table:
    """Read a data set that comes with scikit-learn; class labels are its target names."""
    load, task = BUILTINS[source.path]
    if source.task != task and source.labelled:
        raise InputError(
            f"task must be {task} for the built-in set {source.path}", source.task, "correct task"
        )
    if source.target not in (None, "target") or source.labels is not None:
        raise InputError(
            "a built-in set has its own target",
            shown(source.labels or source.target),
            "leave target and labels out",
        )
    bunch = load()
    y = bunch.target
    if task == "classification":
        y = np.asarray(bunch.target_names).astype(str).astype(object)[y]
    names = tuple(str(name) for name in bunch.feature_names)
    table = array_table(bunch.data, y, source, "target")
    return replace(table, feature_names=names)


def _read_file(source: Source) -> Table:
    try:
        regular_file(source.path)
    except InputError as error:
        remedy = f"{error.remedy}, or take one of {', '.join(BUILTINS)}"
        raise InputError(error.rule, error.value, remedy) from None
    kind = file_format(source)
    if source.labels is not None and kind != "idx":
        raise InputError(
            "labels in a second file belong to the IDX format",
            f"labels: {shown(source.labels)} with {kind}",
            "name the column or array with target instead",
        )
    return READERS[kind].read(source)


def _check_finite(table: Table, source: Source) -> None:
    if table.x.dtype.kind != "f":
        return
    bad = ~np.isfinite(table.x) if source.complete else np.isinf(table.x)
    if not bad.any():
        return
    row, column = np.argwhere(bad)[0]
    value = table.x[row, column]
    found = "a missing value or NaN" if np.isnan(value) else str(value)
    raise InputError(
        "features must be finite numbers",
        f"{found} in row {row} (counted from 0), column {shown(table.feature_names[column])}"
        f" of {shown(source.path)}",
        "fill it or drop the row",
    )
