"""What the sections of a config must keep together: each contradiction in one line."""

import json

from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.pruners import HalvingRule
from hpsearch.config.sections.stages import ENUMERATING, RESCORE, StageConfig, num_promoted
from hpsearch.space.dimensions import FloatDimension, Numeric
from hpsearch.space.space import SearchSpace, describe, text_of
from workers.data.preprocessing import PREPROCESSORS
from workers.errors import InputError
from workers.nn.metrics.metrics import metric_of


def check(config: SearchConfig) -> None:
    """Raise InputError for sections that are right alone and wrong together."""
    _check_metric(config)
    if config.checkpoint.keep_top < config.ensemble.size:
        sizes = f"{config.checkpoint.keep_top} and {config.ensemble.size}"
        raise InputError(
            "checkpoint.keep_top must be at least ensemble.size", sizes, "raise keep_top"
        )
    for preprocessor in [
        step for chain in (config.data.preprocess, *config.chains) for step in chain
    ]:
        if preprocessor not in PREPROCESSORS:
            known = f"preprocess takes {', '.join(PREPROCESSORS)}"
            raise InputError(known, repr(preprocessor), "pick one of them")
    _check_names(config)
    _check_enqueued(config)
    trials = 0
    for before, stage in zip((None, *config.stages), config.stages, strict=False):
        where = f"stage {stage.name!r}"
        _check_sources(where, stage, before, trials)
        _check_sampler(where, stage, config.search_space)
        _check_pruner(where, stage)
        trials = stage.num_trials + num_promoted(stage, trials)
    total = sum(stage.num_trials for stage in config.stages)
    if config.rescore and config.rescore.top > total:
        got = f"{config.rescore.top} of {total}"
        raise InputError("rescore.top must not be above the number of trials", got, "lower top")


def _check_metric(config: SearchConfig) -> None:
    metric, task = config.study.metric, config.data.task
    found = metric_of(metric)
    if found is not None and found.task != task:
        remedy = "use val_loss" if task == "classification" else "use val_mse"
        raise InputError("study.metric must fit data.task", f"{metric} and {task}", remedy)
    if metric.startswith("ema_") and config.checkpoint.ema_decay == 0:
        raise InputError(
            f"metric {metric} needs a running average", "checkpoint.ema_decay 0", "set it to 0.995"
        )


def _check_names(config: SearchConfig) -> None:
    names = [stage.name for stage in config.stages] + [RESCORE] * (config.rescore is not None)
    for name in names:
        if names.count(name) > 1:
            raise InputError("a stage's name may stand once", repr(name), "rename one of them")


def _check_enqueued(config: SearchConfig) -> None:
    seen = set()
    for number, point in enumerate(config.enqueue):
        where, key = f"enqueue.{number}", json.dumps(point, sort_keys=True)
        for name, value in point.items():
            if name not in config.search_space:
                known = ", ".join(config.search_space)
                raise InputError(f"{where} takes {known}", repr(name), "correct the name")
            if not config.search_space.takes(name, value):
                inside = describe(config.search_space[name])
                rule = f"{where}.{name} must lie in {inside}"
                raise InputError(rule, text_of(value), "widen the range or remove the point")
        if key in seen:
            raise InputError(f"{where} stands in the list already", key, "remove one of them")
        seen.add(key)
    first = config.stages[0]
    if len(config.enqueue) > first.num_trials:
        got = f"{len(config.enqueue)} points and {first.num_trials} trials"
        raise InputError("enqueue must fit into the first stage", got, "raise its num_trials")


def _check_sources(where: str, stage: StageConfig, before: StageConfig | None, trials: int) -> None:
    """Check where a stage's trials and ranges come from; ``trials`` are in the one before."""
    if stage.num_trials == 0 and stage.promote is None:
        raise InputError(f"{where} has nothing to do", "num_trials 0", "set num_trials or promote")
    if before is None:
        for key in ("narrow", "promote"):
            if getattr(stage, key) is not None:
                rule = f"the first stage has no results to {key} from"
                raise InputError(rule, f"{key} in {where}", "move it to a later stage")
        return
    if stage.epochs < 1:
        rule = f"{where} must train whole epochs: only the first stage may have a part of one"
        raise InputError(rule, f"epochs {stage.epochs}", "set epochs to 1 or more")
    if isinstance(stage.promote, int) and stage.promote > trials:
        rule = f"{where} can promote at most the {trials} trials of {before.name!r}"
        raise InputError(rule, f"promote {stage.promote}", "lower promote")
    if stage.promote is not None and stage.epochs <= before.epochs:
        rule = f"{where} leaves promoted trials nothing to do: epochs are totals"
        got = f"{stage.epochs} epochs after {before.epochs}"
        raise InputError(rule, got, f"set epochs above {before.epochs}")
    if stage.narrow is not None:
        _check_narrowing(where, stage, before, trials)


def _check_narrowing(where: str, stage: StageConfig, before: StageConfig, trials: int) -> None:
    if stage.num_trials == 0:
        rule = f"{where} narrows ranges that nothing is sampled from"
        raise InputError(rule, "num_trials 0", "set num_trials or remove narrow")
    if trials < 2:
        rule = f"{where} can't narrow from fewer than 2 trials"
        raise InputError(rule, f"{trials} in {before.name!r}", "raise its num_trials")
    keep = stage.narrow.keep_top if stage.narrow else 1
    if isinstance(keep, int) and keep > trials:
        rule = f"{where}: narrow.keep_top must not be above the {trials} trials of {before.name!r}"
        raise InputError(rule, str(keep), "lower keep_top")


def _check_sampler(where: str, stage: StageConfig, space: SearchSpace) -> None:
    for name, value in (stage.fixed or {}).items():
        if name not in space:
            known = ", ".join(space)
            raise InputError(f"{where}: fixed takes {known}", repr(name), "correct the name")
        if not space.takes(name, value):
            rule = f"{where}: fixed.{name} must lie in {describe(space[name])}"
            raise InputError(rule, text_of(value), "correct the value")
    space = space.with_fixed(stage.fixed or {})
    sampler = stage.sampler
    for name in space.free:
        dimension = space[name]
        if sampler in ENUMERATING and isinstance(dimension, FloatDimension) and not dimension.step:
            rule = f"{where}: {sampler} needs a finite space"
            raise InputError(rule, f"{name} {describe(dimension)}", "give it a step or choices")
        if sampler in ("cmaes", "grid") and dimension.when:
            rule = f"{where}: {sampler} takes no conditional dimensions"
            remedy = "use brute" if sampler == "grid" else "use tpe"
            raise InputError(rule, f"{name} with when", remedy)
    if sampler == "cmaes" and sum(isinstance(space[n], Numeric) for n in space.free) < 2:
        rule = f"{where}: cmaes needs at least two ranges"
        raise InputError(rule, ", ".join(space.free) or "none", "use tpe")


def _check_pruner(where: str, stage: StageConfig) -> None:
    rule = stage.pruner
    if rule is None:
        return
    if stage.epochs < 2:
        text = f"{where}: a pruner needs scores before the last epoch"
        raise InputError(text, f"epochs {stage.epochs}", "raise epochs or remove the pruner")
    first = rule.min_epochs if isinstance(rule, HalvingRule) else 1
    first = max(first, getattr(rule, "warmup_epochs", 1), getattr(rule, "patience", 1))
    if first >= stage.epochs:
        text = f"{where}: {rule.type} must decide before the last epoch"
        raise InputError(text, f"epoch {first} of {stage.epochs}", "lower it or raise epochs")
