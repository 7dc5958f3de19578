"""What surrounds a Ray cluster and needs no Ray: environment, folder, processes."""

import fcntl
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from hpsearch.execution.cluster import machine

DEATH_SECONDS = 5.0
LEAST_BYTES, STORE_BYTES = 75 * 2**20, 512 * 2**20  # Ray itself takes no smaller store.
MARK = "HPSEARCH_CLUSTER"

_LONGEST_TEMPORARY = 40
_QUIET_ROUNDS = 3  # A process that is just being made shows no environment for a moment.

_PREFIX = "hpsearch-"
_LOCK = "lock"

_folders: dict[Path, int] = {}
"""The local clusters of this process, each with its lock."""


def local_options(folder: Path, workers: int | None) -> Mapping[str, Any]:
    """Return how to start a Ray of this machine, for this run alone; to be used in `loopback`."""
    size = machine.memory().size_bytes
    return {
        "address": "local",
        "num_cpus": workers or machine.cpus(),
        "include_dashboard": False,
        "object_store_memory": int(max(LEAST_BYTES, min(STORE_BYTES, size / 4))),
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": str(folder),
    }


@contextmanager
def loopback(constants: Any, folder: Path) -> Iterator[None]:
    """Let Ray listen on this machine only, ask for a token, and tell nobody anything.

    Ray would take the outer address in place of 127.0.0.1, unless its ``constants`` say
    that there are no clusters. With a token at hand it writes none to a file; it reads it
    once in a process, so later local clusters share it.
    """
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_SCHEDULER_EVENTS", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        with variable(MARK, str(folder)):
            yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def make_folder() -> Path:
    """Make a folder of mode 0700 for a local cluster, with a short path: sockets lie in it.

    What masters left behind that were killed is removed first.
    """
    temporary = Path(tempfile.gettempdir())
    if len(str(temporary)) > _LONGEST_TEMPORARY:
        temporary = Path("/tmp")  # noqa: S108
    for lock in temporary.glob(f"{_PREFIX}*/{_LOCK}"):
        _remove_orphan(lock)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=temporary))
    made = folder / f"{_LOCK}.new"
    _folders[folder] = os.open(made, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(_folders[folder], fcntl.LOCK_EX)
    made.rename(folder / _LOCK)  # Under this name it was always held, while its master lived.
    return folder


def _remove_orphan(lock: Path) -> None:
    folder = lock.parent
    try:
        if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
            return
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        remove(folder)
    finally:
        os.close(descriptor)


def remove(folder: Path) -> None:
    """End every process that was started under `MARK` ``folder``, and remove the folder.

    Ray leaves some behind if its start is interrupted, and its workers outlive it a little.
    """
    _sweep(folder)
    deadline = time.monotonic() + DEATH_SECONDS
    while _processes(folder) and time.monotonic() < deadline:
        time.sleep(0.01)


def abandon(code: int) -> NoReturn:
    """End this process and its local clusters, whatever they are doing."""
    for folder in tuple(_folders):
        _sweep(folder)
    os._exit(code)


def _sweep(folder: Path) -> None:
    """Stop the processes, remove the folder behind their back, and kill them together.

    A Ray that sees some of its processes die ends the others, this one too, and complains.
    """
    deadline = time.monotonic() + DEATH_SECONDS
    stopped: set[int] = set()
    quiet = 0
    while quiet < _QUIET_ROUNDS and time.monotonic() < deadline:
        new = set(_processes(folder)) - stopped
        _signal(new, signal.SIGSTOP)
        stopped |= new
        quiet = 0 if new else quiet + 1
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)
    if folder in _folders:
        os.close(_folders.pop(folder))
    _signal(stopped, signal.SIGKILL)


def _signal(targets: Iterable[int], number: int) -> None:
    for process in targets:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def kill(process: int | None) -> None:
    """Kill a process of this machine, if it is known and there."""
    if process is not None:
        _signal([process], signal.SIGKILL)


def _processes(folder: Path) -> list[int]:
    """Return the processes that were started under `MARK` ``folder``; none without /proc.

    Some of Ray's overwrite their environment by a name, but have files open in the folder.
    """
    mark = f"{MARK}={folder}".encode()
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if int(process.name) != os.getpid() and _belongs(process, mark, f"{folder}/")
    ]


def _belongs(process: Path, mark: bytes, inside: str) -> bool:
    try:
        if mark in (process / "environ").read_bytes().split(b"\0"):
            return True
        return any(str(file.readlink()).startswith(inside) for file in (process / "fd").iterdir())
    except OSError:
        return False


def cause(error: BaseException) -> str:
    """Return one line on the error at the bottom of Ray's wrappings, 300 characters at most.

    >>> cause(ValueError("no such unit"))
    'ValueError: no such unit'
    """
    inner = getattr(error, "cause", None)
    error = inner if isinstance(inner, BaseException) else error
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Ray gives a heading, a traceback or a list of numbers, and then the reason; but advice last
    # where memory ran out.
    wordy = type(error).__module__.startswith("ray.") and "Memory" not in type(error).__name__
    which = -1 if wordy else 0
    text = lines[which].split(" Some common causes include")[0] if lines else "no message"
    return f"{type(error).__name__}: {text}"[:300]
