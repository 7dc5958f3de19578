"""The master's logic as a state machine without I/O: events in, commands out.

Nothing here reads a clock, a file or a socket, so a whole search with lost workers and
resumes runs in a unit test in milliseconds. `hpsearch.run.master` performs the commands.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from hpsearch.config.search_config import SearchConfig
from hpsearch.narrowing.narrow import Verdict
from hpsearch.search import events as ev
from hpsearch.search.retention import Retention, orphaned
from hpsearch.search.stage_sequence import PastStage, Stage, StageSequence
from hpsearch.search.trials import Final, TrialRecord
from hpsearch.search.worker_pool import WorkerPool
from workers.messages import EpochReport
from workers.nn.spec import NetworkSpec


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
        self, config: SearchConfig, *, workers: int, parameter_count: Callable[[NetworkSpec], int]
    ) -> None:
        self.config = config
        self.trials: dict[int, TrialRecord] = {}
        self.finished = False
        self._sequence = StageSequence(config)
        self.stages: Sequence[Stage] = self._sequence.stages
        self.verdicts: Sequence[tuple[Verdict, ...]] = self._sequence.verdicts
        self._pool = WorkerPool(workers, parameter_count, splits=config.data.splits)
        self._retention = Retention(config.checkpoint.keep_top, config.study.sign)

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
        self._sequence.restore(stages, self.trials)
        for record in self.trials.values():
            if record.ended:
                self._retire(record)
            else:
                self._pool.queue(record)

    def begin(self) -> list[ev.Command]:
        """Open the first stage, or go on where :meth:`restore` left off."""
        if not self.stages:
            return self._open()
        if len(self.verdicts) == len(self.stages):
            return self._follow()
        return self._ask() + self._close() + self._sweep()

    def handle(self, event: ev.Event) -> list[ev.Command]:
        """Change the state by one event and return what is to be done, in order."""
        commands: list[ev.Command] = []
        match event:
            case ev.WorkerReady(worker):
                commands = self._reclaim(ev.WorkerLost(worker, "its worker left the pack early"))
                self._pool.ready(worker)
            case ev.Reported(_, reports):
                commands = self._take_in(reports)
            case ev.WorkerLost(worker) as lost:
                commands = self._reclaim(lost)
                commands.append(ev.ReplaceWorker(worker))
        commands += self._close()
        return commands + self._dispatch()

    def _open(self) -> list[ev.Command]:
        """Begin the next stage."""
        going = self._sequence.advance(self.trials)
        stage = self._sequence.current
        commands: list[ev.Command] = [
            ev.BeginStage(stage.index, stage.name, stage.space.to_json(), stage.first)
        ]
        self._retention.promote({record.number for record in going})
        for record in going:
            self._pool.queue(record)
            commands.append(ev.PromoteTrial(record.number, stage.index, record.epochs))
        return commands + self._ask() + self._close() + self._sweep()

    def _close(self) -> list[ev.Command]:
        """End the stage if it is over, and open the next one."""
        stage = self._sequence.current
        if self.finished or not stage.is_over:
            return []
        found, note = self._sequence.conclude(self.trials)
        return [ev.EndStage(stage.index, tuple(v.to_json() for v in found), note), *self._follow()]

    def _follow(self) -> list[ev.Command]:
        ended_by = self._sequence.ended_by
        if ended_by is None and not self._sequence.is_last:
            return self._open()
        self.finished = True
        return [ev.Finish(ended_by)]

    def _ask(self) -> list[ev.Command]:
        """Ask for new trials, as many as may be asked for now."""
        self.config = self._sequence.measure(self.trials)
        stage, commands = self._sequence.current, list[ev.Command]()
        for _ in range(stage.askable(self._pool.waiting)):
            record = stage.ask(len(self.trials))
            if record is None:
                break
            self.trials[record.number] = record
            self._pool.queue(record)
            commands.append(ev.AddTrial(record.number, record.stage, record.params, record.epochs))
        return commands

    def _take_in(self, reports: Sequence[EpochReport]) -> list[ev.Command]:
        accepted = [r for r in reports if self.trials[r.trial].accepts(r)]
        orphans = orphaned(reports, self.trials)
        commands: list[ev.Command] = [ev.Record(tuple(accepted))] if accepted else []
        pruned = []
        for report in accepted:
            record = self.trials[report.trial]
            self._learn(record, report)
            prunes = self._sequence.current.prunes(record, report.epoch)
            if (fate := record.fate(report, prunes=prunes)) is not None:
                commands.append(self._end(record, *fate))
                pruned += [record.number] * (fate[0] == "pruned")
        return [*commands, *self._pool.stop(pruned), *_remove(orphans), *self._sweep()]

    def _learn(self, record: TrialRecord, report: EpochReport) -> None:
        score = report.metrics.get(self.config.study.metric, math.nan)
        record.learn(report, self.config.study.sign * score if math.isfinite(score) else None)
        if report.checkpoint is not None:
            self._retention.add(report.checkpoint)

    def _end(self, record: TrialRecord, state: Final, reason: str | None) -> ev.Command:
        record.state, record.reason = state, reason
        self._retire(record)
        self._sequence.current.end(record)
        return ev.EndTrial(record.number, state, reason)

    def _retire(self, record: TrialRecord) -> None:
        """Let go of a trial's files, but for those that a promotion may still need."""
        self._retention.end(
            record.number,
            complete=record.state == "complete",
            score=self._sequence.standing(record),
            promotable=self._sequence.promotable,
            here=record.stage == self._sequence.current.index,
        )

    def _sweep(self) -> list[ev.Command]:
        return _remove(self._retention.sweep())

    def _reclaim(self, lost: ev.WorkerLost) -> list[ev.Command]:
        """Put a worker's unfinished trials back in the queue, or end them if it is hopeless.

        An error that would come again ends a trial only if it was alone in its pack;
        otherwise each of the pack goes on alone, so that the culprit finds itself.
        """
        commands: list[ev.Command] = []
        running, alone = self._pool.release(lost.worker)
        for record in running:
            record.failures += 1
            note = ev.NoteFailure(record.number, record.attempt, record.epochs_done, lost.cause)
            commands.append(note)
            most = min(self.config.study.max_failures, lost.retries)
            if record.failures > most if lost.retry else alone:
                commands.append(self._end(record, "failed", lost.cause))
            else:
                self._pool.queue(record)
        return commands + self._sweep()

    def _dispatch(self) -> list[ev.Command]:
        """Ask and give out packs until no worker is idle or no trial waits."""
        commands = self._ask() + self._close()
        while not self.finished:
            given = self._pool.dispatch(self._sequence.current.unasked)
            if not given:
                break
            commands += [*given[:-1], *self._ask(), given[-1]]
        return commands


def _remove(names: tuple[str, ...]) -> list[ev.Command]:
    return [ev.RemoveCheckpoints(names)] if names else []
