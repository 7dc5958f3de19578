"""A search space in Optuna's terms: what a study's trial is asked for, and what it knows."""

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from hpsearch.space.dimensions import (
    CategoricalDimension,
    Dimension,
    FixedDimension,
    IntDimension,
    is_active,
)
from hpsearch.space.scales import last_step
from hpsearch.space.space import SearchSpace, decode, encode


def suggest(study: Study, space: SearchSpace) -> Trial:
    """Ask the study for a trial and let its sampler suggest every active dimension."""
    trial = study.ask()
    params: dict[str, Any] = {}
    for name in space.free:
        dimension = space[name]
        if is_active(dimension, space.complete(params)):
            params[name] = decode(dimension, _suggested(trial, name, dimension))
    return trial


def _suggested(trial: Trial, name: str, dimension: Dimension) -> Any:
    match distribution(dimension):
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution() as whole:
            return trial.suggest_int(name, whole.low, whole.high, step=whole.step, log=whole.log)
        case FloatDistribution() as real:
            return trial.suggest_float(name, real.low, real.high, log=real.log)


def distribution(dimension: Dimension) -> BaseDistribution:
    """Return Optuna's counterpart, of the values that `hpsearch.space.space.encode` gives."""
    if isinstance(dimension, FixedDimension):
        return CategoricalDistribution([encode(dimension, dimension.value)])
    if isinstance(dimension, CategoricalDimension):
        return CategoricalDistribution([json.dumps(choice) for choice in dimension.choices])
    if dimension.log or dimension.step is None:
        if isinstance(dimension, IntDimension):
            return IntDistribution(dimension.low, dimension.high, log=True)
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return IntDistribution(0, last_step(dimension))


def known(space: SearchSpace, params: Mapping[str, Any], score: float | None = None) -> FrozenTrial:
    """Return a trial as Optuna has it: complete with its score, or running without one."""
    names = [name for name in space.free if name in params]
    return create_trial(
        state=TrialState.RUNNING if score is None else TrialState.COMPLETE,
        value=score,
        params={name: encode(space[name], params[name]) for name in names},
        distributions={name: distribution(space[name]) for name in names},
    )
