"""What looks odd in a source: identifiers, constants, twins, leaks, rare classes, imbalance."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.data.encoding import columns_of, in_a_line
from hpsearch.data.inspection.description import Description, describe
from hpsearch.data.readers.formats import BUILTINS, read
from hpsearch.data.tables.numbers import plain_numbers
from hpsearch.data.tables.raw_table import Source, Table, shown
from workers.data.categories import Limits
from workers.data.columns import Column

FEW_ROWS: Final = 10
"""A class with fewer rows can hardly be learned or scored."""

NAMED: Final = 5
"""So many of such classes are named."""

IMBALANCE: Final = 10.0
"""From this ratio of the largest class to the smallest on, accuracy says little."""

LEAK: Final = 0.999
"""A column that alone explains so much of the target may be the target by another name."""

BINS: Final = 100

MOST_CLASSES: Final = 30
"""More different numbers than this are no classes."""


@dataclass(frozen=True)
class Inspection:
    """A source in words: its rows, its task, its columns, and what looks odd."""

    rows: int
    task: str | None
    line: str
    columns: list[Description]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        return asdict(self)


def inspect(source: Source, limits: Limits, *, task: str | None = None) -> Inspection:
    """Read a source and tell what there is; its target is looked at where it is ``labelled``.

    The ``task`` is guessed from the target, where it is not given.

    Raises
    ------
    InputError
        If it can't be read.
    """
    if source.path in BUILTINS:
        source = replace(source, task=BUILTINS[source.path])
    table = read(source)
    if table.y is not None:
        numbers = _plain(table.y, source)
        if task is None:
            task = source.task if source.path in BUILTINS else likely_task(numbers)
        table = replace(table, y=numbers) if task == "regression" else table
    return Inspection(
        rows=len(table.x),
        task=task,
        line=in_a_line(table),
        columns=describe(table, limits),
        warnings=warnings(table, task=task or "regression"),
    )


def _plain(y: NDArray[Any], source: Source) -> NDArray[Any]:
    """Return targets, of which text that is a number in the source is one as Python has it."""
    if y.dtype.kind != "O":
        return y
    texts = plain_numbers(pa.array([str(value) for value in y.tolist()], pa.string()), source)
    return np.array(texts.to_pylist(), object)


def likely_task(y: NDArray[Any]) -> str:
    """Return ``regression`` for many different numbers or fractions, else ``classification``."""
    try:
        numbers = np.asarray(y, float).ravel()
    except ValueError:
        return "classification"
    few = len(np.unique(numbers)) <= MOST_CLASSES
    whole = bool(np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all())
    return "classification" if few and whole else "regression"


def warnings(table: Table, *, task: str) -> list[str]:
    """Return a line for each thing that looks odd."""
    target = None if table.y is None else _target(table, task)
    rows = np.asarray(table.x, float)
    identifiers, twins, leaks = list[str](), list[str](), list[str]()
    seen: dict[bytes, str] = {}
    for column, x in zip(columns_of(table), rows.T, strict=True):
        values, places = np.unique(x, return_inverse=True)
        identifiers += _identifiers(column, x, values)
        mark = _information(values, places)
        if mark in seen:
            twins.append(f"{shown(column.name)} and {shown(seen[mark])} say the same: drop one")
        elif mark:
            seen[mark] = column.name
        if target is not None and _tells(places, target):
            text = f"{shown(column.name)} alone tells {shown(table.target)}"
            leaks.append(f"{text}: if it is not known when predictions are made, drop it")
    classes = _classes(table) if table.y is not None and task == "classification" else ()
    return [*identifiers, *twins, *leaks, *classes]


def _identifiers(
    column: Column, x: NDArray[np.float64], distinct: NDArray[np.float64]
) -> Iterator[str]:
    rows, distinct = len(x), distinct[~np.isnan(distinct)]
    every = len(distinct) == rows > BINS
    if len(distinct) == 1 and not np.isnan(x).any():
        yield f"{shown(column.name)} is the same in all rows: drop it"
    elif column.kind == "number" and every and (np.diff(distinct) == 1).all():
        yield f"{shown(column.name)} numbers the rows: if it is an identifier, drop it"
    elif column.kind == "category" and 2 * len(distinct) > rows > BINS:
        text = f"{len(distinct):,} values in {rows:,} rows"
        yield f"{shown(column.name)} has {text}: hardly any of them can be learned"


def _information(values: NDArray[np.float64], places: NDArray[np.intp]) -> bytes:
    """Return what two columns have in common that tell rows apart in the same way.

    Where values recur these are the same in the same rows; else their order is the same. A digest,
    so that columns need not be kept.
    """
    rows = len(places)
    if len(values) < 2:
        return b""
    if 2 * len(values) > rows:
        return b"ranks" + hashlib.sha256(places.tobytes()).digest()
    first = np.empty(len(values), np.intp)
    first[places[::-1]] = np.arange(rows - 1, -1, -1)
    return b"values" + hashlib.sha256(np.argsort(np.argsort(first))[places].tobytes()).digest()


def _tells(places: NDArray[np.intp], target: NDArray[np.float64]) -> bool:
    """Whether a column alone explains the target: the share of it that groups explain."""
    groups, count = _groups(places)
    return 1 < count <= len(places) / 5 and _explained(groups, target) >= LEAK


def _target(table: Table, task: str) -> NDArray[np.float64] | None:
    """Return targets as columns: one a class, or one a target; None where they are no numbers."""
    if task == "classification":
        _, places = np.unique(np.asarray(table.y).astype(str), return_inverse=True)
        return np.eye(places.max() + 1)[places] if places.max() < BINS else None
    try:
        return np.asarray(table.y, float).reshape(len(table.x), -1)
    except ValueError:
        return None


def _groups(places: NDArray[np.intp]) -> tuple[NDArray[np.intp], int]:
    """Return a group for each row: by value, or by rank where there are many values."""
    if places.max() >= BINS:
        places = places * BINS // (places.max() + 1)
    return places, int(places.max()) + 1


def _explained(groups: NDArray[np.intp], target: NDArray[np.float64]) -> float:
    """Return the share of the target's variance that is between groups."""
    sizes = np.bincount(groups)
    means = np.stack([np.bincount(groups, column) / sizes for column in target.T], axis=1)
    total = ((target - target.mean(axis=0)) ** 2).sum()
    return float(1 - ((target - means[groups]) ** 2).sum() / total) if total else 0.0


def _classes(table: Table) -> Iterator[str]:
    counts = Counter(np.asarray(table.y).astype(str).tolist())
    rare = sorted(name for name, count in counts.items() if count < FEW_ROWS)
    for name in rare[:NAMED]:
        yield f"class {shown(name)} has {counts[name]} of {len(table.x):,} rows"
    if len(rare) > NAMED:
        yield (
            f"{len(rare) - NAMED:,} more of {len(counts):,} classes have fewer than {FEW_ROWS}"
            " rows: should the task be regression, or the target another column?"
        )
    (_, most), (name, least) = counts.most_common()[0], counts.most_common()[-1]
    if most > IMBALANCE * least:
        yield (
            f"the classes are out of balance: {most:,} rows of the largest, {least:,} of"
            f" {shown(name)}; accuracy says little of the small ones: see class_weight: balanced,"
            " and metric: val_balanced_accuracy"
        )
