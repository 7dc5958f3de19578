"""Which Ray cluster runs on this machine: what the word ``auto`` means."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from workers.errors import InputError, RunError

PROCESSES = Path("/proc")
RECORD = "ray_current_cluster"
"""The file in which ``ray start`` writes down its cluster's address, in Ray's own folder."""

_ADDRESS, _FOLDER = b"--gcs-address=", b"--temp_dir="
_LONGEST = 300


def running_cluster() -> str:
    """Return ``HOST:PORT`` of the cluster that ``ray start`` began on this machine.

    It has a raylet here that is this user's or root's, and a record in its folder that
    agrees. A record alone may be of a cluster that is gone, or a stranger's; a raylet
    without one belongs to a program, such as a search, and ends with it.

    Raises
    ------
    RunError
        If there is none.
    InputError
        If there are several.
    """
    found = sorted(set(_recorded()))
    if not found:
        raise RunError(
            "auto is the Ray cluster that runs on this machine, and there is none of yours; "
            "begin one with: ray start --head, or give the HOST:PORT of another"
        )
    if len(found) > 1:
        rule = "auto is the Ray cluster that runs on this machine"
        raise InputError(rule, f"{len(found)}: {', '.join(found)}", "give the address of one")
    return found[0]


def _recorded() -> Iterator[str]:
    """Yield the addresses on which a trusted raylet and the record in its folder agree."""
    for process in PROCESSES.glob("[0-9]*"):
        with suppress(OSError, UnicodeError):
            # Whole command lines of its helpers are among the arguments, each of them one word.
            words = (process / "cmdline").read_bytes().split(b"\0")
            if not words[0].endswith(b"/raylet") or not _is_trusted(process):
                continue
            address, folder = (_value(words, name) for name in (_ADDRESS, _FOLDER))
            record = Path(folder, RECORD)
            if address and _is_trusted(record) and _read(record) == address:
                yield address


def _value(words: list[bytes], name: bytes) -> str:
    return next((w.removeprefix(name).decode() for w in words if w.startswith(name)), "")


def _is_trusted(path: Path) -> bool:
    """Whether something is this user's, or root's, who could be this user anyway."""
    return path.lstat().st_uid in (os.getuid(), 0)


def _read(record: Path) -> str:
    with record.open(encoding="ascii") as file:
        return file.read(_LONGEST).strip()
