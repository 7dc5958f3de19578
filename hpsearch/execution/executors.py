"""Where packs are trained: the interface, and the one that does it in this process."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from hpsearch.execution.cluster import machine
from hpsearch.execution.cluster.machine import Memory
from hpsearch.search.events import Event, Reported, WorkerLost, WorkerReady
from workers.data.dataset import Dataset
from workers.errors import HpsearchError, RunError
from workers.messages import EpochReport, Pack, RunSettings
from workers.training.train import train


class Executor(Protocol):
    """A fixed number of workers, numbered from 0, that train one pack at a time each."""

    @property
    def workers(self) -> int:
        """How many workers there are."""

    @property
    def memory(self) -> Memory:
        """What the least of the machines has that may train."""

    def submit(self, worker: int, pack: Pack) -> None:
        """Give a pack to a worker that is idle."""

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        """Let trials leave the pack that a worker trains; it may be over already."""

    def dismiss(self, worker: int) -> None:
        """End a worker that is lost, whatever it is doing; it is heard no more."""

    def replace(self, worker: int) -> None:
        """Start a new worker in place of one that is lost."""

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return what has happened, after at most about ``timeout_seconds``.

        Raises
        ------
        RunError
            If the cluster is gone, or a worker can't write its checkpoints.
        """

    def disconnect(self) -> None:
        """Hear no more of the workers, and tell them to end; in the main thread."""

    def close(self) -> None:
        """End all workers at once, and wait for it; what they have not reported is lost."""


class SerialExecutor:
    """Trains in this process, one epoch of one pack at each :meth:`wait`.

    For tests and for debugging: a breakpoint anywhere in the training works. Several
    workers take turns.
    """

    def __init__(self, data: Dataset, settings: RunSettings, *, workers: int = 1) -> None:
        self.workers = workers
        self.memory = machine.memory()
        self._data = data
        self._settings = settings
        self._running: dict[int, Iterator[tuple[EpochReport, ...]]] = {}
        self._stopped: set[int] = set()
        self._events: list[Event] = [WorkerReady(worker) for worker in range(workers)]

    def submit(self, worker: int, pack: Pack) -> None:
        """Give a pack to a worker that is idle."""
        self._running[worker] = train(pack, self._data, self._settings, stopped=self._stopped)

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        """Let trials leave the pack before its next epoch."""
        del worker
        self._stopped.update(trials)

    def dismiss(self, worker: int) -> None:
        """Drop the worker's pack."""
        self._running.pop(worker, None)

    def replace(self, worker: int) -> None:
        """Make the worker ready again."""
        self._events.append(WorkerReady(worker))

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Train one epoch of the pack that has waited longest."""
        del timeout_seconds
        if not self._events and self._running:
            self._events.append(self._advance(next(iter(self._running))))
        events, self._events = self._events, []
        return events

    def _advance(self, worker: int) -> Event:
        pack = self._running.pop(worker)
        try:
            reports = next(pack)
        except StopIteration:
            return WorkerReady(worker)
        except RunError:
            raise  # The disk's fault, not the trial's: the run stops, and can go on.
        except HpsearchError as error:
            return WorkerLost(worker, f"{type(error).__name__}: {error}", retry=False)
        self._running[worker] = pack
        return Reported(worker, reports)

    def disconnect(self) -> None:
        """Drop all packs."""
        self._running.clear()

    def close(self) -> None:
        """Drop all packs."""
        self.disconnect()
