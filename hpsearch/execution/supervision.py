"""An executor whose workers are replaced when they hang, and not too soon after a loss."""

import time
from collections.abc import Callable, Sequence

from hpsearch.execution.cluster.machine import Memory
from hpsearch.execution.executors import Executor
from hpsearch.execution.timeouts import WorkerTimeouts
from hpsearch.search.events import Event, Reported, WorkerLost
from workers.errors import RunError
from workers.messages import Pack

DESERTED_SECONDS = 120.0
"""How long, beyond a worker's silence, all of them may take to come back."""


class SupervisedExecutor:
    """Another executor, with bounds on every wait for its workers.

    Parameters
    ----------
    executor
        Who trains.
    silence_seconds
        How long a worker may always be silent; ten times the longest epoch if that is more.
    seed
        The search's seed.
    clock
        This process's own monotonic clock.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        silence_seconds: float,
        seed: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor
        self._timeouts = WorkerTimeouts(silence_seconds, seed=seed)
        self._clock = clock

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return self._executor.workers

    @property
    def memory(self) -> Memory:
        """What the least of the machines has that may train."""
        return self._executor.memory

    def submit(self, worker: int, pack: Pack) -> None:
        """Give a pack to a worker that is idle; its silence counts from now on."""
        self._timeouts.watch(worker)
        self._executor.submit(worker, pack)

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        """Let trials leave the pack that a worker trains."""
        self._executor.stop(worker, trials)

    def dismiss(self, worker: int) -> None:
        """End a worker that is lost."""
        self._timeouts.dismiss(worker)
        self._executor.dismiss(worker)

    def replace(self, worker: int) -> None:
        """Start a new worker in place of a lost one, after a wait."""
        self._timeouts.dismiss(worker)
        self._timeouts.postpone(worker, self._clock())

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return what has happened.

        Raises
        ------
        RunError
            If no worker has come back for too long, or the other executor raises it.
        """
        began = self._clock()
        for worker in self._timeouts.due(began):
            self._executor.replace(worker)
        wait = min(timeout_seconds, self._timeouts.next_seconds(began))
        events = self._executor.wait(wait)
        for event in events:
            if isinstance(event, Reported):
                self._timeouts.hear(event.worker)
            else:
                self._timeouts.dismiss(event.worker)
        now = self._clock()
        if not events and now - began < wait:
            time.sleep(wait - (now - began))  # Nobody works: all wait for a replacement.
        hung = self._timeouts.look(self._clock())
        limit = self._timeouts.limit_seconds + DESERTED_SECONDS
        if self._timeouts.deserted_seconds > limit:
            raise RunError(f"no worker came back within {limit:.0f} s; resume when there is room")
        return events + [self._hung(worker) for worker in hung]

    def disconnect(self) -> None:
        """Hear no more of the workers."""
        self._executor.disconnect()

    def close(self) -> None:
        """End all workers at once."""
        self._executor.close()

    def _hung(self, worker: int) -> WorkerLost:
        limit = self._timeouts.limit_seconds
        self.dismiss(worker)
        return WorkerLost(worker, f"it hung: no epoch within {limit:.0f} s")
