"""What surrounds a Ray cluster and needs no Ray: addresses, environment, folder, processes."""

import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from workers.errors import InputError, RunError

ANSWER_SECONDS = 5.0
DEATH_SECONDS = 5.0
MARK = "HPSEARCH_CLUSTER"

_LONGEST_TEMPORARY = 40
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4
_QUIET_ROUNDS = 3  # A process that is just being made shows no environment for a moment.

_folders: set[Path] = set()


def check_address(address: str) -> None:
    """Raise unless a server of Ray's kind answers at ``address``.

    Ray itself would try for minutes and then end the process. Every gRPC server answers
    the greeting of HTTP/2 with its settings; a dashboard or a closed port does not.

    Raises
    ------
    InputError
        If this is no ``HOST:PORT``.
    RunError
        If nobody answers, or somebody else.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdecimal() or not 0 < int(port) < 65536:
        remedy = "give that of the head node, such as 10.0.0.1:6379"
        raise InputError("the address of a Ray cluster is HOST:PORT", repr(address), remedy)
    try:
        answer = _answer(host.strip("[]"), int(port))
    except (OSError, UnicodeError) as error:
        raise RunError(f"no Ray cluster answers at {address}: {error}") from error
    if answer is not None and answer != _SETTINGS:
        raise RunError(f"no Ray cluster answers at {address}: it is another server")


def _answer(host: str, port: int) -> int | None:
    """Return the type of the first HTTP/2 frame (-1: no such frame; None: it is encrypted)."""
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
        if os.environ.get("RAY_USE_TLS") == "1":
            return None
        connection.sendall(_GREETING)
        frame = connection.recv(9)
    return frame[3] if len(frame) == 9 else -1


def local_environment() -> Mapping[str, str]:
    """Return the variables of a local Ray: a token of its own, and nothing told to anybody.

    With a token at hand, a new local cluster asks for it by default and writes no token
    file. Ray reads it once in a process, so later clusters share it.
    """
    return {
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_SCHEDULER_EVENTS": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


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
    """Make a folder of mode 0700 for a local cluster, with a short path: sockets lie in it."""
    short = len(tempfile.gettempdir()) <= _LONGEST_TEMPORARY
    parent = None if short else "/tmp"  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="hpsearch-", dir=parent))
    _folders.add(folder)
    return folder


def remove(folder: Path) -> None:
    """End every process that was started under `MARK` ``folder``, and remove the folder.

    Ray leaves some behind if its start is interrupted, and its workers outlive it a little.
    """
    _sweep(folder)
    deadline = time.monotonic() + DEATH_SECONDS
    while processes(folder) and time.monotonic() < deadline:
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
        new = set(processes(folder)) - stopped
        _signal(new, signal.SIGSTOP)
        stopped |= new
        quiet = 0 if new else quiet + 1
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)
    _folders.discard(folder)
    _signal(stopped, signal.SIGKILL)


def _signal(processes: Iterable[int], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def processes(folder: Path) -> list[int]:
    """Return the processes that were started under `MARK` ``folder``; none without /proc."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def cause(error: BaseException) -> str:
    """Return one line on the error at the bottom of Ray's wrappings, 300 characters at most.

    >>> cause(ValueError("no such unit"))
    'ValueError: no such unit'
    """
    inner = getattr(error, "cause", None)
    error = inner if isinstance(inner, BaseException) else error
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Ray gives a heading, a traceback or a list of numbers, and then the reason.
    which = -1 if type(error).__module__.startswith("ray.") else 0
    text = lines[which].split(" Some common causes include")[0] if lines else "no message"
    return f"{type(error).__name__}: {text}"[:300]
