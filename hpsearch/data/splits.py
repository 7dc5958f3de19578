"""Which rows train, which validate and which test; the three never overlap."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.config.sections.data import DataConfig, SplitConfig
from hpsearch.data.dependent_rows import groups_of, times_of
from hpsearch.data.folds import Rows
from hpsearch.data.labels import doubtful
from hpsearch.data.readers.formats import BUILTINS, NAMED, file_format, read
from hpsearch.data.readers.parquet_files import files_of
from hpsearch.data.row_choice import choose_rows, kept_rows
from hpsearch.data.tables.dialect import DIALECT
from hpsearch.data.tables.raw_table import MISSING, Source, Table, shown
from workers.data.columns import Column
from workers.errors import InputError


@dataclass(frozen=True, eq=False)
class Part:
    """The raw rows of one split, with their numbers in the source they come from.

    ``beside`` are the columns that the config gives a role of their own, if the source has them.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    rows: Rows
    source: str
    beside: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)


def source_of(config: DataConfig) -> Source:
    """Return what a config's first file is, and how it is written."""
    kinds = {name: kind for name, kind in config.columns.items() if kind != "drop"}
    written = {name: getattr(config, name) for name in DIALECT}
    return Source(
        config.source,
        **written | {"missing": MISSING if config.missing is None else config.missing},
        format=config.format,
        labels=config.labels,
        target=config.target,
        task=config.task,
        features=config.features,
        kinds=kinds,
        drop=(*config.drop, *(n for n, kind in config.columns.items() if kind == "drop")),
        beside=tuple(dict.fromkeys(filter(None, (config.groups, config.time, config.weight)))),
    )


def split(config: DataConfig, *, seed: int) -> tuple[Table, Iterator[Mapping[str, Part]]]:
    """Return the source's table and the parts of each split of it.

    These are ``train``, ``validation`` and maybe ``test``, which all splits have in common.
    Row ranges and second files come first; then the test share is drawn from the rows that
    are left, and then, for each split, the validation rows from the rest, which trains.
    """
    source = source_of(config)
    table = read(source)
    wanted = {"test": config.test, "validation": None if config.folds else config.validation}
    _check_sources(config.source, wanted)
    path, splits = source.path, choose_rows(config, wanted, table, source, seed=seed)
    second = {
        name: _second_part(section, table, source, config)
        for name, section in wanted.items()
        if section is not None and section.source is not None
    }
    return table, (
        _apart({name: _part(table, rows, path) for name, rows in chosen.items()} | second, config)
        for chosen in splits
    )


def _apart(parts: Mapping[str, Part], config: DataConfig) -> Mapping[str, Part]:
    """Return the parts, after making sure that no group has rows in two of them."""
    seen: dict[str, str] = {}
    for name, part in parts.items():
        if config.groups is None:
            break
        if part.source != config.source:
            groups_of(part.beside[config.groups], config.groups, Source(part.source))
        for group in _distinct(part, config.groups):
            if seen.setdefault(group, name) != name:
                raise InputError(
                    "no group may have rows in two parts of a split",
                    f"{shown(group)} of {shown(config.groups)} in {seen[group]} and {name}",
                    "change the rows or files, or give shares",
                )
    return parts


def _distinct(part: Part, name: str) -> list[str]:
    return [str(value).strip() for value in part.beside[name].unique().to_pylist()]


def told(config: DataConfig, table: Table, parts: Mapping[str, Part]) -> list[str]:
    """Return lines that say which rows are left out, and how the last split was made."""
    source = source_of(config)
    gone = int((~kept_rows(config, table, source)).sum())
    lines = [f"{gone:,} row{'s' * (gone != 1)} without a label left out"] if gone else []
    if config.task == "classification" and config.unlabelled == "refuse" and table.y is not None:
        lines += doubtful(table.y, source.missing)
    return lines + _told(config, parts)


def _told(config: DataConfig, parts: Mapping[str, Part]) -> list[str]:
    """Return a line that says how the last split was made, if by groups or time."""
    which = f" (last of {config.splits} splits)" if config.splits > 1 else ""
    verbs = {"train": "train", "validation": "validate", "test": "test"}
    there = [(verb, parts[name]) for name, verb in verbs.items() if name in parts]
    if config.groups is not None:
        counts = [f"{len(set(_distinct(p, config.groups))):,} {verb}" for verb, p in there]
        first, *others = counts
        number, _, verb = first.partition(" ")
        text = ", ".join([f"{number} groups {verb}", *others])
        return [f"split by {config.groups}: {text}{which}"]
    if config.time is not None:
        known = [(verb, p) for verb, p in there if config.time in p.beside]
        ends = [f"{verb} until {_latest(config, p)}" for verb, p in known]
        return [f"split by {config.time}: {', '.join(ends)}{which}"]
    return []


def _latest(config: DataConfig, part: Part) -> str:
    name = str(config.time)
    times, kind = times_of(part.beside[name], name, source_of(config))
    if kind == "number":
        return f"{times.max():g}"
    return str(np.datetime64(int(times.max()), "s")).replace("T00:00:00", "").replace("T", " ")


def _part(table: Table, rows: Rows, path: str) -> Part:
    if table.y is None:
        raise InputError("training data must have labels", f"none in {shown(path)}", "add them")
    beside = {name: values.take(pa.array(rows)) for name, values in table.beside.items()}
    return Part(table.x[rows], table.y[rows], rows, path, beside)


def _second_part(section: SplitConfig, table: Table, source: Source, config: DataConfig) -> Part:
    second = replace(
        source,
        path=str(section.source),
        labels=section.labels,
        features=table.feature_names,
        beside=() if config.groups is None else (config.groups,),
    )
    if second.path not in BUILTINS and file_format(second) in NAMED:
        known = table.columns or tuple(Column(name) for name in table.feature_names)
        second = replace(second, target=table.target, known=known)
    other = read(second)
    return _part(other, np.flatnonzero(kept_rows(config, other, second)), second.path)


def _check_sources(path: str, wanted: Mapping[str, SplitConfig | None]) -> None:
    """Refuse one file for two splits, whatever the two paths to it."""
    seen = dict.fromkeys(_identities(path), "source")
    for name, section in wanted.items():
        if section is None or section.source is None:
            continue
        own = _identities(section.source)
        common = next((one for one in own if one in seen), None)
        if common is not None:
            raise InputError(
                f"{name}.source must be another file than {seen[common]}",
                shown(section.source if len(own) == 1 else common),
                "split one file by share or rows",
            )
        seen |= dict.fromkeys(own, f"{name}.source")


def _identities(path: str) -> list[str]:
    """Return the files that a path stands for."""
    try:
        return [str(one.path.resolve()) for one in files_of(path)]
    except (OSError, ValueError, RuntimeError, InputError):
        return [path]
