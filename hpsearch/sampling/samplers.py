"""Optuna's samplers behind one call: a study, a space and what is asked for, to a trial.

Every proposal draws from a seed of its own, derived from the search's seed and the trial's
number. So it depends on nothing that was asked before, or, where a sampler learns, told.
"""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import Trial, TrialState

from hpsearch.sampling.distributions import distribution, known, suggest
from hpsearch.sampling.surrogate.model import Model, Seen
from hpsearch.space.grid import points
from hpsearch.space.space import SearchSpace, encode
from workers.seeds import Purpose, generator, integer

optuna.logging.set_verbosity(optuna.logging.ERROR)

STARTUP = 10
"""With fewer scores TPE draws at random, as Optuna's has it."""

_SCORED = (TrialState.COMPLETE,)


@dataclass(frozen=True, slots=True)
class Ask:
    """A trial's ``number``, its ``index`` in the stage, and the keys of what was ``tried``.

    ``again`` is how often this number was asked before: its answer was a duplicate. ``model``
    knows how trials have done, those of earlier stages too; of the ``pending`` ones that run
    for ``epochs`` it does not know yet.
    """

    seed: int
    number: int
    index: int
    again: int
    tried: Set[str]
    model: Model
    pending: Sequence[Mapping[str, Any]] = ()
    epochs: float = 1

    @property
    def own_seed(self) -> int:
        """The seed of this very ask."""
        return integer(self.seed, Purpose.SAMPLE, trial=self.number, epoch=self.again)


Propose = Callable[[Study, SearchSpace, Ask], Trial | None]


def key(params: Mapping[str, Any]) -> str:
    """Return what two trials have in common if they are the same configuration."""
    return json.dumps(params, sort_keys=True)


def _drawn(make: Callable[[int], BaseSampler]) -> Propose:
    """Return the proposal by a sampler of Optuna, new for every ask."""

    def propose(study: Study, space: SearchSpace, ask: Ask) -> Trial:
        study.sampler = make(ask.own_seed)
        return suggest(study, space)

    return propose


def _random(seed: int) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed)


def _tpe(study: Study, space: SearchSpace, ask: Ask) -> Trial:
    """Sample where good trials are dense; those still running count as bad ones.

    In a later stage that has too few scores of its own, dense among the trials of all stages
    that have a score after the most epochs of which there are enough (BOHB: Falkner, Klein,
    Hutter 2018, arXiv 1807.01774).
    """
    enough = len(space.free) + 2
    earlier: Sequence[Seen] = ()
    if ask.number > ask.index and len(study.get_trials(False, _SCORED)) < max(enough, STARTUP):
        earlier = ask.model.longest(space, enough)
    startup = enough if earlier else STARTUP
    sampler = optuna.samplers.TPESampler(
        multivariate=True,
        constant_liar=True,
        group=True,
        n_startup_trials=startup,
        seed=ask.own_seed,
    )
    if not earlier:
        study.sampler = sampler
        return suggest(study, space)
    told = optuna.create_study(direction="maximize", sampler=sampler)
    told.add_trials(known(space, seen.params, seen.score) for seen in earlier)
    inside = [params for params in ask.pending if space.contains(params)]
    told.add_trials(known(space, params) for params in inside)
    study.enqueue_trial(suggest(told, space).params)
    return suggest(study, space)


def _cmaes(seed: int) -> BaseSampler:
    """Sample around a mean that moves; choices are drawn at random."""
    return optuna.samplers.CmaEsSampler(
        seed=seed, n_startup_trials=1, warn_independent_sampling=False
    )


def _brute(seed: int) -> BaseSampler:
    """Go through a finite space, conditions included, in a random order."""
    return optuna.samplers.BruteForceSampler(seed=seed)


def _sobol(study: Study, space: SearchSpace, ask: Ask) -> Trial:
    """Take the scrambled sequence's point of this index, conditional dimensions included.

    Optuna's sampler takes the point after the last one its study noted, and draws the
    study's first trial at random. So a study of its own is told where to go on. A
    duplicate (of whole numbers or choices) is replaced by a random point.
    """
    if ask.again:
        return _drawn(_random)(study, space, ask) or study.ask()
    storage = optuna.storages.InMemoryStorage()
    counter = optuna.create_study(storage=storage)
    seed = integer(ask.seed, Purpose.SAMPLE, trial=ask.number - ask.index)
    sampler = optuna.samplers.QMCSampler(scramble=True, seed=seed)
    trial = optuna.trial.create_trial(state=TrialState.RUNNING)
    distributions = {name: distribution(space[name]) for name in space.free}
    point = sampler.sample_relative(counter, trial, distributions)
    if ask.index:
        study_id = storage.get_study_id_from_name(counter.study_name)
        for attribute in storage.get_study_system_attrs(study_id):
            storage.set_study_system_attr(study_id, attribute, ask.index - 1)
        point = sampler.sample_relative(counter, trial, distributions)
    study.enqueue_trial(point)
    return suggest(study, space)


def _grid(study: Study, space: SearchSpace, ask: Ask) -> Trial | None:
    """Take the first point of the grid that was not tried, in a random order."""
    every = points(space)
    rng = generator(ask.seed, Purpose.SAMPLE, trial=ask.number - ask.index)
    for position in rng.permutation(len(every)):
        point = every[position]
        if key(space.complete(point)) not in ask.tried:
            study.enqueue_trial({name: encode(space[name], value) for name, value in point.items()})
            return suggest(study, space)
    return None


def _gp(study: Study, space: SearchSpace, ask: Ask) -> Trial:
    """Take what a Gaussian process expects to improve most on the best after all epochs.

    Until there is something to learn from, points of a Sobol sequence.
    """
    if not ask.model.knows_enough:
        return _sobol(study, space, ask)
    point = ask.model.propose(space, ask.pending, ask.epochs, seed=ask.own_seed)
    study.enqueue_trial({name: encode(space[name], value) for name, value in point.items()})
    return suggest(study, space)


SAMPLERS: dict[str, Propose] = {
    "random": _drawn(_random),
    "sobol": _sobol,
    "grid": _grid,
    "brute": _drawn(_brute),
    "tpe": _tpe,
    "cmaes": _drawn(_cmaes),
    "gp": _gp,
}
"""The samplers by name; None for a trial says that a finite space is used up."""
