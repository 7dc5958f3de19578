"""A whole search on fake workers: any order of events, late stops, crashes at any point."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hpsearch.config.search_config import SearchConfig
from hpsearch.narrowing.verdicts import Verdict
from hpsearch.search import events as ev
from hpsearch.search.search import Search
from hpsearch.search.stage_sequence import PastStage
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import SearchSpace
from tests.support import a_checkpoint
from workers.messages import EpochReport, Trial
from workers.training.early_stopping import out_of_patience

Score = Callable[[Trial, float], float]


def by_params(trial: Trial, epoch: float) -> float:
    """Return a score that rises with the epochs, to a height that the params decide."""
    rate, dropout = trial.spec.learning_rate, trial.spec.dropout
    height = 1 - abs(rate - 0.1) - float(dropout)  # type: ignore[arg-type]
    luck = random.Random(1000 * trial.number + epoch).random() / 5
    return height - 1 / (1 + epoch) + luck


class SimulatedSearch:
    """A search, what it has written down, and workers that pretend to train."""

    def __init__(
        self, config: SearchConfig, *, workers: int = 1, size: int = 1_000, score: Score = by_params
    ) -> None:
        self.config, self.workers, self.size, self.score = config, workers, size, score
        self.stages: list[dict[str, Any]] = []
        self.trials: dict[int, dict[str, Any]] = {}
        self.epochs: dict[tuple[int, float], EpochReport] = {}
        self.files: set[str] = set()
        self.notes: list[str | None] = []
        self.trained = 0
        self.stops = 0
        self.begin()

    def begin(self) -> None:
        """Start a new master, and new workers, from what is written down."""
        self.ready = list(range(self.workers))
        self.busy: dict[int, tuple[list[Trial], float]] = {}
        self.unheard: list[ev.StopTrials] = []
        self.search = Search(self.config, workers=self.workers, parameter_count=lambda _: self.size)
        reports = []
        for _, report in sorted(self.epochs.items()):
            saved = report.checkpoint
            gone = saved is not None and saved.name not in self.files
            reports.append(replace(report, checkpoint=None) if gone else report)
        self.search.restore(
            [PastStage(**stage) for stage in self.stages],
            [TrialRecord(number=n, **t) for n, t in self.trials.items()],
            reports,
        )
        self.files &= {r.checkpoint.name for r in reports if r.checkpoint is not None}
        self.perform(self.search.begin())

    def perform(self, commands: Sequence[ev.Command]) -> None:
        for command in commands:
            self._write(command)
        for command in commands:
            match command:
                case ev.Dispatch(worker, pack):
                    starts = {t.start.epoch if t.start else 0 for t in pack.trials}
                    assert len(starts) == 1
                    assert all(t.start is None or t.start.name in self.files for t in pack.trials)
                    self.busy[worker] = (list(pack.trials), starts.pop())
                case ev.ReplaceWorker(worker):
                    self.ready.append(worker)
                case ev.StopTrials():
                    self.stops += 1
                    self.unheard.append(command)

    def _write(self, command: ev.Command) -> None:
        match command:
            case ev.BeginStage(_, _, space, first):
                past = {"space": SearchSpace.from_json(space), "verdicts": None, "first": first}
                self.stages.append(past)
            case ev.EndStage(stage, verdicts, note):
                self.notes.append(note)
                self.stages[stage]["verdicts"] = tuple(map(Verdict.from_json, verdicts))
            case ev.Record(reports):
                for report in reports:
                    done = max((e for n, e in self.epochs if n == report.trial), default=0)
                    assert done < report.epoch <= done + 1, "epochs come once and without gaps"
                    self.epochs[report.trial, report.epoch] = report
            case ev.RemoveCheckpoints(names):
                assert set(names) <= self.files
                self.files -= set(names)
            case _:
                self._write_trial(command)

    def _write_trial(self, command: ev.Command) -> None:
        match command:
            case ev.AddTrial(number, stage, params, epochs):
                assert number == len(self.trials)
                spec = self.config.spec(params)
                some = {"stage": stage, "params": params, "spec": spec, "epochs": epochs}
                self.trials[number] = some | {"state": "waiting", "attempt": 0, "failures": 0}
            case ev.PromoteTrial(number, stage, epochs):
                assert self.trials[number]["state"] == "complete"
                assert self.trials[number]["epochs"] < epochs
                self.trials[number] |= {"stage": stage, "epochs": epochs, "state": "waiting"}
            case ev.StartTrial(number, attempt):
                assert self.trials[number]["state"] in ("waiting", "running")
                self.trials[number] |= {"state": "running", "attempt": attempt}
            case ev.NoteFailure(number, _, _, _):
                self.trials[number]["state"] = "waiting"
                self.trials[number]["failures"] += 1
            case ev.EndTrial(number, state, _):
                assert self.trials[number]["state"] in ("waiting", "running")
                self.trials[number]["state"] = state

    def step(self, chance: random.Random) -> None:
        """Let one of the workers do what it does next."""
        worker = chance.choice([*self.ready, *self.busy])
        if worker in self.ready:
            self.ready.remove(worker)
            self.perform(self.search.handle(ev.WorkerReady(worker)))
            return
        trials, epoch = self.busy.pop(worker)
        for stop in [s for s in self.unheard if s.worker == worker and chance.random() < 0.5]:
            self.unheard.remove(stop)
            trials = [trial for trial in trials if trial.number not in stop.trials]
        if not trials or epoch == trials[0].epochs:
            self.unheard = [stop for stop in self.unheard if stop.worker != worker]
            self.perform(self.search.handle(ev.WorkerReady(worker)))
            return
        self.trained += len(trials)
        epoch = min(math.floor(epoch) + 1, trials[0].epochs)
        reports = tuple(self._report(trial, epoch) for trial in trials)
        left = [t for t, report in zip(trials, reports, strict=True) if report.stopped is None]
        self.busy[worker] = (left, epoch)
        self.files |= {r.checkpoint.name for r in reports if r.checkpoint is not None}
        self.perform(self.search.handle(ev.Reported(worker, reports)))

    def _report(self, trial: Trial, epoch: float) -> EpochReport:
        score = self.score(trial, epoch)
        saved = a_checkpoint(trial.number, epoch, score)
        metrics = {"val_accuracy": score}
        scores = [self.score(trial, before) for before in range(1, math.floor(epoch) + 1)]
        stopped = out_of_patience(scores, trial.spec.patience)
        report = EpochReport(trial.number, trial.attempt, epoch, metrics, 0.1, saved)
        return replace(report, stopped=stopped)

    def finish(self, *, seed: int = 0, crashes: float = 0.0) -> "SimulatedSearch":
        """Go on until the search is over; with ``crashes``, the master dies now and then."""
        chance = random.Random(seed)
        while not self.search.finished:
            if chance.random() < crashes:
                self.begin()
            elif self.busy and chance.random() < crashes:
                worker = chance.choice([*self.busy])
                del self.busy[worker]
                self.perform(self.search.handle(ev.WorkerLost(worker, "its node died")))
            else:
                self.step(chance)
        return self

    def table(self) -> Any:
        """Return all that may not depend on how the search went."""
        fates = {
            n: (t["stage"], t["params"], t["epochs"], t["state"]) for n, t in self.trials.items()
        }
        scores = {key: report.metrics for key, report in self.epochs.items()}
        return fates, scores, self.stages, self.files - self.late_files

    @property
    def late_files(self) -> set[str]:
        """What a pruned trial wrote just before a crash: the master's `tidy` removes it."""
        known = {r.checkpoint.name for r in self.epochs.values() if r.checkpoint is not None}
        return self.files - known
