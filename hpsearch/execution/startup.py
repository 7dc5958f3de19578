"""Workers that are starting: since when, how often in vain, and when to try again."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from workers.errors import RunError

START_SECONDS = 120.0
"""How long the first worker may take."""

START_ATTEMPTS = 3

PATIENCE_SECONDS = 60.0
"""How long a start may take at first; twice as long each time after."""


class WorkerStarts:
    """The starts in progress, each known by a token and the worker's number."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._workers: dict[Any, int] = {}
        self._due: dict[int, float] = {}
        self._tries: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._any = False

    @property
    def tokens(self) -> list[Any]:
        """The tokens of those that are starting."""
        return list(self._workers)

    def begin(self, token: Any, worker: int) -> None:
        """Expect a worker; an earlier start of it counts no more."""
        self._forget(worker)
        self._workers[token] = worker
        self._due[worker] = self._clock() + PATIENCE_SECONDS * 2.0 ** self._tries[worker]
        self._tries[worker] += 1

    def succeed(self, token: Any) -> int:
        """Take note that a worker is there, and return its number."""
        worker = self._workers[token]
        self._forget(worker)
        self._any = True
        del self._tries[worker], self._failures[worker]
        return worker

    def fail(self, token: Any, cause: str) -> int:
        """Take note of a failure, and return the worker's number.

        Raises
        ------
        RunError
            If it is the third in a row.
        """
        worker = self._workers[token]
        self._forget(worker)
        self._failures[worker] += 1
        if self._failures[worker] >= START_ATTEMPTS:
            raise RunError(f"a worker does not start: {cause}")
        return worker

    def overdue(self) -> list[int]:
        """Return who has been starting for too long: messages get lost."""
        now = self._clock()
        return [worker for worker in self._workers.values() if self._due[worker] < now]

    def check(self, room: Callable[[], int]) -> None:
        """Raise RunError if none has ever started; ``room`` tells how many CPUs there are."""
        if not self._any and self._clock() > self._began + START_SECONDS:
            text = f"each needs a CPU, and the cluster has {room()}"
            raise RunError(f"no worker started within {START_SECONDS:.0f} s; {text}")

    def _forget(self, worker: int) -> None:
        self._workers = {token: w for token, w in self._workers.items() if w != worker}
