"""The master's logic as a state machine without I/O: events in, commands out.

Nothing here reads a clock, a file or a socket, so a whole search with lost workers and
resumes runs in a unit test in milliseconds. `hpsearch.master` performs the commands.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hpsearch import events as ev
from hpsearch.config import SearchConfig
from hpsearch.retention import Retention
from hpsearch.space import SearchSpace
from hpsearch.stage_run import StageRun
from hpsearch.stages import Verdict
from hpsearch.trials import TrialRecord, next_pack
from workers.messages import EpochReport, Pack
from workers.nn.spec import NetworkSpec

Ended = Literal["complete", "failed"]

ASK_AHEAD = 128
"""How many trials may wait for a worker: two of the largest packs."""


@dataclass(frozen=True, slots=True)
class PastStage:
    """A stage that was begun earlier; ``verdicts`` is None if it is not over."""

    space: SearchSpace
    verdicts: tuple[Verdict, ...] | None


class Search:
    """A search in progress.

    Parameters
    ----------
    config
        What to search.
    workers
        How many workers there are, numbered from 0.
    parameter_count
        How many values a network has, from which the size of packs follows.
    """

    def __init__(
        self,
        config: SearchConfig,
        *,
        workers: int,
        parameter_count: Callable[[NetworkSpec], int],
    ) -> None:
        self.config = config
        self.trials: dict[int, TrialRecord] = {}
        self.verdicts: list[tuple[Verdict, ...]] = []
        self.stages: list[StageRun] = []
        self.finished = False
        self._workers = workers
        self._parameter_count = parameter_count
        self._retention = Retention(config.checkpoint.keep_top, config.study.sign)
        self._waiting: dict[int, TrialRecord] = {}
        self._packs: dict[int, Pack] = {}
        self._idle: set[int] = set()
        self._dispatched = 0

    def restore(
        self,
        stages: Sequence[PastStage],
        trials: Iterable[TrialRecord],
        reports: Iterable[EpochReport],
    ) -> None:
        """Take up an interrupted search; called before :meth:`begin`, on a new object.

        Trials that had not ended wait for their next attempt, from their last checkpoint.
        """
        self.trials = {record.number: record for record in trials}
        for report in reports:
            self._learn(self.trials[report.trial], report)
        for record in self.trials.values():
            if record.ended:
                self._retention.end(record.number, complete=record.state == "complete")
            else:
                record.state = "waiting"
                self._waiting[record.number] = record
        for index, past in enumerate(stages):
            stage = StageRun(self.config, index, past.space)
            stage.restore(r for r in self.trials.values() if r.stage == index)
            self.stages.append(stage)
            if past.verdicts is not None:
                self.verdicts.append(past.verdicts)

    def begin(self) -> list[ev.Command]:
        """Open the first stage, or go on where :meth:`restore` left off."""
        if not self.stages:
            return self._open(0, self.config.search_space)
        stage = self.stages[-1]
        if len(self.verdicts) > stage.index:
            return self._follow(stage)
        return self._ask(stage) + self._close(stage) + self._sweep()

    def handle(self, event: ev.Event) -> list[ev.Command]:
        """Change the state by one event and return what is to be done, in order."""
        stage = self.stages[-1]
        commands: list[ev.Command] = []
        match event:
            case ev.WorkerReady(worker):
                commands = self._reclaim(stage, worker, "its worker left the pack early")
                self._idle.add(worker)
            case ev.Reported(_, reports):
                commands = self._take_in(stage, reports)
            case ev.WorkerLost(worker, cause, retry):
                self._idle.discard(worker)
                commands = self._reclaim(stage, worker, cause, retry=retry)
                commands.append(ev.ReplaceWorker(worker))
        commands += self._close(stage)
        return commands + self._dispatch(self.stages[-1])

    # Stages

    def _open(self, index: int, space: SearchSpace) -> list[ev.Command]:
        stage = StageRun(self.config, index, space)
        self.stages.append(stage)
        return [ev.BeginStage(index, stage.name, space.to_json()), *self._ask(stage)]

    def _close(self, stage: StageRun) -> list[ev.Command]:
        """End the stage if it is over, and open the next one."""
        if self.finished or not stage.is_over:
            return []
        _, verdicts = stage.conclude()
        self.verdicts.append(verdicts)
        end = ev.EndStage(stage.index, tuple(verdict.to_json() for verdict in verdicts))
        return [end, *self._follow(stage)]

    def _follow(self, stage: StageRun) -> list[ev.Command]:
        ended_by = next((v.text for v in self.verdicts[stage.index] if v.fatal), None)
        if ended_by is None and stage.index + 1 < len(self.config.stages):
            space, _ = stage.conclude()
            return self._open(stage.index + 1, space)
        self.finished = True
        return [ev.Finish(ended_by)]

    # Trials

    def _ask(self, stage: StageRun) -> list[ev.Command]:
        """Ask for new trials, a little more than the workers need next."""
        commands: list[ev.Command] = []
        for _ in range(min(stage.unasked, ASK_AHEAD - len(self._waiting))):
            record = stage.ask(len(self.trials))
            self.trials[record.number] = self._waiting[record.number] = record
            commands.append(ev.AddTrial(record.number, record.stage, record.params, record.epochs))
        return commands

    def _take_in(self, stage: StageRun, reports: Iterable[EpochReport]) -> list[ev.Command]:
        accepted = [r for r in reports if self.trials[r.trial].accepts(r)]
        commands: list[ev.Command] = [ev.Record(tuple(accepted))] if accepted else []
        for report in accepted:
            record = self.trials[report.trial]
            self._learn(record, report)
            if report.failure is not None:
                commands.append(self._end(stage, record, "failed", report.failure))
            elif report.stopped is not None or report.epoch >= record.epochs:
                commands.append(self._end(stage, record, "complete", report.stopped))
        return commands + self._sweep()

    def _learn(self, record: TrialRecord, report: EpochReport) -> None:
        score = report.metrics.get(self.config.study.metric, math.nan)
        record.learn(report, self.config.study.sign * score if math.isfinite(score) else None)
        if report.checkpoint is not None:
            self._retention.add(report.checkpoint)

    def _end(
        self, stage: StageRun, record: TrialRecord, state: Ended, reason: str | None
    ) -> ev.Command:
        record.state, record.reason = state, reason
        self._retention.end(record.number, complete=state == "complete")
        stage.end(record)
        return ev.EndTrial(record.number, state, reason)

    def _sweep(self) -> list[ev.Command]:
        names = self._retention.sweep()
        return [ev.RemoveCheckpoints(names)] if names else []

    # Workers

    def _reclaim(
        self, stage: StageRun, worker: int, cause: str, *, retry: bool = True
    ) -> list[ev.Command]:
        """Put a worker's unfinished trials back in the queue, or end them if it is hopeless.

        An error that would come again ends a trial only if it was alone in its pack;
        otherwise each of the pack goes on alone, so that the culprit finds itself.
        """
        pack = self._packs.pop(worker, None)
        commands: list[ev.Command] = []
        trials = [self.trials[trial.number] for trial in pack.trials] if pack else []
        for record in (record for record in trials if record.state == "running"):
            record.failures += 1
            note = ev.NoteFailure(record.number, record.attempt, record.epochs_done, cause)
            commands.append(note)
            most = self.config.study.max_failures
            if record.failures > most if retry else len(trials) == 1:
                commands.append(self._end(stage, record, "failed", cause))
            else:
                record.state = "waiting"
                self._waiting[record.number] = record
        return commands + self._sweep()

    def _dispatch(self, stage: StageRun) -> list[ev.Command]:
        commands: list[ev.Command] = []
        while self._idle and self._waiting and not self.finished:
            worker = min(self._idle)
            pack, members = next_pack(
                self._waiting.values(),
                number=self._dispatched,
                remaining=len(self._waiting) + stage.unasked,
                workers=self._workers,
                parameter_count=self._parameter_count,
            )
            self._dispatched += 1
            self._idle.remove(worker)
            self._packs[worker] = pack
            for record in members:
                del self._waiting[record.number]
                commands.append(ev.StartTrial(record.number, record.attempt))
            commands += [*self._ask(stage), ev.Dispatch(worker, pack)]
        return commands
