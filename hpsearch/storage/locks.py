"""Who may work on a run: one process, by a lock that the system frees when it ends.

The lock is `flock`'s, which Linux passes on to the server of a network's disk. Nothing
here goes by a clock: a holder on another host that is out of reach keeps the lock until
a person says that it is gone. What such a holder then still tries to write is refused by
the database, which counts its masters (see `hpsearch.storage.sqlite.database`).
"""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workers.errors import RunError

PATIENCE_SECONDS = 10.0


@contextmanager
def hold(path: Path, *, take_over: bool = False) -> Iterator[None]:
    """Hold the lock file ``path`` for this process; ``take_over`` is the user's word.

    Raises
    ------
    RunError
        If another process holds it, which may be taken over only from another host, or
        if the disk has no locks.
    """
    if take_over:
        _set_aside(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        if not _locks(descriptor, path):
            time.sleep(0.1)  # So that a new holder has written its name.
            raise _held(path)
        text = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time make or replace runs in ``folder``; each takes moments.

    Raises
    ------
    RunError
        If another one takes longer than `PATIENCE_SECONDS`, or the disk has no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        last = time.monotonic() + PATIENCE_SECONDS
        while not _locks(descriptor, folder):
            if time.monotonic() > last:
                raise RunError(f"another process is making a run in {folder} all the time")
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _locks(descriptor: int, path: Path) -> bool:
    """Lock what is open, and tell whether it could be and is what ``path`` names now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as error:
        why = f"{path} can't be locked: {error.strerror}"
        raise RunError(f"{why}; choose --results on a disk with locks") from error


def _holder(path: Path) -> str:
    with suppress(OSError):
        text = path.read_bytes()[:200].decode(errors="replace").strip()
        if text:
            return text
    return "another process"


def _held(path: Path) -> RunError:
    holder = _holder(path)
    remedy = "end it first"
    if not holder.endswith(f" on {socket.gethostname()}"):
        remedy += ", or if that host is gone for good: hpsearch resume --take-over"
    return RunError(f"{path.parent} is being worked on by {holder}; {remedy}")


def _set_aside(path: Path) -> None:
    """Put another lock file in the place of one that another host holds."""
    if not path.exists():
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if _locks(descriptor, path):
            return
        if _holder(path).endswith(f" on {socket.gethostname()}"):
            raise _held(path)
        path.unlink()
    finally:
        os.close(descriptor)
