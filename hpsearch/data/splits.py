"""Which rows train, which validate and which test; the three never overlap."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.config.sections.data import DataConfig, SplitConfig
from hpsearch.data.folds import Rows
from hpsearch.data.readers.formats import BUILTINS, NAMED, file_format, read
from hpsearch.data.readers.raw_table import MISSING, Source, Table, shown
from hpsearch.data.row_choice import choose_rows
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
        beside=() if config.weight is None else (config.weight,),
    )
    table = read(source)
    wanted = {"test": config.test, "validation": None if config.folds else config.validation}
    _check_sources(config.source, wanted)
    splits = choose_rows(config, wanted, table, source, seed=seed)
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
    beside = {name: values.take(pa.array(rows)) for name, values in table.beside.items()}
    return Part(table.x[rows], table.y[rows], rows, path, beside)


def _second_part(section: SplitConfig, table: Table, source: Source) -> Part:
    second = replace(
        source,
        path=str(section.source),
        labels=section.labels,
        features=table.feature_names,
        beside=(),
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
