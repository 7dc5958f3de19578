"""One stage in progress: the trials asked for, those still open, and what they teach."""

from collections.abc import Iterable

from hpsearch.config import SearchConfig
from hpsearch.samplers import StageStudy
from hpsearch.space import SearchSpace
from hpsearch.stages import StageResult, Verdict, border_verdicts, narrow
from hpsearch.trials import TrialRecord


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
    """

    def __init__(self, config: SearchConfig, index: int, space: SearchSpace) -> None:
        self.index = index
        self.space = space
        self.trials: list[TrialRecord] = []
        self._config = config
        self._stage = config.stages[index]
        self._open = 0
        self._study = StageStudy(space, seed=config.study.seed)

    @property
    def name(self) -> str:
        """The stage's name in the config."""
        return self._stage.name

    @property
    def num_trials(self) -> int:
        """How many trials the stage has in all."""
        return self._stage.num_trials

    @property
    def unasked(self) -> int:
        """How many trials are still to be asked for."""
        return self.num_trials - len(self.trials)

    @property
    def is_over(self) -> bool:
        """Whether every trial has been asked for and has ended."""
        return self.unasked == 0 and self._open == 0

    def ask(self, number: int) -> TrialRecord:
        """Return a new waiting trial."""
        params = self._study.ask(number)
        record = TrialRecord(
            number, self.index, params, self._config.spec(params), self._stage.epochs
        )
        self.trials.append(record)
        self._open += 1
        return record

    def restore(self, records: Iterable[TrialRecord]) -> None:
        """Take up the trials of an interrupted stage."""
        for record in sorted(records, key=lambda record: record.number):
            self.trials.append(record)
            self._open += not record.ended
            self._study.restore(record.number, record.params, record.score, record.state)

    def end(self, record: TrialRecord) -> None:
        """Take note that a trial is over."""
        self._open -= 1
        self._study.tell(record.number, record.score, record.state)

    def conclude(self) -> tuple[SearchSpace, tuple[Verdict, ...]]:
        """Return the next stage's ranges and a verdict on each of this stage's."""
        config = self._config
        results = [
            StageResult(record.number, record.params, record.score)
            for record in self.trials
            if record.state == "complete" and record.score is not None
        ]
        following = config.stages[self.index + 1 :]
        rule = following[0].narrow if following else None
        first, limits = config.search_space, config.limits
        if rule is not None:
            return narrow(self.space, first, results, rule, limits=limits, stage=self.name)
        verdicts = border_verdicts(self.space, results, first=first, limits=limits, stage=self.name)
        return self.space, verdicts
