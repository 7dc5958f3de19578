"""One stage's Optuna study: proposes params and learns from their scores.

A study lives in memory and holds nothing that the search's own database does not: at a
resume it is rebuilt with :meth:`StageStudy.restore`.
"""

import math
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import optuna
from optuna.trial import TrialState
from threadpoolctl import threadpool_limits

from hpsearch.sampling.distributions import known
from hpsearch.sampling.samplers import SAMPLERS, Ask, Propose, key
from hpsearch.sampling.surrogate.model import Model
from hpsearch.space.space import SearchSpace, decode, encode

STATES = {
    "waiting": TrialState.RUNNING,
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.COMPLETE,
    "stopped": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
}
"""A trial's states in our words and in Optuna's. A trial counts as running once asked, and
one that was stopped early as complete, with the score it had."""

PATIENT = 4
"""After so many duplicates a sampler is no longer asked, but the random one."""

ATTEMPTS = 100
"""After so many duplicates a space is taken for used up."""


class StageStudy:
    """Asks a sampler for params, tells it how they did, never proposes the same twice.

    Parameters
    ----------
    space
        The stage's ranges.
    seed
        The search's seed.
    sampler
        A name in `hpsearch.sampling.samplers.SAMPLERS`.
    first
        The number of the stage's first trial.
    epochs
        After how many epochs a trial of the stage ends.
    model
        What is known of all stages' trials; None: nothing yet.
    beside
        Another study of the same stage: what that one has asked is known here, too.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        sampler: str = "random",
        first: int = 0,
        epochs: float = 1,
        model: Model | None = None,
        beside: "StageStudy | None" = None,
    ) -> None:
        self._space, self._seed, self._sampler, self._first = space, seed, sampler, first
        self._epochs, self._model = epochs, model or Model(space, epochs=epochs)
        self._study = optuna.create_study(direction="maximize")
        self._nobody = self._study.sampler
        self._numbers: dict[int, int] = {}
        self.pending: dict[int, Mapping[str, Any]] = beside.pending if beside else {}
        self.tried: set[str] = beside.tried if beside else set()

    def ask(self, number: int, given: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the params of a trial, in the space's order; it then counts as running.

        What is ``given`` is taken, the rest sampled. None if the space is used up.

        Raises
        ------
        ValueError
            If the number was asked or restored before.
        """
        self._check_new(number)
        for again in range(ATTEMPTS if self._space.free else 1):
            point = given if given and not again else {}
            sampler = self._sampler if again < PATIENT and not point else "random"
            ask = Ask(
                self._seed,
                number,
                number - self._first,
                again,
                self.tried,
                self._model,
                [*self.pending.values()],
                self._epochs,
            )
            found = self._propose(SAMPLERS[sampler], ask, point)
            if found is None:
                return None
            index, params = found
            if key(params) not in self.tried or not self._space.free:
                self._note(number, index, params)
                return params
            self._study.tell(index, state=TrialState.FAIL)
        return None

    def _propose(
        self, propose: Propose, ask: Ask, given: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]] | None:
        if given:
            point = {n: encode(self._space[n], v) for n, v in given.items() if n in self._space}
            self._study.enqueue_trial(point)
        # More threads would be in the workers' way, and other sums than those of one.
        limit = threadpool_limits(1) if self._sampler == "gp" else nullcontext()
        with warnings.catch_warnings(), limit:
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trial = propose(self._study, self._space, ask)
        # Every ask has a sampler of its own, and one that has gone through its space would
        # stop a loop that is not there.
        self._study.sampler = self._nobody
        if trial is None:
            return None
        sampled = {name: decode(self._space[name], v) for name, v in trial.params.items()}
        return trial.number, self._space.complete(sampled)

    def tell(
        self,
        number: int,
        score: float | None,
        state: str = "complete",
        scores: Mapping[float, float | None] | None = None,
    ) -> None:
        """Take note of how a trial ended; without a finite score it counts as failed.

        ``scores`` are the best within some numbers of epochs, if there are more than one.

        Raises
        ------
        KeyError
            If the number was never asked or restored, or the state is unknown.
        ValueError
            If the trial has ended before.
        """
        final = STATES[state]
        if final is TrialState.COMPLETE and (score is None or not math.isfinite(score)):
            final = TrialState.FAIL
        value = score if final is TrialState.COMPLETE else None
        self._study.tell(self._numbers[number], value, final)
        self._model.learn(self.pending.pop(number), scores or {self._epochs: value})

    def learn(self, params: Mapping[str, Any], scores: Mapping[float, float | None]) -> None:
        """Take note of a trial that went on in this stage, by its best within some epochs."""
        score = scores.get(self._epochs)
        if score is not None and self._sampler == "tpe" and self._space.contains(params):
            self._study.add_trial(known(self._space, params, score))
        self._model.learn(params, scores)

    def restore(
        self, number: int, params: Mapping[str, Any], given: Mapping[str, Any] | None = None
    ) -> None:
        """Put back a trial of an interrupted search as running, in the order of asking.

        CMA-ES is asked again, as it was first, so that it finds its way back to where it was.

        Raises
        ------
        KeyError
            If a name is unknown.
        ValueError
            If a value lies outside the space, or the number is there already.
        """
        self._check_new(number)
        if self._sampler == "cmaes" and self.ask(number, given) == dict(params):
            return
        self._study.add_trial(known(self._space, params))
        self._note(number, len(self._study.get_trials(deepcopy=False)) - 1, params)

    def _note(self, number: int, index: int, params: Mapping[str, Any]) -> None:
        self._numbers[number], self.pending[number] = index, params
        self.tried.add(key(params))

    def _check_new(self, number: int) -> None:
        if number in self._numbers:
            raise ValueError(f"trial {number} is in this study already")
