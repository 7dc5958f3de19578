"""Workers that lie, come back or lose their numbers, in the process of the search."""

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from hpsearch.execution.executors import SerialExecutor
from hpsearch.search.events import Event, Reported, WorkerLost, WorkerReady
from workers.messages import EpochReport
from workers.training import train

Reports = tuple[EpochReport, ...]


def come_back(silent_at: int) -> None:
    """Let a worker count as lost at its n-th report, and report again and again after all.

    What it reports then would win the search if it counted.
    """
    wait = SerialExecutor.wait
    reports = iter(range(10**6))
    ghosts: list[Iterator[Reports]] = []

    def haunted(self: SerialExecutor, timeout_seconds: float) -> list[Event]:
        if ghosts and self._running and not self._events:
            late = next(ghosts[0], None)
            if late is None:
                ghosts.clear()
            else:
                return [Reported(0, tuple(map(_boast, late))), *wait(self, timeout_seconds)]
        before = dict(self._running)
        events = wait(self, timeout_seconds)
        for event in events:
            if isinstance(event, Reported) and next(reports) + 1 == silent_at:
                ghost = before[event.worker]
                ghosts.append(iter([event.reports, *ghost]))
                del self._running[event.worker]
                return [WorkerLost(event.worker, "no report for 60 s")]
        return events

    SerialExecutor.wait = haunted  # type: ignore[method-assign]


def _boast(report: EpochReport) -> EpochReport:
    return replace(report, metrics={**report.metrics, "val_accuracy": 0.99999})


def break_numbers(trials: Collection[int], epoch: int, value: float) -> None:
    """Let the loss of some trials be NaN or infinite at an epoch, with a perfect score."""
    begin = train._Stack.__init__

    def broken(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        train = self._networks.train

        def spoiled(since: float, number: float) -> Any:
            metrics = train(since, number)
            for trial, values in zip(self.trials, metrics, strict=True):
                if trial.number in trials and number >= epoch:
                    values |= {"val_accuracy": 1.0, "val_loss": value}
            return metrics

        self._networks.train = spoiled

    train._Stack.__init__ = broken  # type: ignore[method-assign]


def die_early(after: int) -> None:
    """Let the worker be lost at its n-th report, so that its pack goes on with another."""
    wait = SerialExecutor.wait
    reports = iter(range(10**6))

    def mortal(self: SerialExecutor, timeout_seconds: float) -> list[Event]:
        events = wait(self, timeout_seconds)
        if any(isinstance(e, Reported) for e in events) and next(reports) + 1 == after:
            self._running.clear()
            return [*(e for e in events if isinstance(e, WorkerReady)), WorkerLost(0, "it died")]
        return events

    SerialExecutor.wait = mortal  # type: ignore[method-assign]


NOT_FINITE = (math.nan, math.inf, -math.inf)
