"""Rows drawn at random: shares and folds, stratified by class in classification."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.tables.raw_table import shown
from workers.errors import InputError
from workers.seeds import Purpose, generator

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pool:
    """The rows of ``source`` to draw from, and each one's class or group or time, if it counts.

    In regression ``strata`` may be quantiles of the target.
    """

    rows: Rows
    strata: Sequence[str] | None
    source: str
    groups: Sequence[str] | None = None
    times: NDArray[np.float64] | None = None


def seeds(seed: int, repeats: int) -> tuple[int, list[int]]:
    """Return the seed for drawing the test rows, and one a repeat for the validation rows."""
    drawn = [
        generator(seed, Purpose.SPLIT, split=n).integers(2**31, size=2) for n in range(repeats)
    ]
    return int(drawn[0][0]), [int(pair[1]) for pair in drawn]


def draw_share(name: str, share: float, pool: Pool, *, seed: int) -> Rows:
    """Draw a share of the pool for ``name``.

    Raises
    ------
    InputError
        If one side would be empty, or a class too small for both.
    """
    rows, strata = pool.rows, pool.strata
    held = int(np.ceil(share * len(rows)))
    if len(rows) < 2 or held >= len(rows):
        raise InputError(
            "the splits must leave rows to train",
            f"a share of {share:g} for {name} out of {len(rows)} rows of {shown(pool.source)}",
            "add rows or lower the share",
        )
    if strata is not None:
        _check_strata(name, strata, held)
    from sklearn.model_selection import train_test_split  # its import takes a second

    drawn = train_test_split(rows, test_size=held, stratify=strata, random_state=seed)[1]
    return np.sort(np.asarray(drawn))


def draw_folds(count: int, pool: Pool, *, seed: int) -> list[Rows]:
    """Part the pool into ``count`` folds, whose sizes differ by at most one row.

    So do the rows of each class in them.

    Raises
    ------
    InputError
        If there are fewer rows, or fewer of a class, than folds.
    """
    rows, strata = pool.rows, pool.strata
    if count > len(rows):
        raise InputError(
            "data.folds must not be above the number of rows that train and validate",
            f"{count} folds of {len(rows)} rows of {shown(pool.source)}",
            "lower folds or add rows",
        )
    from sklearn.model_selection import KFold, StratifiedKFold  # its import takes a second

    if strata is None:
        folds = KFold(count, shuffle=True, random_state=seed).split(rows)
    else:
        _check_folds(count, strata)
        folds = StratifiedKFold(count, shuffle=True, random_state=seed).split(rows, strata)
    return [rows[held] for _, held in folds]


def _fewest(strata: Sequence[str]) -> tuple[str, int, int]:
    """Return the smallest class, its rows, and the number of classes, two at least."""
    counts = Counter(strata)
    label, fewest = min(counts.items(), key=lambda item: item[1])
    if len(counts) < 2:
        raise InputError("classes must be two or more", f"only {shown(label)}", "check target")
    return label, fewest, len(counts)


def _check_folds(count: int, strata: Sequence[str]) -> None:
    label, fewest, classes = _fewest(strata)
    if fewest < count:
        raise InputError(
            f"every class must have at least {count} rows for {count} folds",
            f"class {shown(label)} with {fewest}, {classes} classes",
            f"set folds to {fewest} or lower" if fewest > 1 else "add rows or drop the class",
        )


def _check_strata(name: str, strata: Sequence[str], held: int) -> None:
    label, fewest, classes = _fewest(strata)
    if fewest < 2:
        raise InputError(
            "every class must have at least 2 rows for a stratified split",
            f"class {shown(label)} with {fewest} before {name} is drawn, {classes} classes",
            "add rows, split by rows, or set task: regression if the target is a number",
        )
    if min(held, len(strata) - held) < classes:
        raise InputError(
            f"{name} and what it leaves must have at least one row for each class",
            f"{held} and {len(strata) - held} rows for {classes} classes",
            "change its share or add rows",
        )
