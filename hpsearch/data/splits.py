"""Which rows train, which validate and which test; the three never overlap."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from hpsearch.data.labels import as_text
from hpsearch.data.readers import BUILTINS, file_format, read
from hpsearch.data.tables import Source, Table, shown
from hpsearch.settings.sections import DataConfig, SplitConfig
from workers.errors import InputError
from workers.seeds import Purpose, generator

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """The raw rows of one split, with their numbers in the source they come from."""

    x: NDArray[Any]
    y: NDArray[Any]
    rows: Rows
    source: str


def split(config: DataConfig, *, seed: int) -> tuple[Table, Mapping[str, Part]]:
    """Return the source's table and its parts: ``train``, ``validation`` and maybe ``test``.

    Row ranges and second files come first; then the test share is drawn from the rows
    that are left, and then the validation share from the rest, which trains.
    """
    source = Source(
        config.source,
        format=config.format,
        labels=config.labels,
        target=config.target,
        header=config.header,
        delimiter=config.delimiter,
        task=config.task,
    )
    table = read(source)
    wanted = {"test": config.test, "validation": config.validation}
    _check_sources(config.source, wanted)
    chosen = _choose_rows(table, wanted, source, seed=seed)
    parts = {name: _part(table, rows, source.path) for name, rows in chosen.items()}
    for name, section in wanted.items():
        if section is not None and section.source is not None:
            parts[name] = _second_part(section, table, source)
    return table, parts


def _part(table: Table, rows: Rows, path: str) -> Part:
    if table.y is None:
        raise InputError("training data must have labels", f"none in {shown(path)}", "add them")
    return Part(table.x[rows], table.y[rows], rows, path)


def _second_part(section: SplitConfig, table: Table, source: Source) -> Part:
    second = Source(
        str(section.source),
        format=source.format,
        labels=section.labels,
        target=source.target,
        header=source.header,
        delimiter=source.delimiter,
        task=source.task,
        features=table.feature_names,
    )
    if second.path not in BUILTINS and file_format(second) in ("csv", "parquet"):
        second = replace(second, target=table.target)
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
    table: Table, wanted: Mapping[str, SplitConfig | None], source: Source, *, seed: int
) -> dict[str, Rows]:
    """Return the row numbers of each split that comes from the source itself."""
    seeds = dict(zip(wanted, generator(seed, Purpose.SPLIT).integers(2**31, size=2), strict=True))
    left = np.ones(len(table.x), bool)
    chosen: dict[str, Rows] = {}
    for name, section in wanted.items():
        if section is not None and section.rows is not None:
            chosen[name] = _take_range(name, section.rows, left, source)
    for name, section in wanted.items():
        if section is not None and section.share is not None:
            rows = np.flatnonzero(left)
            held = _draw(name, section.share, rows, table, source, int(seeds[name]))
            left[held] = False
            chosen[name] = held
    chosen["train"] = np.flatnonzero(left)
    if not len(chosen["train"]):
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in chosen.items())
        raise InputError("the splits must leave rows to train", counts, "make them smaller")
    return chosen


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


def _draw(name: str, share: float, rows: Rows, table: Table, source: Source, seed: int) -> Rows:
    """Draw a share of ``rows``, stratified by class in classification."""
    held = int(np.ceil(share * len(rows)))
    if len(rows) < 2 or held >= len(rows):
        raise InputError(
            "the splits must leave rows to train",
            f"a share of {share:g} for {name} out of {len(rows)} rows of {shown(source.path)}",
            "add rows or lower the share",
        )
    strata = None
    if source.task == "classification":
        strata = as_text(_part(table, rows, source.path).y, rows, source.path)
        _check_strata(name, strata, held)
    drawn = train_test_split(rows, test_size=held, stratify=strata, random_state=seed)[1]
    return np.sort(np.asarray(drawn))


def _check_strata(name: str, strata: list[str], held: int) -> None:
    counts = Counter(strata)
    label, fewest = min(counts.items(), key=lambda item: item[1])
    if len(counts) < 2:
        raise InputError("classes must be two or more", f"only {shown(label)}", "check target")
    if fewest < 2:
        raise InputError(
            "every class must have at least 2 rows for a stratified split",
            f"class {shown(label)} with {fewest} before {name} is drawn, {len(counts)} classes",
            "add rows, split by rows, or set task: regression if the target is a number",
        )
    if min(held, len(strata) - held) < len(counts):
        raise InputError(
            f"{name} and what it leaves must have at least one row for each class",
            f"{held} and {len(strata) - held} rows for {len(counts)} classes",
            "change its share or add rows",
        )
