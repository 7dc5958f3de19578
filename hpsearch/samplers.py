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
from optuna.trial import TrialState

from hpsearch.scales import on_grid
from hpsearch.sections import CategoricalDimension, Dimension, IntDimension
from hpsearch.space import SearchSpace
from workers.seeds import Purpose, integer

optuna.logging.set_verbosity(optuna.logging.ERROR)


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)


SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed),
    "tpe": _tpe,
}
"""The samplers by name; each makes a sampler from the seed of one ask."""

STATES = {
    "waiting": TrialState.RUNNING,
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
"""A trial's states in our words and in Optuna's, which counts a trial as running once asked."""


class StageStudy:
    """One stage's Optuna study: proposes params and learns from their scores.

    Every ask draws from its own seed, derived from the search's seed and the trial's
    number. So a sampler that does not learn (``random``) proposes the same for a number
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
        self._make = SAMPLERS[sampler]
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
        seed = integer(self._seed, Purpose.SAMPLE, trial=number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = self._make(seed)
            trial = self._study.ask(self._distributions)
        self._numbers[number] = trial.number
        return {name: _decode(d, trial.params[name]) for name, d in self._space.items()}

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
        encoded = {name: _encode(self._space[name], params[name]) for name in self._distributions}
        trial = optuna.trial.create_trial(
            state=final, value=value, params=encoded, distributions=self._distributions
        )
        self._numbers[number] = len(self._numbers)
        self._study.add_trial(trial)

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
    if isinstance(dimension, CategoricalDimension):
        return CategoricalDistribution([json.dumps(choice) for choice in dimension.choices])
    low, high, log, step = dimension.low, dimension.high, dimension.log, dimension.step
    if step is not None:
        # Optuna warns of a high that no number of steps reaches.
        high = on_grid(dimension, math.floor((high - low) / step + 1e-9))
    if isinstance(dimension, IntDimension):
        return IntDistribution(int(low), int(high), log=log, step=dimension.step)
    return FloatDistribution(low, high, log=log, step=step)


def _encode(dimension: Dimension, value: Any) -> Any:
    return json.dumps(value) if isinstance(dimension, CategoricalDimension) else value


def _decode(dimension: Dimension, value: Any) -> Any:
    if isinstance(dimension, CategoricalDimension):
        return next(choice for choice in dimension.choices if json.dumps(choice) == value)
    return int(value) if isinstance(dimension, IntDimension) else float(value)
