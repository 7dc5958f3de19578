"""Faults injected into the program itself: each breaks one promise, and a trial must see it.

Each is called in the new process before the search begins.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpsearch.run import master
from hpsearch.run.master import Master
from hpsearch.search import events as ev
from hpsearch.search.search import Search
from hpsearch.search.trials import TrialRecord
from hpsearch.storage import locks
from hpsearch.storage.sqlite import opening
from hpsearch.storage.sqlite.database import Database
from workers import seeds
from workers.checkpoints import atomic_files, checkpoint_files


def no_sync_of_files() -> None:
    """Rename a file into place without an fsync of its content."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]


def no_sync_of_folders() -> None:
    """Never sync a folder, so that a new name may be forgotten."""
    atomic_files.sync_folder = lambda folder: None


def name_before_content() -> None:
    """Give a file its name, synced, before its content is written."""

    def write_new(path: Path, data: bytes, **_: Any) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.fsync(descriptor)
        atomic_files.sync_folder(path.parent)
        os.write(descriptor, data)
        os.close(descriptor)

    atomic_files.write_new = write_new


def acknowledge_before_commit() -> None:
    """Tell the world of epochs while their transaction is still open, to commit fewer."""
    commit, calls = Database._commit, iter(range(10**6))

    def rarely(self: Database) -> None:
        if next(calls) % 7 == 0:
            commit(self)

    Database._commit = rarely  # type: ignore[method-assign]


def remove_before_commit() -> None:
    """Remove checkpoints before the transaction that says what replaced them."""
    perform = Master._perform

    def early(self: Master, commands: list[ev.Command]) -> None:
        for command in commands:
            if isinstance(command, ev.RemoveCheckpoints):
                for name in command.names:
                    (self._folder.checkpoints / name).unlink(missing_ok=True)
        perform(self, commands)

    Master._perform = early  # type: ignore[method-assign]


def tidy_everything() -> None:
    """Take all checkpoints for left-overs when going on."""
    remove = checkpoint_files.remove_unknown

    def all_of_them(folder: Path, known: Any, *, trial: int | None = None) -> list[str]:
        return remove(folder, set(), trial=trial)

    checkpoint_files.remove_unknown = all_of_them


def tidy_nothing() -> None:
    """Leave what an interruption left."""
    checkpoint_files.remove_unknown = lambda folder, known, *, trial=None: []
    master.tidy = lambda folder, store: None


def numbers_from_the_clock() -> None:
    """Draw random numbers from the clock, not from the seed."""
    real = seeds.generator

    def generator(seed: int, *rest: Any, **options: Any) -> Any:
        return real(seed + time.monotonic_ns(), *rest, **options)

    seeds.generator = generator


def go_on_with_parameters_only() -> None:
    """Go on from a checkpoint with fresh optimizer state."""
    load = checkpoint_files.load

    def partly(path: Path, **options: Any) -> checkpoint_files.Snapshot:
        snapshot = load(path, **options)
        fresh = {k: v * (not k.startswith("optimizer.")) for k, v in snapshot.arrays.items()}
        return checkpoint_files.Snapshot(fresh, snapshot.metadata)

    checkpoint_files.load = partly


def no_lock() -> None:
    """Let any number of masters in."""

    @contextlib.contextmanager
    def nothing(path: Path, **_: Any) -> Iterator[None]:
        yield

    locks.hold = nothing
    locks.alone_in = nothing
    Database._check_master = lambda self: None  # type: ignore[method-assign]


def no_fence() -> None:
    """Count whatever a worker reports, of an older attempt too."""
    TrialRecord.accepts = (  # type: ignore[method-assign]
        lambda self, report: self.state == "running" and report.epoch > self.epochs_done
    )
    from hpsearch.storage import store

    store._ADVANCE = store._ADVANCE.replace("attempt = ?2", "?2 > 0")


def believe_every_file() -> None:
    """Write and check a digest that is the same for all content."""
    from types import SimpleNamespace

    from workers.checkpoints import tensors

    tensors._digest = lambda arrays, metadata: "0" * 64
    same = SimpleNamespace(hexdigest=lambda: "0" * 64)
    checkpoint_files.hashlib = SimpleNamespace(sha256=lambda data: same)


def infinity_wins() -> None:
    """Let a trial that diverged compete with its best score."""
    end = Search._end

    def complete(self: Search, record: TrialRecord, state: Any, reason: Any) -> Any:
        record.score = float("inf") if state == "failed" else record.score
        return end(self, record, "complete", reason)

    Search._end = complete  # type: ignore[method-assign]


def trust_the_disk() -> None:
    """Let SQLite return from a commit before it is on disk."""
    configured = opening._configured

    def fast(connection: Any, path: Path) -> Any:
        configured(connection, path).execute("PRAGMA synchronous = OFF")
        return connection

    opening._configured = fast


def public_files() -> None:
    """Make files for everybody's eyes."""
    real = os.open
    os.umask(0)
    os.umask = lambda mask: 0
    os.fchmod = lambda descriptor, mode: None

    def wide(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        return real(path, flags, 0o644, **options)

    os.open = wide  # type: ignore[assignment]
