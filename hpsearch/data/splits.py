"""Which rows train, which validate and which test; the three never overlap."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.sections.data import DataConfig, SplitConfig
from hpsearch.data import folds
from hpsearch.data.folds import Pool, Rows
from hpsearch.data.labels import as_text
from hpsearch.data.readers.formats import BUILTINS, NAMED, file_format, read
from hpsearch.data.tables.raw_table import MISSING, Source, Table, shown
from workers.data.columns import Column
from workers.errors import InputError


@dataclass(frozen=True, eq=False)
class Part:
    """The raw rows of one split, with their numbers in the source they come from."""

    x: NDArray[Any]
    y: NDArray[Any]
    rows: Rows
    source: str


def split(config: DataConfig, *, seed: int) -> tuple[Table, Iterator[Mapping[str, Part]]]:
    """Return the source's table and the parts of each split of it.

    These are ``train``, ``validation`` and maybe ``test``, which all splits have in common.
    Row ranges and second files come first; then the test share is drawn from the rows that
    are left, and then, for each split, the validation rows from the rest, which trains.
    """
    source = Source(
        config.source,
        format=config.format,
        labels=config.labels,
        target=config.target,
        header=config.header,
        delimiter=config.delimiter,
        task=config.task,
        features=config.features,
        kinds={name: kind for name, kind in config.columns.items() if kind != "drop"},
        drop=(*config.drop, *(n for n, kind in config.columns.items() if kind == "drop")),
        missing=MISSING if config.missing is None else config.missing,
    )
    table = read(source)
    wanted = {"test": config.test, "validation": None if config.folds else config.validation}
    _check_sources(config.source, wanted)
    splits = _choose_rows(config, wanted, table, source, seed=seed)
    second = {
        name: _second_part(section, table, source)
        for name, section in wanted.items()
        if section is not None and section.source is not None
    }
    return table, (
        {name: _part(table, rows, source.path) for name, rows in chosen.items()} | second
        for chosen in splits
    )


def _part(table: Table, rows: Rows, path: str) -> Part:
    if table.y is None:
        raise InputError("training data must have labels", f"none in {shown(path)}", "add them")
    return Part(table.x[rows], table.y[rows], rows, path)


def _second_part(section: SplitConfig, table: Table, source: Source) -> Part:
    second = replace(
        source, path=str(section.source), labels=section.labels, features=table.feature_names
    )
    if second.path not in BUILTINS and file_format(second) in NAMED:
        known = table.columns or tuple(Column(name) for name in table.feature_names)
        second = replace(second, target=table.target, known=known)
    other = read(second)
    return _part(other, np.arange(len(other.x)), second.path)


def _check_sources(path: str, wanted: Mapping[str, SplitConfig | None]) -> None:
    """Refuse one file for two splits, whatever the two paths to it."""
    seen = {_identity(path): "source"}
    for name, section in wanted.items():
        if section is None or section.source is None:
            continue
        identity = _identity(section.source)
        if identity in seen:
            raise InputError(
                f"{name}.source must be another file than {seen[identity]}",
                shown(section.source),
                "split one file by share or rows",
            )
        seen[identity] = f"{name}.source"


def _identity(path: str) -> str:
    try:
        return str(Path(path).resolve())
    except (OSError, ValueError, RuntimeError):
        return path


def _choose_rows(
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
    return Pool(rows, as_text(_part(table, rows, source.path).y, rows, source.path), source.path)
