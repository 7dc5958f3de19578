"""Named points at which a fault can be injected from outside, to test what survives it.

The environment variable ``HPSEARCH_FAILPOINT`` holds ``NAME[=ACTION[@HIT[+]]]``. The
action is ``kill`` (the default), ``stop``, ``term`` or ``int`` to send that signal to
the own process, or the name of an errno such as ``ENOSPC`` to raise that `OSError`. It
happens at the HIT-th time (counted from 1 in each process) that the point is passed, and
with a ``+`` at every later time too. Without the variable a point does nothing.
"""

import errno
import os
import signal
from collections import Counter

VARIABLE = "HPSEARCH_FAILPOINT"

_hits: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Do what the environment asks for at the point called ``name``; mostly nothing.

    Raises
    ------
    OSError
        If the action is the name of an errno.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    target, _, plan = wanted.partition("=")
    if target != name:
        return
    action, _, hit = plan.partition("@")
    _hits[name] += 1
    first = int(hit.removesuffix("+") or 1)
    if _hits[name] == first or (hit.endswith("+") and _hits[name] > first):
        _act(action or "kill", name)


def _act(action: str, name: str) -> None:
    if action in {"kill", "stop", "term", "int"}:
        os.kill(os.getpid(), signal.Signals[f"SIG{action.upper()}"])
        return
    code = int(getattr(errno, action))
    raise OSError(code, os.strerror(code), name)
