"""One stage in progress: the trials asked for, those still open, and what they teach.

A sampler that learns, or a pruner that compares, would answer by who came first. So where
`study.reproducible` holds, their trials come in generations: all of one are asked for
before any of its results is told, and its results are told, in the order of the trials'
numbers, when all of it has ended. The size is the config's, whatever the workers.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.stages import LEARNING, num_promoted
from hpsearch.narrowing.narrow import StageResult, Verdict, conclude, promoted
from hpsearch.sampling.pruners import stage_pruner
from hpsearch.sampling.surrogate.model import Model
from hpsearch.search.exploration import Exploration
from hpsearch.search.observations import learned
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import SearchSpace

ASK_AHEAD = 128
"""How many trials may wait for a worker where nothing is learned: two of the largest packs."""


class StageRun:
    """The stage ``index`` of a search, sampling from ``space``.

    Parameters
    ----------
    config
        The search's config.
    index
        Which of its stages this is, from 0.
    space
        The ranges of this stage.
    first
        The number of its first new trial; promoted ones have lower numbers.
    model
        What the stages before have taught, and what this one's trials are told to; None: nothing.
    """

    def __init__(
        self,
        config: SearchConfig,
        index: int,
        space: SearchSpace,
        *,
        first: int = 0,
        model: Model | None = None,
    ) -> None:
        self.index, self.space, self.first = index, space, first
        self.trials: list[TrialRecord] = []
        self.follow(config)
        self._points = config.enqueue if index == 0 else ()
        self._model = model or Model(config.search_space, epochs=self._stage.epochs)
        self._studies = Exploration(config, index, space, first=first, model=self._model)
        learns = self._stage.sampler in LEARNING or self._stage.compares
        self._lockstep = learns and config.study.reproducible
        self._ahead = self._stage.generation if learns else ASK_AHEAD
        self._pruner = stage_pruner(self._stage, config.study, live=not self._lockstep)
        self._generation: list[TrialRecord] = []
        self._asked = 0
        self._exhausted = False

    def follow(self, config: SearchConfig) -> None:
        """Go by a config, which may be the search's with a length that was left to the data."""
        self._config, self._stage = config, config.stages[self.index]

    @property
    def name(self) -> str:
        """The stage's name in the config."""
        return self._stage.name

    @property
    def num_trials(self) -> int:
        """How many trials the stage has in all: new ones, and promoted ones not gone on."""
        return len(self.trials) + self.unasked

    @property
    def unasked(self) -> int:
        """How many trials are still to be asked for."""
        return 0 if self._exhausted else self._stage.num_trials - self._asked

    @property
    def is_over(self) -> bool:
        """Whether every trial has been asked for and has ended."""
        return self.unasked == 0 and all(record.ended for record in self._generation)

    def askable(self, waiting: int) -> int:
        """Return how many trials may be asked for now, with so many waiting for a worker."""
        if self._lockstep:
            waiting = sum(record.number >= self.first for record in self._generation)
        most, pilot = self.unasked, self._config.pilot
        if self.index == 0 and pilot is not None and pilot.length is None:
            most = min(most, pilot.trials - self._asked)
        return max(0, min(most, self._ahead - waiting))

    def ask(self, number: int) -> TrialRecord | None:
        """Return a new waiting trial, or None if the space is used up."""
        params = self._studies.of(number).ask(number, self._given(number))
        if params is None:
            self._exhausted = True
            return None
        epochs = self._config.epochs(self.index, number)
        record = TrialRecord(number, self.index, params, self._config.spec(params), epochs)
        self._asked += 1
        self._take(record)
        return record

    def _given(self, number: int) -> Mapping[str, Any] | None:
        position = number - self.first
        return self._points[position] if position < len(self._points) else None

    def _take(self, record: TrialRecord) -> None:
        self.trials.append(record)
        self._generation.append(record)
        if self._pruner is not None:
            self._pruner.add(record.number, record.history)

    def promote(self, records: Iterable[TrialRecord]) -> None:
        """Let trials of the stage before go on in this one; before anything is asked."""
        for record in sorted(records, key=lambda record: record.number):
            record.promote(self.index, self._stage.epochs)
            self._take(record)

    def restore(self, records: Iterable[TrialRecord]) -> None:
        """Take up the trials of an interrupted stage, in the portions that they came in."""
        for record in sorted(records, key=lambda record: record.number):
            if record.number >= self.first:
                if self._lockstep and self.askable(0) == 0:
                    self._settle()
                given = self._given(record.number)
                self._studies.of(record.number).restore(record.number, record.params, given)
                self._asked += 1
            self._take(record)
        self._settle()

    def close(self) -> None:
        """Take note that the stage is over: what it asked for may have gone on since."""
        self._exhausted = True

    def end(self, record: TrialRecord) -> None:
        """Take note that a trial is over."""
        del record
        self._settle()

    def _settle(self) -> None:
        """Tell the results of a generation that has ended, or of every trial that has."""
        if self._lockstep and not all(record.ended for record in self._generation):
            return
        for record in [record for record in self._generation if record.ended]:
            scores = learned(self._config, self.index, record, new=record.number >= self.first)
            if record.number >= self.first:
                study = self._studies.of(record.number)
                study.tell(record.number, record.score, record.state, scores)
            else:
                self._studies.inside.learn(record.params, scores)
            if self._pruner is not None:
                self._pruner.settle(record.number, record.score, record.state)
        self._generation = [record for record in self._generation if not record.ended]

    def prunes(self, record: TrialRecord, epoch: float) -> bool:
        """Return whether a trial is to end early, with the score of this epoch."""
        score = record.history.get(epoch)
        if self._pruner is None or score is None:
            return False
        return self._pruner.judge(record.number, int(epoch), score) and epoch < record.epochs

    def leave(self) -> list[TrialRecord]:
        """Return the trials that go on in the next stage, which are then no longer here."""
        following = self._config.stages[self.index + 1 :]
        count = num_promoted(following[0], len(self.trials)) if following else 0
        if count == 0:
            return []
        complete = {record.number for record in self.trials if record.state == "complete"}
        numbers = promoted([r for r in self._results() if r.number in complete], count)
        going = [record for record in self.trials if record.number in numbers]
        self.trials = [record for record in self.trials if record.number not in numbers]
        return going

    def _results(self) -> list[StageResult]:
        # A search's first trials may have had more epochs than the rest.
        until = self._stage.epochs
        return [
            StageResult(record.number, record.params, score)
            for record in self.trials
            if record.state != "failed" and (score := record.score_within(until)) is not None
        ]

    def conclude(self, doubted: str | None) -> tuple[SearchSpace, tuple[Verdict, ...]]:
        """Return the next stage's ranges and a verdict on each of this stage's.

        ``doubted`` is the stage before it, if that was too short to rank.
        """
        return conclude(self._config, self.index, self.space, self._results(), doubted)
