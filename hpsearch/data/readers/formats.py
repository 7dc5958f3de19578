"""From a source's name to its raw table: files of several formats and built-in sets."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hpsearch.data.readers.array_reader import array_table, read_idx, read_npz
from hpsearch.data.readers.csv_reader import csv_blocks, read_csv
from hpsearch.data.readers.excel_reader import read_excel
from hpsearch.data.readers.feather_reader import feather_blocks, read_feather
from hpsearch.data.readers.jsonl_reader import jsonl_blocks, read_jsonl
from hpsearch.data.readers.parquet_files import is_several
from hpsearch.data.readers.parquet_reader import parquet_blocks, read_parquet
from hpsearch.data.tables.raw_table import Source, Table, regular_file, shown
from workers.errors import InputError


@dataclass(frozen=True, slots=True)
class Reader:
    """A function of a source, what the suffix of its files looks like, and maybe one for blocks.

    ``blocks`` reads the rows of a source whose columns are ``known`` in order, a part at a time.
    """

    read: Callable[[Source], Table]
    suffix: str
    blocks: Callable[[Source], Iterator[Table]] | None = None


READERS: Mapping[str, Reader] = {
    "csv": Reader(read_csv, r"\.(csv|tsv|data|txt|dat)", csv_blocks),
    "parquet": Reader(read_parquet, r"\.(parquet|pq)", parquet_blocks),
    "jsonl": Reader(read_jsonl, r"\.(jsonl|ndjson)", jsonl_blocks),
    "feather": Reader(read_feather, r"\.(feather|arrow)", feather_blocks),
    "xlsx": Reader(read_excel, r"\.(xlsx|xlsm)"),
    "npz": Reader(read_npz, r"\.npz"),
    "idx": Reader(read_idx, r"([.-]idx\d?([.-]ubyte)?|[.-]ubyte)"),
}
"""Every file format by its name in a config's ``data.format``."""

NAMED = ("csv", "parquet", "jsonl", "feather", "xlsx")
"""Those whose columns have names, by which a second file's are found."""

BUILTINS: Mapping[str, str] = {
    "digits": "classification",
    "wine": "classification",
    "breast_cancer": "classification",
    "iris": "classification",
    "diabetes": "regression",
}
"""Every built-in data set by its name in ``data.source``, with its task; scikit-learn has them."""


def read(source: Source) -> Table:
    """Read a source: a built-in set by its name, or else a file by its format.

    Raises
    ------
    InputError
        If there is no such source, or its rows can't be used: none, features that are
        no finite numbers, labels that do not fit the rows.
    """
    if source.path in BUILTINS:
        table = read_builtin(source)
    else:
        table = READERS[_format_of(source)].read(source)
    _check_shape(table, source)
    _check_finite(table, source)
    return table


def read_blocks(source: Source) -> Iterator[Table]:
    """Yield the rows of a source whose columns are ``known`` in order, a part at a time.

    The values are those of :func:`read`, but memory holds one part only, and no limit is set to
    the file's size. Formats that can't be read so come as a whole.

    Raises
    ------
    InputError
        As :func:`read` does; parts may have been yielded before.
    """
    blocks = None if source.path in BUILTINS else READERS[_format_of(source, limited=False)].blocks
    if blocks is None:
        yield read(source)
        return
    for table in blocks(source):
        _check_shape(table, source)
        _check_finite(table, source)
        yield table
        source = replace(source, first_row=source.first_row + len(table.x))
    if not source.first_row:
        raise _without("rows", source)


def file_format(source: Source) -> str:
    """Return the format given, or else the one that the file's suffix says.

    Several files, of a folder or a pattern, are Parquet files.

    >>> file_format(Source("train-images-idx3-ubyte.gz")), file_format(Source("a.csv.gz"))
    ('idx', 'csv')
    """
    if is_several(source.path) and source.format in (None, "parquet"):
        return "parquet"
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
    task = BUILTINS[source.path]
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
    from sklearn import datasets  # its import takes a second

    bunch = getattr(datasets, f"load_{source.path}")()
    y = bunch.target
    if task == "classification":
        y = np.asarray(bunch.target_names).astype(str).astype(object)[y]
    names = tuple(str(name) for name in bunch.feature_names)
    table = array_table(bunch.data, y, source, "target")
    return replace(table, feature_names=names)


def _format_of(source: Source, *, limited: bool = True) -> str:
    """Return the format of a file that is there."""
    several = is_several(source.path) and file_format(source) == "parquet"
    try:
        if not several:
            regular_file(source.path, limited=limited)
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
    return kind


def _check_shape(table: Table, source: Source) -> None:
    rows, features = table.x.shape
    if not rows or not features:
        raise _without("rows" if not rows else "feature columns", source)


def _without(what: str, source: Source) -> InputError:
    return InputError(
        f"a data source must have {what}", f"none in {shown(source.path)}", "add some"
    )


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
        f"{found} in row {row + source.first_row} (counted from 0),"
        f" column {shown(table.feature_names[column])} of {shown(source.path)}",
        "fill it or drop the row",
    )
