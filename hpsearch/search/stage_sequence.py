"""The stages of a search in their order: those that were begun, and what comes next."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpsearch.config.auto_epochs import Pilot
from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.stages import num_promoted
from hpsearch.narrowing.narrow import Verdict
from hpsearch.narrowing.rank_agreement import Agreement, Curve, agreement
from hpsearch.narrowing.stage_length import measured
from hpsearch.search.observations import surrogate_model
from hpsearch.search.rescoring import RescoringRun
from hpsearch.search.stage_run import StageRun
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import SearchSpace

Stage = StageRun | RescoringRun


@dataclass(frozen=True, slots=True)
class PastStage:
    """A stage that was begun earlier; ``verdicts`` is None if it is not over.

    ``first`` is the number of its first new trial.
    """

    space: SearchSpace
    verdicts: tuple[Verdict, ...] | None
    first: int = 0


class StageSequence:
    """Opens and ends the stages of a config, and the one that scores the best anew."""

    def __init__(self, config: SearchConfig) -> None:
        self.stages: list[Stage] = []
        self.verdicts: list[tuple[Verdict, ...]] = []
        self._config = config

    @property
    def current(self) -> Stage:
        """The stage that was begun last."""
        return self.stages[-1]

    @property
    def promotable(self) -> int:
        """How many of the current stage's trials may go on in the next."""
        index = len(self.stages)
        if not 0 < index < len(self._config.stages):
            return 0
        count = num_promoted(self._config.stages[index], self.current.num_trials)
        return count + self._pilot.trials if count and self._pilot is not None else count

    @property
    def _pilot(self) -> Pilot | None:
        """How the current stage's length is chosen, if it is left to the data."""
        return self._config.pilot if len(self.stages) == 1 else None

    def standing(self, record: TrialRecord) -> float | None:
        """Return by what a trial that has ended competes for going on.

        Before the length of their stage is known, its first trials may all come to be the best.
        """
        first = self._pilot is not None and record.number < self._pilot.trials
        return math.inf if first else record.score

    def restore(self, past: Sequence[PastStage], trials: Mapping[int, TrialRecord]) -> None:
        """Take up the stages of an interrupted search."""
        self.measure(trials)
        for index, stage in enumerate(past):
            self.stages.append(self._make(stage.space, stage.first, trials))
            self.current.restore(r for r in trials.values() if r.stage == index)
            if stage.verdicts is not None:
                self.verdicts.append(stage.verdicts)
                self.current.close()

    def measure(self, trials: Mapping[int, TrialRecord]) -> SearchConfig:
        """Return the config, with its first stage's length once the first trials tell it."""
        config = measured(self._config, trials)
        if config is not self._config:
            self._config = config
            for stage in self.stages:
                if isinstance(stage, StageRun):
                    stage.follow(config)
        return self._config

    def conclude(self, trials: Mapping[int, TrialRecord]) -> tuple[tuple[Verdict, ...], str | None]:
        """End the current stage; return its verdicts, and what is known of a stage's length.

        That is whether the stage before it was long enough to rank, or, of the first one, why it
        is as long as it is, if that was left to the data.
        """
        found = self._agreement(trials)
        doubted = found.stage if found is not None and found.short else None
        _, verdicts = self.current.conclude(doubted)
        self.verdicts.append(verdicts)
        known = found if self.current.index else self._config.length
        return verdicts, None if known is None else f"stage {known.stage}: {known.text}"

    def _agreement(self, trials: Mapping[int, TrialRecord]) -> Agreement | None:
        """Return how well the stage before the current one ranks, if that can be told."""
        firsts = [stage.first for stage in self.stages]
        curves = [
            Curve(
                record.number,
                bisect_right(firsts, record.number) - 1,
                record.stage,
                record.history,
                complete=record.state == "complete",
                pruned=record.state == "pruned",
            )
            for record in trials.values()
        ]
        lengths = [(stage.name, stage.epochs) for stage in self._config.stages]
        return agreement(lengths, self.current.index - 1, curves)

    @property
    def ended_by(self) -> str | None:
        """The verdict of the stage concluded last that ends the search, if there is one."""
        return next((v.text for v in self.verdicts[-1] if v.fatal), None)

    @property
    def is_last(self) -> bool:
        """Whether no stage comes after the current one."""
        return len(self.stages) == len(self._config.stages) + (self._config.rescore is not None)

    def advance(self, trials: Mapping[int, TrialRecord]) -> list[TrialRecord]:
        """Begin the next stage and return the trials that go on in it."""
        space, going = self._config.search_space, list[TrialRecord]()
        if self.stages:
            afters = {verdict.name: verdict.after for verdict in self.verdicts[-1]}
            space = self.current.space.with_ranges(afters)
            going = self.current.leave()
        stage = self._make(space, len(trials), trials)
        if isinstance(stage, StageRun):
            stage.promote(going)
        self.stages.append(stage)
        return going

    def _make(self, space: SearchSpace, first: int, trials: Mapping[int, TrialRecord]) -> Stage:
        index, rule = len(self.stages), self._config.rescore
        if rule is None or index < len(self._config.stages):
            earlier = [record for record in trials.values() if record.number < first]
            firsts = [*(stage.first for stage in self.stages), first]
            model = surrogate_model(self._config, firsts, earlier)
            return StageRun(self._config, index, space, first=first, model=model)
        scored = [
            record
            for record in trials.values()
            if record.state == "complete" and record.number < first and record.score is not None
        ]
        scored.sort(key=lambda record: (-(record.score or -math.inf), record.number))
        return RescoringRun(index, scored[: rule.top], seeds=rule.seeds, first=first)
