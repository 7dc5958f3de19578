"""What the master knows of each trial, and how trials are put into packs."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Literal

from workers.messages import Checkpoint, EpochReport, Pack, Trial
from workers.nn.spec import NetworkSpec, structure
from workers.training.early_stopping import out_of_patience

Final = Literal["complete", "pruned", "failed"]
Group = tuple[Any, ...]

PACK_SIZES = ((2_000, 64), (20_000, 16), (80_000, 4))
"""Largest pack by parameter count: above the last count the parameters of one network
fill the cache alone, and a pack gains nothing (see benchmarks/README.md)."""


@dataclass(slots=True)
class TrialRecord:
    """The state of one trial: ``waiting``, ``running``, ``complete``, ``pruned``, ``failed``.

    ``score`` is the best score so far, higher being better whatever the metric's
    direction (None before the first epoch), and ``metrics`` belong to that epoch; ``history``
    holds every epoch's score that is finite. ``stage`` is the one it trains in, or the last.
    """

    number: int
    stage: int
    params: Mapping[str, Any]
    spec: NetworkSpec
    epochs: float
    state: str = "waiting"
    attempt: int = 0
    failures: int = 0
    epochs_done: float = 0
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: dict[float, float] = field(default_factory=dict)
    last: Checkpoint | None = None
    reason: str | None = None

    def accepts(self, report: EpochReport) -> bool:
        """Whether a report is of the present attempt and of an epoch not yet counted."""
        return (
            self.state == "running"
            and report.attempt == self.attempt
            and report.epoch > self.epochs_done
        )

    def learn(self, report: EpochReport, score: float | None) -> None:
        """Take in an accepted report; ``score`` is None for one without metrics."""
        self.epochs_done = report.epoch
        if report.checkpoint is not None:
            self.last = report.checkpoint
        if score is not None:
            self.history[report.epoch] = score
        if score is not None and (self.score is None or score > self.score):
            self.score, self.metrics = score, report.metrics

    def score_within(self, epochs: float) -> float | None:
        """Return the best score within so many epochs."""
        if self.epochs_done <= epochs:
            return self.score
        return max(
            (score for epoch, score in self.history.items() if epoch <= epochs), default=None
        )

    def best_within(self, marks: Iterable[float]) -> dict[float, float | None]:
        """Return the best score within each number of epochs that the trial has had.

        Where it was pruned before a mark, its own last epoch stands for that.
        """
        scored = sorted(self.history.items())
        found: dict[float, float | None] = {}
        for mark in sorted(marks):
            within = [(epoch, score) for epoch, score in scored if epoch <= mark]
            if within:
                short = self.state == "pruned" and self.epochs_done < mark
                last = within[-1][0] if short else mark
                found.setdefault(last, max(score for _, score in within))
        return found

    def end_from(self, start: float, epochs: float) -> float:
        """Return the epoch that ended a stage of ``epochs`` in all, of which it had ``start``.

        That is an earlier one if it then ran out of patience, whether it went on later or not.
        """
        scores = [score for epoch, score in sorted(self.history.items()) if epoch >= 1]
        for epoch in range(math.floor(start) + 1, math.floor(min(epochs, len(scores))) + 1):
            if out_of_patience(scores[:epoch], self.spec.patience) is not None:
                return epoch
        return epochs

    def fate(self, report: EpochReport, *, prunes: bool) -> tuple[Final, str | None] | None:
        """Return the final state and the reason if the trial ends with a report, else None."""
        if report.failure is not None:
            return "failed", report.failure
        if report.stopped is not None or report.epoch >= self.epochs:
            return "complete", report.stopped
        return ("pruned", f"pruned in epoch {report.epoch}") if prunes else None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of this trial."""
        return self.state in ("complete", "pruned", "failed")

    @property
    def group(self) -> Group:
        """What trials of one pack have in common; one that failed before goes alone."""
        alone = self.number if self.failures else None
        start = self.last.epoch if self.last else 0
        return (structure(self.spec), self.epochs, start, alone)

    def promote(self, stage: int, epochs: float) -> None:
        """Let a complete trial go on in another stage, to so many epochs in all."""
        self.stage, self.epochs, self.state, self.reason = stage, epochs, "waiting", None

    def message(self) -> Trial:
        """Return what a worker needs to know."""
        return Trial(self.number, self.spec, self.epochs, self.attempt, self.last)


class Waiting:
    """The trials that wait for a worker, by number and in groups that can train together.

    A record's group is taken when it is added, and must not change before it is taken out.
    """

    def __init__(self) -> None:
        self._groups: dict[int, Group] = {}
        self._queues: dict[Group, list[tuple[int, TrialRecord]]] = {}
        # A heap; what was taken out since is dropped when it comes up.
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, record: TrialRecord) -> None:
        """Let a trial wait, if it does not yet."""
        if record.number in self._groups:
            return
        group = self._groups[record.number] = record.group
        heappush(self._queues.setdefault(group, []), (record.number, record))
        heappush(self._numbers, record.number)

    def first(self) -> TrialRecord:
        """Return the trial with the lowest number; raises IndexError if none waits."""
        while self._numbers[0] not in self._groups:
            heappop(self._numbers)
        return self._queues[self._groups[self._numbers[0]]][0][1]

    def take(self, most: int) -> list[TrialRecord]:
        """Take out the first trial and those of its group, lowest numbers first."""
        group = self._groups[self.first().number]
        queue = self._queues[group]
        taken = [heappop(queue)[1] for _ in range(min(most, len(queue)))]
        for record in taken:
            del self._groups[record.number]
        if not queue:
            del self._queues[group]
        return taken


def pack_size(parameters: int, trials: int, workers: int, *, splits: int = 1) -> int:
    """Return how many trials of ``splits`` networks of ``parameters`` values make a pack.

    As many networks as the cache holds, but no more than an even share of the trials at
    hand, so that no worker idles while another has a full pack.

    >>> pack_size(4_000, trials=30, workers=2), pack_size(4_000, trials=100, workers=2)
    (15, 16)
    >>> pack_size(1_000_000, trials=100, workers=2), pack_size(4_000, 100, 2, splits=5)
    (1, 3)
    """
    most = next((size for limit, size in PACK_SIZES if parameters <= limit), 1)
    return max(1, min(most // splits, -(-trials // workers)))


def next_pack(
    waiting: Waiting,
    *,
    number: int,
    remaining: int,
    workers: int,
    parameter_count: Callable[[NetworkSpec], int],
    splits: int = 1,
) -> tuple[Pack, list[TrialRecord]]:
    """Take out the first waiting trial and those that can be trained with it.

    The records are marked as running, each under a new attempt number.
    """
    parameters = parameter_count(waiting.first().spec)
    members = waiting.take(pack_size(parameters, remaining, workers, splits=splits))
    for record in members:
        record.state = "running"
        record.attempt += 1
    return Pack(number, tuple(record.message() for record in members)), members
