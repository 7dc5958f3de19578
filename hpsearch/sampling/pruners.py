"""Optuna's pruners, and a stage's own that decides by what earlier trials did, never by timing.

A trial is compared with those that were settled before its generation began, and with
its own scores. What another worker happens to have reported meanwhile plays no part, so
the decisions are the same with any number of workers and after any interruption.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.trial import Trial, TrialState, create_trial

from hpsearch.config.sections.pruners import (
    HalvingRule,
    MedianRule,
    PatienceRule,
    PercentileRule,
    PrunerRule,
    ThresholdRule,
    WilcoxonRule,
)
from hpsearch.config.sections.stages import StageConfig
from hpsearch.config.sections.study import StudyConfig

_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def _median(rule: MedianRule, epochs: float, sign: int) -> BasePruner:
    del epochs, sign
    return optuna.pruners.MedianPruner(
        n_startup_trials=rule.startup_trials, n_warmup_steps=rule.warmup_epochs
    )


def _percentile(rule: PercentileRule, epochs: float, sign: int) -> BasePruner:
    del epochs, sign
    return optuna.pruners.PercentilePruner(
        rule.percentile, n_startup_trials=rule.startup_trials, n_warmup_steps=rule.warmup_epochs
    )


def _asha(rule: HalvingRule, epochs: float, sign: int) -> BasePruner:
    del epochs, sign
    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=rule.min_epochs, reduction_factor=rule.reduction_factor
    )


def _hyperband(rule: HalvingRule, epochs: float, sign: int) -> BasePruner:
    del sign
    return optuna.pruners.HyperbandPruner(
        min_resource=rule.min_epochs,
        max_resource=int(epochs),
        reduction_factor=rule.reduction_factor,
    )


def _wilcoxon(rule: WilcoxonRule, epochs: float, sign: int) -> BasePruner:
    del epochs, sign
    return optuna.pruners.WilcoxonPruner(
        p_threshold=rule.p_threshold, n_startup_steps=rule.startup_epochs
    )


def _patience(rule: PatienceRule, epochs: float, sign: int) -> BasePruner:
    del epochs, sign
    return optuna.pruners.PatientPruner(None, patience=rule.patience, min_delta=rule.min_delta)


def _threshold(rule: ThresholdRule, epochs: float, sign: int) -> BasePruner:
    """Bounds are the metric's own values, but scores are higher where better."""
    del epochs
    lower, upper = rule.lower, rule.upper
    if sign < 0:
        lower, upper = (None if bound is None else -bound for bound in (upper, lower))
    return optuna.pruners.ThresholdPruner(
        lower=lower, upper=upper, n_warmup_steps=rule.warmup_epochs
    )


PRUNERS: Mapping[str, Callable[[Any, float, int], BasePruner]] = {
    "median": _median,
    "percentile": _percentile,
    "asha": _asha,
    "hyperband": _hyperband,
    "wilcoxon": _wilcoxon,
    "patience": _patience,
    "threshold": _threshold,
}
"""The pruners by name, each from its rule, the stage's epochs and the metric's sign."""


def stage_pruner(stage: StageConfig, study: StudyConfig, *, live: bool) -> "StagePruner | None":
    """Return who decides which trials of a stage end early; None if nobody does."""
    if stage.pruner is None:
        return None
    return StagePruner(
        stage.pruner, epochs=stage.epochs, sign=study.sign, seed=study.seed, live=live
    )


class StagePruner:
    """Decides which trials of a stage end early.

    Two studies share a storage. The trials that run are in one of them, where pruners put
    down their notes; those that are settled are in the other, and pruners see only that.
    Trials are added, and settled, in one order, so both studies number them alike.

    Parameters
    ----------
    rule
        The pruner and its options.
    epochs
        The stage's last epoch.
    sign
        1 where a higher metric is better, -1 where a lower one is.
    seed
        The search's seed, from which Hyperband's brackets follow.
    live
        Whether to compare with what running trials have reported by now, too.
    """

    def __init__(
        self, rule: PrunerRule, *, epochs: float, sign: int, seed: int, live: bool = False
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._pruner = PRUNERS[rule.type](rule, epochs, sign)
        storage = optuna.storages.InMemoryStorage()
        self._running = self._settled = optuna.create_study(
            storage=storage, study_name=f"running {seed}", direction="maximize"
        )
        if not live:
            self._settled = optuna.create_study(
                storage=storage, study_name=f"settled {seed}", direction="maximize"
            )
        self._storage = storage
        self._takes_notes = isinstance(rule, HalvingRule)
        self._trials: dict[int, Trial] = {}

    def add(self, number: int, history: Mapping[float, float]) -> None:
        """Take up a trial with the scores that it has already, by whole epoch."""
        self._trials[number] = self._running.ask()
        for epoch, score in sorted((int(e), s) for e, s in history.items() if e >= 1):
            if self._takes_notes:
                self.judge(number, epoch, score)
            else:
                self._trials[number].report(score, epoch)

    def judge(self, number: int, epoch: int, score: float) -> bool:
        """Return whether a trial is to end with this epoch; a higher score is better."""
        trial = self._trials[number]
        trial.report(score, epoch)
        frozen = self._storage.get_trial(trial._trial_id)  # noqa: SLF001 (to ask for one trial)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(self._pruner.prune(self._settled, frozen))

    def settle(self, number: int, score: float | None, state: str) -> None:
        """Let later trials be compared with one that has ended."""
        trial = self._trials.pop(number)
        final = _STATES[state] if score is not None else TrialState.FAIL
        value = score if final is TrialState.COMPLETE else None
        if self._settled is self._running:
            self._running.tell(trial, value, final)
            return
        frozen = self._storage.get_trial(trial._trial_id)  # noqa: SLF001
        self._settled.add_trial(
            create_trial(
                state=final,
                value=value,
                intermediate_values=frozen.intermediate_values,
                system_attrs=frozen.system_attrs,
            )
        )
