"""Training as a curve: workers on a clock of their own, and a valley whose optimum is known."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from hpsearch.search.events import Event, Reported, WorkerReady
from workers.messages import Checkpoint, EpochReport, Pack, Trial
from workers.nn.spec import NetworkSpec

NOISE = 0.03
SPEED_EPOCHS = 8.0

Curves = Callable[[Sequence[Trial], range], NDArray[np.float64]]
"""The scores of trials at epochs, ``(trials, epochs)``; the best is the highest."""


@dataclass(frozen=True)
class Valley:
    """A valley on log scales: quadratic in the logarithms, oblique, best at ``optimum``.

    The value is how far below the optimum a configuration ends; 0 is best. ``seed`` is that
    of the noise on the way there.
    """

    optimum: tuple[float, float]
    seed: int = 0

    def regret(self, spec: NetworkSpec) -> float:
        rate = math.log10(spec.learning_rate) - math.log10(self.optimum[0])
        penalty = math.log10(spec.l2) - math.log10(self.optimum[1])
        return float(0.2 * rate**2 + 0.05 * (penalty + rate) ** 2 + 0.5 * spec.dropout**2)

    def curves(self, trials: Sequence[Trial], epochs: range) -> NDArray[np.float64]:
        return np.array([[self._score(trial, epoch) for epoch in epochs] for trial in trials])

    def _score(self, trial: Trial, epoch: int) -> float:
        noise = np.random.default_rng([self.seed, trial.number, epoch]).normal(0, NOISE)
        return -self.regret(trial.spec) - math.exp(-epoch / SPEED_EPOCHS) + float(noise)


class Simulated:
    """An executor whose packs train by curves; an epoch of one network takes one tick."""

    def __init__(self, curves: Curves, *, workers: int = 1) -> None:
        self.workers, self.ticks = workers, 0
        self._curves = curves
        self._events: list[Event] = [WorkerReady(worker) for worker in range(workers)]
        self._due: list[tuple[int, int]] = []
        self._packs: dict[int, Iterator[tuple[EpochReport, ...]]] = {}
        self._stopped: set[int] = set()

    def submit(self, worker: int, pack: Pack) -> None:
        self._packs[worker] = self._train(pack)
        heappush(self._due, (self.ticks + len(pack.trials), worker))

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        del worker
        self._stopped.update(trials)

    def dismiss(self, worker: int) -> None:
        del self._packs[worker]

    def replace(self, worker: int) -> None:
        self._events.append(WorkerReady(worker))

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return what happens next: an epoch of the pack that is first to end one."""
        del timeout_seconds
        if self._events or not self._due:
            events, self._events = self._events, []
            return events
        due, worker = heappop(self._due)
        reports = next(self._packs[worker], None)
        if reports is None:
            return [WorkerReady(worker)]
        self.ticks = due
        heappush(self._due, (due + len(reports), worker))
        return [Reported(worker, reports)]

    def disconnect(self) -> None:
        self._events = []

    def close(self) -> None:
        self._events = []

    def _train(self, pack: Pack) -> Iterator[tuple[EpochReport, ...]]:
        start = pack.trials[0].start
        # Curves know whole epochs: a part of the first counts as one.
        first, last = math.floor(start.epoch if start else 0), math.ceil(pack.trials[0].epochs)
        epochs = range(first + 1, last + 1)
        scores = self._curves(pack.trials, epochs)
        for epoch, column in zip(epochs, scores.T, strict=True):
            going = [i for i, t in enumerate(pack.trials) if t.number not in self._stopped]
            if not going:
                return
            yield tuple(_report(pack.trials[i], epoch, float(column[i])) for i in going)


def _report(trial: Trial, epoch: int, score: float) -> EpochReport:
    saved = Checkpoint(f"{trial.number}/{epoch}", trial.number, epoch, score, 1, "")
    return EpochReport(trial.number, trial.attempt, epoch, {"val_accuracy": score}, 0.0, saved)
