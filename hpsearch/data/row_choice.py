"""Which rows of a source train, validate and test: ranges, shares and folds of what is left."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.sections.data import DataConfig, SplitConfig
from hpsearch.data import folds
from hpsearch.data.folds import Pool, Rows
from hpsearch.data.labels import as_text
from hpsearch.data.readers.raw_table import Source, Table, shown
from workers.errors import InputError


def choose_rows(
    config: DataConfig,
    wanted: Mapping[str, SplitConfig | None],
    table: Table,
    source: Source,
    *,
    seed: int,
) -> list[dict[str, Rows]]:
    """Return the row numbers of each split's parts that come from the source itself."""
    left = np.ones(len(table.x), bool)
    common = {
        name: _take_range(name, section.rows, left, source)
        for name, section in wanted.items()
        if section is not None and section.rows is not None
    }
    test_seed, seeds = folds.seeds(seed, config.repeats)
    if config.test is not None and config.test.share is not None:
        pool = _pool(table, left, source)
        common["test"] = folds.draw_share("test", config.test.share, pool, seed=test_seed)
        left[common["test"]] = False
    splits = [
        common | held | {"train": np.setdiff1d(np.flatnonzero(left), held.get("validation", []))}
        for held in _hold_out(config, table, left, source, seeds)
    ]
    if not len(splits[0]["train"]):
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in splits[0].items())
        raise InputError("the splits must leave rows to train", counts, "make them smaller")
    return splits


def _hold_out(
    config: DataConfig, table: Table, left: NDArray[np.bool_], source: Source, seeds: list[int]
) -> list[dict[str, Rows]]:
    """Return the validation rows that are drawn for each split, none if they are fixed."""
    share = None if config.validation is None else config.validation.share
    if config.folds is None and share is None:
        return [{}]
    pool, drawn = _pool(table, left, source), list[Rows]()
    for seed in seeds:
        if config.folds is not None:
            drawn += folds.draw_folds(config.folds, pool, seed=seed)
        elif share is not None:
            drawn.append(folds.draw_share("validation", share, pool, seed=seed))
    return [{"validation": rows} for rows in drawn]


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


def _pool(table: Table, left: NDArray[np.bool_], source: Source) -> Pool:
    """Return the rows to draw from, with their classes."""
    rows = np.flatnonzero(left)
    if source.task == "regression":
        return Pool(rows, None, source.path)
    return Pool(rows, as_text(_labels(table, source)[rows], rows, source.path), source.path)


def _labels(table: Table, source: Source) -> NDArray[Any]:
    if table.y is None:
        raise InputError(
            "training data must have labels", f"none in {shown(source.path)}", "add them"
        )
    return table.y
