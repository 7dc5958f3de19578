"""Parquet data in several files: a folder, or a pattern such as ``data/part-*.parquet``."""

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from hpsearch.data.tables.raw_table import shown
from workers.errors import InputError

SUFFIXES: Final = (".parquet", ".pq")

_MISSING: Final = "__HIVE_DEFAULT_PARTITION__"
"""What Hive calls a missing value of a partition."""


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """A file and what its folders say of its rows, as in ``year=2024/part-0.parquet``."""

    path: Path
    partition: Mapping[str, pa.Scalar]


def is_several(path: str) -> bool:
    """Return whether a path is a folder or a pattern, and no file."""
    try:
        return not Path(path).is_file() and (Path(path).is_dir() or glob.has_magic(path))
    except (OSError, ValueError):
        return False


def files_of(path: str) -> list[ParquetFile]:
    """Return the files of a folder, below it too, or of a pattern, in the order of their paths.

    In a folder these are those with a Parquet file's name; names that begin with a dot or an
    underscore are left aside, as everywhere. A path to a file is that file.

    Raises
    ------
    InputError
        If there are none, or their folders tell of different partitions.
    """
    root = Path(path)
    if not is_several(path):
        return [ParquetFile(root, {})]
    if root.is_dir():
        found = [one for one in root.rglob("*") if one.suffix in SUFFIXES and _shown(one, root)]
    else:
        found = [Path(name) for name in glob.iglob(path, recursive=True)]  # noqa: PTH207 (a path may be absolute)
        root = Path(path[: next(place for place, mark in enumerate(path) if mark in "*?[")]).parent
    files = sorted(one for one in found if one.is_file())
    if not files:
        raise InputError(
            "a folder or pattern of Parquet files must have some", shown(path), "correct the path"
        )
    told = [dict(_partition(one, root)) for one in files]
    for file, one in zip(files, told, strict=True):
        if [*one] != [*told[0]]:
            raise InputError(
                f"all files of {shown(path)} must lie in folders of the same partitions",
                f"{', '.join(one) or 'none'} for {shown(file)}, and"
                f" {', '.join(told[0]) or 'none'} for {shown(files[0])}",
                "move one of them",
            )
    columns = {name: _scalars([one[name] for one in told]) for name in told[0]}
    return [
        ParquetFile(file, {name: values[place] for name, values in columns.items()})
        for place, file in enumerate(files)
    ]


def _scalars(values: Sequence[str | None]) -> list[pa.Scalar]:
    """Return values as whole numbers if all are, else as text."""
    known = [value for value in values if value is not None]
    if known and all(value.lstrip("-").isdecimal() for value in known):
        return [pa.scalar(None if v is None else int(v), pa.int64()) for v in values]
    return [pa.scalar(value, pa.string()) for value in values]


def _shown(file: Path, root: Path) -> bool:
    return not any(part.startswith((".", "_")) for part in file.relative_to(root).parts)


def _partition(file: Path, root: Path) -> Iterator[tuple[str, str | None]]:
    for folder in file.parent.parts[len(root.parts) if root != Path() else 0 :]:
        name, mark, value = folder.partition("=")
        if mark and name:
            yield unquote(name), None if value == _MISSING else unquote(value)
