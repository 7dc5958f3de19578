"""Optuna's own strategies through its own API, at the same budget on the same clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import Trial, TrialState
from simulated import Curves

from hpsearch.config.search_config import SearchConfig
from hpsearch.sampling.distributions import distribution
from hpsearch.space.space import decode
from workers import messages
from workers.nn.spec import NetworkSpec

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Peer:
    """A sampler from its seed, and a pruner from the longest curve's epochs."""

    sampler: Callable[[int], BaseSampler]
    pruner: Callable[[int], BasePruner]


def _halving(epochs: int) -> BasePruner:
    del epochs
    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def _hyperband(epochs: int) -> BasePruner:
    return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)


def _whole(epochs: int) -> BasePruner:
    del epochs
    return NopPruner()


def _tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed)


PEERS = {
    "Optuna's random": Peer(lambda seed: RandomSampler(seed=seed), _whole),
    "Optuna's TPE": Peer(_tpe, _whole),
    "Optuna's TPE, SuccessiveHalving": Peer(_tpe, _halving),
    "Optuna's TPE, Hyperband": Peer(_tpe, _hyperband),
}


def optimize(
    peer: Peer, config: SearchConfig, curves: Curves, *, final: int, budget: int, workers: int
) -> tuple[NetworkSpec, int]:
    """Return the best network that a study finds, and the ticks that it took.

    A worker asks as soon as it is free, and tells at once. The best is the study's own, or
    of the trials that were pruned if none was trained to the end.
    """
    seed = config.study.seed
    study = optuna.create_study(
        study_name=f"peer {seed}",  # from which Hyperband draws the brackets
        direction="maximize",
        sampler=peer.sampler(seed),
        pruner=peer.pruner(final),
    )
    specs: list[NetworkSpec] = []
    running = [(0, worker, iter(())) for worker in range(workers)]
    used = ticks = 0
    while used < budget:
        ticks, worker, epochs = heappop(running)
        if next(epochs, None) is None:
            trial = study.ask(_distributions(config))
            specs.append(config.spec(_params(config, trial)))
            epochs = _train(study, trial, specs[-1], curves, final)
            next(epochs)
        used += 1
        heappush(running, (ticks + 1, worker, epochs))
    return specs[_best(study)], ticks + 1


def _distributions(config: SearchConfig) -> dict[str, BaseDistribution]:
    return {name: distribution(config.search_space[name]) for name in config.search_space.free}


def _params(config: SearchConfig, trial: Trial) -> dict[str, Any]:
    return {name: decode(config.search_space[name], v) for name, v in trial.params.items()}


def _train(
    study: Study, trial: Trial, spec: NetworkSpec, curves: Curves, final: int
) -> Iterator[int]:
    """Yield after each epoch of a trial, and tell the study how it ended."""
    message = messages.Trial(trial.number, spec, final, 1, None)
    for epoch, score in enumerate(curves([message], range(1, final + 1))[0], 1):
        trial.report(score, epoch)
        ended = epoch == final or trial.should_prune()
        if ended:
            study.tell(trial, score if epoch == final else None, _STATES[epoch == final])
        yield epoch
        if ended:
            return


_STATES = {True: TrialState.COMPLETE, False: TrialState.PRUNED}


def _best(study: Study) -> int:
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    reported = [trial for trial in complete or trials if trial.intermediate_values]
    return max(reported, key=lambda t: (max(t.intermediate_values.values()), -t.number)).number
