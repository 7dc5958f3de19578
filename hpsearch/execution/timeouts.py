"""When a worker counts as hung, and how long to wait before another takes its place."""

import math
from collections.abc import Iterable

from workers import seeds
from workers.seeds import Purpose

FACTOR = 10
"""How many times the longest epoch so far a worker may be silent."""

LONGEST_SECONDS = 60.0
"""The longest wait before a lost worker is replaced."""

_GAP_SECONDS = 2.0  # A longer time between two looks is the watcher's own absence.


class WorkerTimeouts:
    """Watches how long workers are silent, in seconds that the watcher itself was awake.

    Only the watcher's own clock counts, as the caller gives it to every method.

    Parameters
    ----------
    silence_seconds
        How long a worker may always be silent, however short its epochs are.
    seed
        The search's seed, from which the jitter of waits is drawn.
    """

    def __init__(self, silence_seconds: float, *, seed: int) -> None:
        self._least = silence_seconds
        self._seed = seed
        self._longest = 0.0
        self._silent: dict[int, float] = {}
        self._losses: dict[int, int] = {}
        self._due: dict[int, float] = {}
        self._looked: float | None = None
        self.deserted_seconds = 0.0
        """For how long nobody has been watched, nor any news come."""

    @property
    def limit_seconds(self) -> float:
        """How long a worker may be silent now: a floor, or `FACTOR` times the longest epoch."""
        return max(self._least, FACTOR * self._longest)

    def watch(self, worker: int) -> None:
        """Expect news of a worker from now on."""
        self._silent[worker] = self.deserted_seconds = 0.0

    def hear(self, worker: int) -> None:
        """Take note of a report: it made progress."""
        self._longest = max(self._longest, self._silent.get(worker, 0.0))
        self._silent[worker] = 0.0
        self._losses.pop(worker, None)

    def dismiss(self, worker: int) -> None:
        """Expect no more news of a worker."""
        self._silent.pop(worker, None)
        self.deserted_seconds = 0.0

    def look(self, now: float) -> list[int]:
        """Return who has been silent too long; called every second or so."""
        passed = 0.0 if self._looked is None else min(now - self._looked, _GAP_SECONDS)
        self._looked = now
        self._silent = {worker: spent + passed for worker, spent in self._silent.items()}
        self.deserted_seconds = 0.0 if self._silent else self.deserted_seconds + passed
        limit = self.limit_seconds
        return [worker for worker, spent in self._silent.items() if spent > limit]

    def postpone(self, worker: int, now: float) -> None:
        """Plan a lost worker's replacement: after 1 s, 2 s, 4 s, ... if it makes no progress.

        Half of each wait is jitter, so that workers lost together don't return together.
        """
        losses = self._losses[worker] = self._losses.get(worker, 0) + 1
        wait = min(LONGEST_SECONDS, 2.0 ** (losses - 1))
        draw = seeds.generator(self._seed, Purpose.RETRY, trial=worker, epoch=losses)
        self._due[worker] = now + wait * (0.5 + 0.5 * float(draw.random()))

    def due(self, now: float) -> Iterable[int]:
        """Return whose replacement is due, once."""
        found = [worker for worker, when in self._due.items() if when <= now]
        for worker in found:
            del self._due[worker]
        return found

    def next_seconds(self, now: float) -> float:
        """Return in how many seconds the next replacement is due; infinite if none is."""
        return max(0.0, min(self._due.values(), default=math.inf) - now)
