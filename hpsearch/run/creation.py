"""The beginning of a run: its folder is made whole, or found fit to go on with."""

import shutil
from importlib.metadata import version
from pathlib import Path

from hpsearch.config.search_config import SearchConfig
from hpsearch.storage import locks
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from workers import arithmetic
from workers.checkpoints import atomic_files
from workers.errors import InputError


def create(config: SearchConfig, folder: RunFolder, *, data_digest: str, overwrite: bool) -> None:
    """Make a run's folder whole, then give it its name: a crash leaves none or all of it.

    Raises
    ------
    InputError
        If something of its name is there, and ``overwrite`` is false or it is no run.
    RunError
        If the run that is there is in progress.
    """
    meta = {
        "name": config.study.name,
        "metric": config.study.metric,
        "direction": "maximize" if config.study.sign > 0 else "minimize",
        "seed": config.study.seed,
        "data_digest": data_digest,
        "begun_in": str(Path.cwd()),
        "arithmetic": arithmetic.GENERATION,
        "version": version("hpsearch"),
    }
    folder.make_place()
    with locks.alone_in(folder.path.parent):
        if overwrite and folder.exists:
            folder.remove()
        folder.check_new()
        working = RunFolder(folder.path.with_name(f".{folder.path.name}.new"))
        shutil.rmtree(working.path, ignore_errors=True)
        working.create(config)
        Store.create(working.database, meta).close()
        atomic_files.rename_folder(working.path, folder.path.name)


def check_config(config: SearchConfig, folder: RunFolder) -> None:
    """Raise InputError if a run can't go on because its config changed."""
    folder.check()
    before, after = folder.load_config().document, config.document
    if before != after:
        keys = sorted({*before, *after})
        changed = [key for key in keys if before.get(key) != after.get(key)]
        raise InputError(
            "a run goes on with the config that it began with",
            f"changes in {', '.join(changed)}",
            f"use {folder.config}, or another --name",
        )


def check_arithmetic(folder: RunFolder) -> None:
    """Raise InputError if a run began under another generation of the arithmetic than ours.

    Runs of before the generations were counted belong to the first one.
    """
    with Store.read(folder.database) as store:
        generation = store.meta().get("arithmetic", 1)
    if generation != arithmetic.GENERATION:
        known = arithmetic.VERSIONS.get(generation)
        began = f"hpsearch {known}" if known else "a later hpsearch"
        raise InputError(
            "a search goes on with the arithmetic that it began with",
            f"that of {began}, where this is {version('hpsearch')}",
            f"resume it with {began}, or begin a new run",
        )
