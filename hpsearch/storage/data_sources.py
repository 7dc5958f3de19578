"""Where a run's data lie now: the one lookup for whatever goes on with a run."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.data import DataConfig, SplitConfig
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from workers.errors import InputError

if TYPE_CHECKING:
    from hpsearch.data.datasets import Split

Find = Callable[[str], Path]
"""From a file's path in a config to where it may lie."""

_REMEDY = "name the file or its folder with --data SOURCE of hpsearch resume or ensemble"


def load(
    config: SearchConfig,
    run: RunFolder,
    read: "Callable[[SearchConfig], Split]",
    *,
    data: Path | None = None,
) -> "Split":
    """Return a run's data, from the first place where they are those that it began with.

    A relative path counts from the folder where the run was begun, then from the current one;
    runs of before do not know the former. ``data`` names another place, and then the only one:
    a file, or the folder in which the files of the config's names lie. ``read`` is given the
    config with the paths that are found.

    Raises
    ------
    InputError
        If the data are nowhere, can't be used, or are not the run's.
    """
    with Store.read(run.database) as store:
        meta = store.meta()
    there = found(config, run, data=data)
    if not there:
        raise _missing(config.data, _places(meta.get("begun_in"), data), named=data is not None)
    errors = []
    for moved in there:
        try:
            split = read(moved)
        except InputError as error:
            errors.append(error)
        else:
            if _is_of(split, meta):
                return split
    raise errors[0] if errors else _others(there)


def _is_of(split: "Split", meta: Mapping[str, Any]) -> bool:
    """Whether these are the data whose digest a run wrote down, maybe before 0.2."""
    digest = meta.get("data_digest")
    if split.digest == digest:
        return True
    from hpsearch.data.old_digest import digest_of_before

    return meta.get("arithmetic", 1) == 1 and digest_of_before(split) == digest


def found(config: SearchConfig, run: RunFolder, *, data: Path | None = None) -> list[SearchConfig]:
    """Return the config with the paths of each place that has all files of its data."""
    names = _files(config.data)
    with Store.read(run.database) as store:
        begun = store.meta().get("begun_in")
    if data is not None and not names:
        rule = "--data is for runs whose data are files"
        raise InputError(rule, f"the built-in set {config.data.source}", "leave --data out")
    several = sorted(set(names))
    if data is not None and len(several) > 1 and _is_file(data):
        rule = f"--data must be the folder of a run's {len(several)} files"
        raise InputError(rule, str(data), f"name where {', '.join(several)} lie")
    moved = [_moved(config.data, find) for find in _finds(begun, data)]
    there = [place for place in moved if all(map(_is_there, _files(place)))]
    distinct = {tuple(map(os.path.realpath, _files(place))): place for place in reversed(there)}
    return [replace(config, data=place) for place in reversed(distinct.values())]


def _places(begun: object, data: Path | None) -> list[Path]:
    """Return the folders, or the file, in which data are looked up, in this order."""
    if data is not None:
        return [data.absolute()]
    began = [Path(begun)] if isinstance(begun, str) else []
    return list(dict.fromkeys([*began, Path.cwd()]))


def _finds(begun: object, data: Path | None) -> list[Find]:
    places = _places(begun, data)
    if data is None:
        return [place.joinpath for place in places]
    if _is_file(data):
        return [lambda _: data]
    below: list[Find] = [partial(_below, place) for place in places]
    return [*below, lambda _: data] if _is_there(data) else below


def _below(place: Path, name: str) -> Path:
    # A copy may have kept the folders between, or not.
    path = Path(name)
    whole = place / path
    return whole if not path.is_absolute() and _is_there(whole) else place / path.name


def _is_file(path: Path | str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (pathlib raises, to names that are too long)


def _is_there(path: Path | str) -> bool:
    """Return whether there is a file, or several in a folder or by a pattern."""
    if _is_file(path):
        return True
    from hpsearch.data.readers.parquet_files import files_of

    try:
        return _is_file(files_of(str(path))[0].path)
    except (InputError, OSError, ValueError):
        return False


def _files(data: DataConfig) -> list[str]:
    """Return the paths of the files that a config's data come from."""
    from hpsearch.data.readers.formats import BUILTINS  # pyarrow is long to import

    parts = [part for part in (data, data.validation, data.test) if part is not None]
    paths = [path for part in parts for path in (part.source, part.labels)]
    return [path for path in paths if path is not None and path not in BUILTINS]


def _moved(data: DataConfig, find: Find) -> DataConfig:
    """Return the section with other paths to the same files."""
    to = {path: str(find(path)) for path in _files(data)}

    def moved(part: DataConfig | SplitConfig) -> dict[str, Any]:
        paths = {"source": part.source, "labels": part.labels}
        return {key: to.get(path, path) if path else path for key, path in paths.items()}

    parts = {"validation": data.validation, "test": data.test}
    second = {k: p.model_copy(update=moved(p)) for k, p in parts.items() if p is not None}
    return data.model_copy(update=moved(data) | second)


def _missing(data: DataConfig, places: list[Path], *, named: bool) -> InputError:
    names = list(dict.fromkeys(_files(data)))
    relative = named or not all(Path(name).is_absolute() for name in names)
    where = f" in {' or '.join(map(str, places))}" if relative else ""
    return InputError(
        "a run's data must lie where it began, in the current folder, or where --data says",
        f"no {' and '.join(names)}{where}",
        _REMEDY,
    )


def _others(there: list[SearchConfig]) -> InputError:
    files = [" and ".join(dict.fromkeys(_files(config.data))) for config in there]
    return InputError(
        "a run goes on with the data that it began with",
        f"other values in {' or in '.join(files) or there[0].data.source}",
        f"restore the data, {_REMEDY}, or begin a new run",
    )
