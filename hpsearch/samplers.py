"""Optuna's samplers behind ask and tell; the only file that imports Optuna.

One in-memory study serves one stage. It holds nothing that the search's own database
does not: at a resume it is rebuilt with :meth:`StageStudy.restore`.
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import Study
from optuna.trial import Trial, TrialState

from hpsearch.scales import last_step
from hpsearch.sections import CategoricalDimension, Dimension, IntDimension
from hpsearch.space import SearchSpace, decode, encode
from workers.seeds import Purpose, integer

optuna.logging.set_verbosity(optuna.logging.ERROR)


Distributions = dict[str, BaseDistribution]


def _own_seed(seed: int, number: int) -> int:
    return integer(seed, Purpose.SAMPLE, trial=number)


def _random(study: Study, distributions: Distributions, seed: int, number: int) -> Trial:
    study.sampler = optuna.samplers.RandomSampler(_own_seed(seed, number))
    return study.ask(distributions)


def _tpe(study: Study, distributions: Distributions, seed: int, number: int) -> Trial:
    """Sample where good trials are dense; those still running count as bad ones."""
    study.sampler = optuna.samplers.TPESampler(
        multivariate=True, constant_liar=True, seed=_own_seed(seed, number)
    )
    return study.ask(distributions)


def _sobol(study: Study, distributions: Distributions, seed: int, number: int) -> Trial:
    """Take the scrambled sequence's point of this number.

    Optuna's sampler takes the point after the last one its study noted, and draws the
    study's first trial at random. So a study of its own is told where to go on.
    """
    storage = optuna.storages.InMemoryStorage()
    counter = optuna.create_study(storage=storage)
    sampler = optuna.samplers.QMCSampler(scramble=True, seed=_own_seed(seed, 0))
    trial = optuna.trial.create_trial(state=TrialState.RUNNING)
    point = sampler.sample_relative(counter, trial, distributions)
    if number:
        study_id = storage.get_study_id_from_name(counter.study_name)
        for key in storage.get_study_system_attrs(study_id):
            storage.set_study_system_attr(study_id, key, number - 1)
        point = sampler.sample_relative(counter, trial, distributions)
    study.enqueue_trial(point)
    return study.ask(distributions)


SAMPLERS: dict[str, Callable[[Study, Distributions, int, int], Trial]] = {
    "random": _random,
    "sobol": _sobol,
    "tpe": _tpe,
}
"""The samplers by name: each asks a study for one trial, given the distributions by name,
the search's seed and the trial's number."""

STATES = {
    "waiting": TrialState.RUNNING,
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
"""A trial's states in our words and in Optuna's, which counts a trial as running once asked."""


class StageStudy:
    """One stage's Optuna study: proposes params and learns from their scores.

    Every ask draws from its own seed, derived from the search's seed and the trial's
    number. So a sampler that does not learn (``random``, ``sobol``) proposes the same for a number
    whatever was asked before; one that learns (``tpe``) proposes the same if it was
    asked and told the same in the same order.

    Parameters
    ----------
    space
        The stage's ranges.
    sampler
        A name in `SAMPLERS`.
    seed
        The search's seed.
    direction
        Whether a higher score is better, or a lower one.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        sampler: str = "random",
        direction: Literal["maximize", "minimize"] = "maximize",
    ) -> None:
        self._space, self._seed = space, seed
        self._propose = SAMPLERS[sampler]
        # Sorted, since some samplers draw in this order: what a name gets must not depend
        # on where it stands in the config.
        self._distributions = {name: _distribution(space[name]) for name in sorted(space)}
        self._study = optuna.create_study(direction=direction)
        self._numbers: dict[int, int] = {}

    def ask(self, number: int) -> dict[str, Any]:
        """Return the params of a trial, in the space's order; it then counts as running.

        Raises
        ------
        ValueError
            If the number was asked or restored before.
        """
        self._check_new(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trial = self._propose(self._study, self._distributions, self._seed, number)
        self._numbers[number] = trial.number
        return {name: decode(d, trial.params[name]) for name, d in self._space.items()}

    def tell(self, number: int, score: float | None, state: str = "complete") -> None:
        """Take note of how a trial ended; without a finite score it counts as failed.

        Raises
        ------
        KeyError
            If the number was never asked or restored, or the state is unknown.
        ValueError
            If the trial has ended before.
        """
        value, final = _outcome(score, STATES[state])
        self._study.tell(self._numbers[number], value, final)

    def restore(
        self, number: int, params: Mapping[str, Any], score: float | None, state: str
    ) -> None:
        """Put back a trial of an interrupted search, in the order the trials were asked.

        Raises
        ------
        KeyError
            If the state or a name is unknown.
        ValueError
            If a value lies outside the space, or the number is there already.
        """
        self._check_new(number)
        value, final = _outcome(score, STATES[state])
        encoded = {name: encode(self._space[name], params[name]) for name in self._distributions}
        trial = optuna.trial.create_trial(
            state=final, value=value, params=encoded, distributions=self._distributions
        )
        self._study.add_trial(trial)
        self._numbers[number] = len(self._numbers)

    def _check_new(self, number: int) -> None:
        if number in self._numbers:
            raise ValueError(f"trial {number} is in this study already")


def _outcome(score: float | None, state: TrialState) -> tuple[float | None, TrialState]:
    if state is not TrialState.COMPLETE:
        return None, state
    if score is None or not math.isfinite(score):
        return None, TrialState.FAIL
    return score, state


def _distribution(dimension: Dimension) -> BaseDistribution:
    """Return Optuna's counterpart, of the values that `hpsearch.space.encode` gives."""
    if isinstance(dimension, CategoricalDimension):
        return CategoricalDistribution([json.dumps(choice) for choice in dimension.choices])
    if dimension.log or dimension.step is None:
        if isinstance(dimension, IntDimension):
            return IntDistribution(dimension.low, dimension.high, log=True)
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return IntDistribution(0, last_step(dimension))
