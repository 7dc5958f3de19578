"""Who works on what: idle workers, packs in training and the trials that wait for one."""

from collections.abc import Callable, Iterable

from hpsearch.search import events as ev
from hpsearch.search.trials import TrialRecord, Waiting, next_pack
from workers.nn.spec import NetworkSpec


class WorkerPool:
    """The workers of a search, numbered from 0, and the queue before them.

    Parameters
    ----------
    workers
        How many there are.
    parameter_count
        How many values a network has, from which the size of packs follows.
    splits
        How many networks a trial has.
    """

    def __init__(
        self, workers: int, parameter_count: Callable[[NetworkSpec], int], *, splits: int = 1
    ) -> None:
        self._workers = workers
        self._parameter_count, self._splits = parameter_count, splits
        self._waiting = Waiting()
        self._packs: dict[int, list[tuple[TrialRecord, int]]] = {}
        self._idle: set[int] = set()
        self._dispatched = 0

    @property
    def waiting(self) -> int:
        """How many trials wait for a worker."""
        return len(self._waiting)

    def queue(self, record: TrialRecord) -> None:
        """Let a trial wait for a worker."""
        record.state = "waiting"
        self._waiting.add(record)

    def ready(self, worker: int) -> None:
        """Take note that a worker is idle."""
        self._idle.add(worker)

    def release(self, worker: int) -> tuple[list[TrialRecord], bool]:
        """Take note that a worker trains no more.

        Return the trials of its pack that had not ended, and whether it was of one trial. One
        that ended here may run elsewhere by now, promoted, under a later attempt.
        """
        self._idle.discard(worker)
        members = self._packs.pop(worker, [])
        running = [
            record
            for record, attempt in members
            if record.state == "running" and record.attempt == attempt
        ]
        return running, len(members) == 1

    def stop(self, trials: Iterable[int]) -> list[ev.Command]:
        """Return the commands that take trials out of the packs that have them."""
        wanted = set(trials)
        stops: list[ev.Command] = []
        for worker, members in sorted(self._packs.items()):
            mine = tuple(record.number for record, _ in members if record.number in wanted)
            if mine:
                stops.append(ev.StopTrials(worker, mine))
        return stops

    def dispatch(self, expected: int) -> list[ev.Command]:
        """Give the next pack to the first idle worker, if there are both.

        ``expected`` trials will come beside those that wait.
        """
        if not self._idle or not self._waiting:
            return []
        worker = min(self._idle)
        pack, members = next_pack(
            self._waiting,
            number=self._dispatched,
            remaining=len(self._waiting) + expected,
            workers=self._workers,
            parameter_count=self._parameter_count,
            splits=self._splits,
        )
        self._dispatched += 1
        self._idle.remove(worker)
        self._packs[worker] = [(record, record.attempt) for record in members]
        starts = [ev.StartTrial(record.number, record.attempt) for record in members]
        return [*starts, ev.Dispatch(worker, pack)]
