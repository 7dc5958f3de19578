"""Training as a formula: a learning curve that ends at a function whose optimum is known."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.events import Event, Reported, WorkerReady
from workers.messages import Checkpoint, EpochReport, Pack, Trial
from workers.nn.spec import NetworkSpec

NOISE = 0.03
SPEED_EPOCHS = 8.0


@dataclass(frozen=True)
class Valley:
    """A valley on log scales: quadratic in the logarithms, oblique, best at ``optimum``.

    The value is how far below the optimum a configuration ends; 0 is best.
    """

    optimum: tuple[float, float]

    def regret(self, spec: NetworkSpec) -> float:
        rate = math.log10(spec.learning_rate) - math.log10(self.optimum[0])
        penalty = math.log10(spec.l2) - math.log10(self.optimum[1])
        return float(0.2 * rate**2 + 0.05 * (penalty + rate) ** 2 + 0.5 * spec.dropout**2)


class Formula:
    """An executor of one worker whose packs train by a formula, an epoch at each wait."""

    workers = 1

    def __init__(self, regret: Callable[[NetworkSpec], float], *, seed: int) -> None:
        self._regret, self._seed = regret, seed
        self._events: list[Event] = [WorkerReady(0)]
        self._pack: Iterator[tuple[EpochReport, ...]] = iter(())
        self._stopped: set[int] = set()

    def submit(self, worker: int, pack: Pack) -> None:
        del worker
        self._pack = self._train(pack)

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        del worker
        self._stopped.update(trials)

    def replace(self, worker: int) -> None:
        self._events.append(WorkerReady(worker))

    def wait(self, timeout_seconds: float) -> list[Event]:
        del timeout_seconds
        if self._events:
            events, self._events = self._events, []
            return events
        reports = next(self._pack, None)
        return [WorkerReady(0)] if reports is None else [Reported(0, reports)]

    def close(self) -> None:
        self._events = []

    def _train(self, pack: Pack) -> Iterator[tuple[EpochReport, ...]]:
        start = pack.trials[0].start
        for epoch in range(start.epoch + 1 if start else 1, pack.trials[0].epochs + 1):
            going = [t for t in pack.trials if t.number not in self._stopped]
            if not going:
                return
            yield tuple(self._report(trial, epoch) for trial in going)

    def _report(self, trial: Trial, epoch: int) -> EpochReport:
        noise = np.random.default_rng([self._seed, trial.number, epoch]).normal(0, NOISE)
        score = -self._regret(trial.spec) - math.exp(-epoch / SPEED_EPOCHS) + noise
        saved = Checkpoint(f"{trial.number}/{epoch}", trial.number, epoch, score, 1, "")
        return EpochReport(trial.number, trial.attempt, epoch, {"val_accuracy": score}, 0.0, saved)
