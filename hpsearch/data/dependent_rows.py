"""Rows that depend on one another: groups that stay together, and time that only runs forward."""

from collections import Counter
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.data.folds import Pool, Rows
from hpsearch.data.tables.kinds import values_of
from hpsearch.data.tables.raw_table import Source, shown
from workers.errors import InputError

DRAWS: Final = 100
"""Of so many draws of groups the one whose rows come nearest to the share is taken."""


def groups_of(column: pa.ChunkedArray, name: str, source: Source) -> list[str]:
    """Return each row's group; raises InputError for rows without one."""
    texts = [None if value is None else str(value).strip() for value in column.to_pylist()]
    for row, text in enumerate(texts):
        if not text:
            raise InputError(
                "every row must have a group",
                f"none in row {row} (counted from 0), column {shown(name)} of {shown(source.path)}",
                "fill it or drop the row",
            )
    return [str(text) for text in texts]


def times_of(column: pa.ChunkedArray, name: str, source: Source) -> tuple[NDArray[np.float64], str]:
    """Return each row's time, of dates in seconds since 1970 began, and ``date`` or ``number``.

    Raises
    ------
    InputError
        If it is neither, or missing.
    """
    found = values_of(column, name, source, typed=False)
    if found.column.kind == "category":
        raise InputError(
            f"data.time must name a column of dates or numbers in {shown(source.path)}",
            f"{shown(name)}, a category",
            "name another, or save dates such as 2026-11-27",
        )
    bad = ~np.isfinite(found.values)
    if bad.any():
        raise InputError(
            "every row must have a time",
            f"none in row {int(bad.argmax())} (counted from 0), column {shown(name)} of"
            f" {shown(source.path)}",
            "fill it or drop the row",
        )
    return found.values, found.column.kind


def draw_groups(name: str, share: float, pool: Pool, *, seed: int) -> Rows:
    """Draw whole groups for ``name``, that have about a share of the rows, and of each class.

    Of `DRAWS` draws of a share of the groups, the one whose counts of rows, class by class, have
    the least sum of squared distances from the share.

    Raises
    ------
    InputError
        If there are fewer than two groups.
    """
    groups, place = np.unique(np.asarray(pool.groups), return_inverse=True)
    if len(groups) < 2:
        raise InputError(
            f"data.groups must have at least two groups before {name} is drawn",
            f"{len(groups)} in {len(pool.rows)} rows of {shown(pool.source)}",
            "name another column, or give row ranges",
        )
    strata = np.zeros(len(place)) if pool.strata is None else np.asarray(pool.strata)
    classes, label = np.unique(strata, return_inverse=True)
    counts = np.zeros((len(groups), len(classes)))
    np.add.at(counts, (place, label), 1)
    held = min(max(1, round(share * len(groups))), len(groups) - 1)
    from sklearn.model_selection import ShuffleSplit  # its import takes a second

    draws = ShuffleSplit(DRAWS, test_size=held, random_state=seed).split(groups)
    wanted = share * counts.sum(axis=0)
    best = min((chosen for _, chosen in draws), key=lambda c: _distance(counts[c], wanted))
    return pool.rows[np.isin(place, best)]


def _distance(counts: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    return float((((counts.sum(axis=0) - wanted) / wanted) ** 2).sum())


def draw_group_folds(count: int, pool: Pool, *, seed: int) -> list[Rows]:
    """Part whole groups into folds of about equally many rows, and of each class.

    Raises
    ------
    InputError
        If there are fewer groups than folds.
    """
    groups = np.asarray(pool.groups)
    found = len(np.unique(groups))
    strata = np.zeros(len(groups)) if pool.strata is None else np.asarray(pool.strata)
    if found < count or len(pool.rows) < count:
        raise InputError(
            f"data.groups must have at least {count} groups for {count} folds",
            f"{found} in {len(pool.rows)} rows of {shown(pool.source)}",
            "lower folds",
        )
    _check_classes(count, strata)
    from sklearn.model_selection import StratifiedGroupKFold  # its import takes a second

    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    drawn = [pool.rows[held] for _, held in folds.split(groups, strata, groups)]
    if not all(len(rows) for rows in drawn):
        raise InputError(
            "every fold must have rows", f"none in one of {count} folds by groups", "lower folds"
        )
    return drawn


def _check_classes(count: int, strata: NDArray[np.generic]) -> None:
    label, fewest = min(Counter(strata.tolist()).items(), key=lambda item: item[1])
    if fewest < count:
        raise InputError(
            f"every class must have at least {count} rows for {count} folds",
            f"class {shown(label)} with {fewest}",
            f"set folds to {fewest} or lower" if fewest > 1 else "add rows or drop the class",
        )


def draw_latest(name: str, share: float, pool: Pool) -> Rows:
    """Return the latest rows: a share, rounded up, and all of the same moment as its first one.

    If that were all rows, those of the first moment are left.

    Raises
    ------
    InputError
        If all rows are of one moment.
    """
    times = np.asarray(pool.times)
    ordered = np.sort(times)
    held = max(1, int(np.ceil(share * len(ordered))))
    late = times >= ordered[-min(held, len(ordered))] if len(ordered) else times > 0
    late = times > ordered[0] if late.all() and len(ordered) else late
    if not late.any():
        raise InputError(
            f"data.time must have two moments or more before {name} is taken",
            f"one in {len(times)} rows of {shown(pool.source)}",
            "name another column",
        )
    return pool.rows[late]


def growing_folds(count: int, pool: Pool) -> list[tuple[Rows, Rows]]:
    """Return the training and validation rows of folds: each trains on all that is earlier.

    As scikit-learn's ``TimeSeriesSplit``: of rows in the order of time, the last ``count`` parts of
    rows/(count + 1) validate in turn. A part begins with all rows of the moment of its first one.

    Raises
    ------
    InputError
        If there are too few moments.
    """
    times, rows = np.asarray(pool.times), len(pool.rows)
    ordered, size = np.sort(times), rows // (count + 1)
    borders = [ordered[rows - size * left] for left in range(count, 0, -1)] if size else []
    if not size or borders[0] == ordered[0] or (np.diff(borders) <= 0).any():
        raise InputError(
            f"data.time must have enough moments for {count} folds",
            f"{len(np.unique(times))} in {rows} rows of {shown(pool.source)}",
            "lower folds",
        )
    ends = [*borders[1:], np.inf]
    return [
        (pool.rows[times < first], pool.rows[(first <= times) & (times < end)])
        for first, end in zip(borders, ends, strict=True)
    ]
