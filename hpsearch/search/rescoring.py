"""The last stage of its own: the best configurations trained anew on fresh seeds.

The best of many scores is too good by luck (the winner's curse). A trial's seed follows
from its number, so the same configuration under a new number is a fresh draw.
"""

from collections.abc import Iterable, Sequence

from hpsearch.config.sections.stages import RESCORE
from hpsearch.narrowing.verdicts import Verdict
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import SearchSpace


class RescoringRun:
    """Trains the best complete trials again, each ``seeds`` times; a stage to the search.

    Parameters
    ----------
    index
        Which stage this is: one after the last of the config.
    finalists
        The trials to train again, best first.
    seeds
        How often each.
    first
        The number of the first new trial.
    """

    def __init__(
        self, index: int, finalists: Sequence[TrialRecord], *, seeds: int, first: int
    ) -> None:
        self.index, self.first = index, first
        self.space = SearchSpace({})
        self.trials: list[TrialRecord] = []
        self._plan = [finalist for finalist in finalists for _ in range(seeds)]

    @property
    def name(self) -> str:
        """The stage's name."""
        return RESCORE

    @property
    def num_trials(self) -> int:
        """How many trials the stage has in all."""
        return len(self._plan)

    @property
    def unasked(self) -> int:
        """How many trials are still to be asked for."""
        return len(self._plan) - len(self.trials)

    @property
    def is_over(self) -> bool:
        """Whether every trial has been asked for and has ended."""
        return self.unasked == 0 and all(record.ended for record in self.trials)

    def askable(self, waiting: int) -> int:
        """Return how many trials may be asked for now: all."""
        del waiting
        return self.unasked

    def ask(self, number: int) -> TrialRecord | None:
        """Return a new waiting trial with a finalist's params and epochs."""
        one = self._plan[number - self.first]
        self.trials.append(TrialRecord(number, self.index, one.params, one.spec, one.epochs))
        return self.trials[-1]

    def restore(self, records: Iterable[TrialRecord]) -> None:
        """Take up the trials of an interrupted search."""
        self.trials = sorted(records, key=lambda record: record.number)

    def close(self) -> None:
        """Take note that the stage is over: nothing goes on from here."""

    def end(self, record: TrialRecord) -> None:
        """Take note that a trial is over: nothing is learned from it."""

    def prunes(self, record: TrialRecord, epoch: float) -> bool:
        """Return whether a trial is to end early: never."""
        del record, epoch
        return False

    def leave(self) -> list[TrialRecord]:
        """Return the trials that go on in the next stage: none."""
        return []

    def conclude(self, doubted: str | None) -> tuple[SearchSpace, tuple[Verdict, ...]]:
        """Return no ranges and no verdicts."""
        del doubted
        return self.space, ()
