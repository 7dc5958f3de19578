"""Named points at which a fault can be injected from outside, to test what survives it.

The environment variable ``HPSEARCH_FAILPOINT`` holds ``NAME[=ACTION[@HIT[+]]]``. A NAME
that ends in ``*`` is that of every point which begins so. The action is ``kill`` (the
default), ``stop``, ``term`` or ``int`` to send that signal to the own process, the name
of an errno such as ``ENOSPC`` to raise that `OSError`, ``memory`` to raise `MemoryError`,
``hog`` to take ever more memory, ``sleep`` to stay for an hour, ``nap`` for a fraction of
a second, or ``note`` to do nothing. It happens at the HIT-th time
(counted from 1 in each process) that such a point is passed, and with a ``+`` at every
later time too. Without the variable a point does nothing.

``HPSEARCH_FAILPOINT_FILES`` may name a folder beside it. Each process then writes the
points it passes to a file ``PROCESS.points`` there, and of all processes only one acts.
A file ``awake`` there puts an end to all naps.
"""

import errno
import os
import signal
import time
from collections import Counter
from pathlib import Path

VARIABLE = "HPSEARCH_FAILPOINT"
FILES = "HPSEARCH_FAILPOINT_FILES"

NAP_SECONDS = 0.2

_BITE_BYTES, _MOST_BITES = 2**26, 128

_hits: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Do what the environment asks for at the point called ``name``; mostly nothing.

    Raises
    ------
    OSError
        If the action is the name of an errno.
    MemoryError
        If the action is ``memory``.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    files = os.environ.get(FILES)
    if files is not None:
        with (Path(files) / f"{os.getpid()}.points").open("a") as file:
            file.write(f"{name}\n")
    target, _, plan = wanted.partition("=")
    if target != name and not (target.endswith("*") and name.startswith(target[:-1])):
        return
    action, _, hit = plan.partition("@")
    _hits[target] += 1
    first = int(hit.removesuffix("+") or 1)
    due = _hits[target] == first or (hit.endswith("+") and _hits[target] > first)
    if due and (files is None or hit.endswith("+") or _is_first(Path(files) / "fired")):
        _act(action or "kill", name)


def _is_first(path: Path) -> bool:
    """Tell whether no process has acted yet; from now on one has."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _act(action: str, name: str) -> None:
    if action in {"kill", "stop", "term", "int"}:
        os.kill(os.getpid(), signal.Signals[f"SIG{action.upper()}"])
    elif action == "sleep":
        time.sleep(3600)
    elif action == "nap" and not (Path(os.environ.get(FILES, "/")) / "awake").exists():
        time.sleep(NAP_SECONDS)
    elif action == "hog":
        _hog()
    elif action == "memory":
        raise MemoryError(name)
    elif action not in {"nap", "note"}:
        code = int(getattr(errno, action))
        raise OSError(code, os.strerror(code), name)


def _hog() -> None:
    """Take 64 MiB after 64 MiB, up to 8 GiB, until somebody puts an end to it."""
    taken = []
    for _ in range(_MOST_BITES):
        taken.append(bytearray(os.urandom(1)) * _BITE_BYTES)
        time.sleep(0.02)
    time.sleep(3600)
