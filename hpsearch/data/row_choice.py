"""Which rows of a source train, validate and test: ranges, shares and folds of what is left."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.sections.data import DataConfig, SplitConfig
from hpsearch.data import dependent_rows, folds
from hpsearch.data.folds import Pool, Rows
from hpsearch.data.labels import as_text, labelled, quantile_strata
from hpsearch.data.tables.raw_table import Source, Table, shown
from workers.errors import InputError


def choose_rows(
    config: DataConfig,
    wanted: Mapping[str, SplitConfig | None],
    table: Table,
    source: Source,
    *,
    seed: int,
) -> list[dict[str, Rows]]:
    """Return the row numbers of each split's parts that come from the source itself.

    Those without a label are in none if the config says so.
    """
    left, kept = np.ones(len(table.x), bool), kept_rows(config, table, source)
    common = {
        name: _take_range(name, section.rows, left, source)
        for name, section in wanted.items()
        if section is not None and section.rows is not None
    }
    left &= kept
    common = {name: rows[kept[rows]] for name, rows in common.items()}
    test_seed, seeds = folds.seeds(seed, config.repeats)
    if config.test is not None and config.test.share is not None:
        pool = _pool(config, table, left, source)
        common["test"] = _draw("test", config.test.share, pool, seed=test_seed)
        left[common["test"]] = False
    splits = []
    for held in _hold_out(config, table, left, source, seeds):
        rest = np.setdiff1d(np.flatnonzero(left), held.get("validation", []))
        splits.append(common | {"train": rest} | held)
    if not len(splits[0]["train"]):
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in splits[0].items())
        raise InputError("the splits must leave rows to train", counts, "make them smaller")
    return splits


def kept_rows(config: DataConfig, table: Table, source: Source) -> NDArray[np.bool_]:
    """Return which rows of a table are used: all, or those with a label."""
    if config.unlabelled == "refuse" or table.y is None:
        return np.ones(len(table.x), bool)
    return labelled(table.y, source.missing)


def _hold_out(
    config: DataConfig, table: Table, left: NDArray[np.bool_], source: Source, seeds: list[int]
) -> list[dict[str, Rows]]:
    """Return the validation rows that are drawn for each split, none if they are fixed.

    With folds in the order of time also those that train.
    """
    share = None if config.validation is None else config.validation.share
    if config.folds is None and share is None:
        return [{}]
    pool, drawn = _pool(config, table, left, source), list[Rows]()
    if config.folds is not None and pool.times is not None:
        growing = dependent_rows.growing_folds(config.folds, pool)
        return [{"train": train, "validation": held} for train, held in growing]
    for seed in seeds:
        if config.folds is not None:
            drawn += _draw_folds(config.folds, pool, seed=seed)
        elif share is not None:
            drawn.append(_draw("validation", share, pool, seed=seed))
    return [{"validation": rows} for rows in drawn]


def _draw(name: str, share: float, pool: Pool, *, seed: int) -> Rows:
    if pool.times is not None:
        return dependent_rows.draw_latest(name, share, pool)
    if pool.groups is not None:
        return dependent_rows.draw_groups(name, share, pool, seed=seed)
    return folds.draw_share(name, share, pool, seed=seed)


def _draw_folds(count: int, pool: Pool, *, seed: int) -> list[Rows]:
    if pool.groups is not None:
        return dependent_rows.draw_group_folds(count, pool, seed=seed)
    return folds.draw_folds(count, pool, seed=seed)


def _take_range(name: str, rows: tuple[int, int], left: NDArray[np.bool_], source: Source) -> Rows:
    first, end = rows
    if end > len(left):
        raise InputError(
            f"{name}.rows must lie within the {len(left)} rows of {shown(source.path)}",
            f"[{first}, {end}]",
            f"end at {len(left)} or before",
        )
    if not left[first:end].all():
        raise InputError(
            "validation.rows and test.rows must not overlap", f"[{first}, {end}]", "move one"
        )
    left[first:end] = False
    return np.arange(first, end)


def _pool(config: DataConfig, table: Table, left: NDArray[np.bool_], source: Source) -> Pool:
    """Return the rows to draw from, with what counts of each."""
    rows, groups, times = np.flatnonzero(left), None, None
    if config.groups is not None:
        of_all = dependent_rows.groups_of(table.beside[config.groups], config.groups, source)
        groups = [of_all[row] for row in rows]
    if config.time is not None:
        times = dependent_rows.times_of(table.beside[config.time], config.time, source)[0][rows]
    return Pool(rows, _strata(config, table, rows, source), source.path, groups, times)


def _strata(config: DataConfig, table: Table, rows: Rows, source: Source) -> list[str] | None:
    if table.y is None:
        raise InputError(
            "training data must have labels", f"none in {shown(source.path)}", "add them"
        )
    if config.task == "classification":
        return as_text(table.y[rows], rows, source.path)
    if config.stratify is None:
        return None
    return quantile_strata(table.y[rows], rows, config.stratify, source.path)
