"""The verdicts of any run's stages, and how well these rank, without training."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hpsearch.agreement import Agreement, Curve, agreement
from hpsearch.config import SearchConfig
from hpsearch.folder import RunFolder
from hpsearch.space import SearchSpace
from hpsearch.sqlite.rows import EpochRow, StageRow, TrialRow
from hpsearch.stages import StageResult, conclude
from hpsearch.store import Store
from workers.errors import InputError


def verdicts(path: Path) -> list[dict[str, Any]]:
    """Return each stage's name, state, verdicts and agreement, as JSON has them.

    A stage that is over has the verdicts of its end. One in progress is judged by the
    trials that have ended so far. The agreement of a stage's ranks with those of the next is
    None where there are too few trials to tell.

    Raises
    ------
    InputError
        If ``path`` is no run.
    """
    folder = RunFolder(path)
    folder.check()
    config = folder.load_config()
    with Store.read(folder.database) as store, store.transaction():
        stages, trials, epochs = store.stages(), store.trials(), store.epochs()

    def judged(stage: StageRow) -> list[Any]:
        if stage.state == "complete" or stage.number >= len(config.stages):
            return list(stage.verdicts)
        results = [
            StageResult(row.number, row.params, config.study.sign * row.best_score)
            for row in trials
            if row.stage == stage.number and _counts(row) and row.best_score is not None
        ]
        space = SearchSpace.from_json(stage.space)
        return [v.to_json() for v in conclude(config, stage.number, space, results)[1]]

    agreed = {found.stage: found.to_json() for found in agreements(config, stages, trials, epochs)}
    return [
        {
            "stage": stage.name,
            "state": stage.state,
            "verdicts": judged(stage),
            "agreement": agreed.get(stage.name),
        }
        for stage in stages
    ]


def agreements_of(folder: RunFolder) -> tuple[Agreement, ...]:
    """Return the agreements of the run in a folder; none if its config can't be read."""
    try:
        config = folder.load_config()
    except InputError:
        return ()
    with Store.read(folder.database) as store, store.transaction():
        return agreements(config, store.stages(), store.trials(), store.epochs())


def agreements(
    config: SearchConfig,
    stages: Sequence[StageRow],
    trials: Iterable[TrialRow],
    epochs: Iterable[EpochRow],
) -> tuple[Agreement, ...]:
    """Return how each stage's ranks agree with those of the next, where that can be told.

    It is computed from the epochs, so of runs of any age.
    """
    scores: dict[int, dict[float, float]] = {}
    for row in epochs:
        score = row.metrics.get(config.study.metric, math.nan)
        if math.isfinite(score):
            scores.setdefault(row.trial, {})[row.epoch] = config.study.sign * score
    firsts = [stage.first for stage in stages]
    curves = [
        Curve(
            trial.number,
            bisect_right(firsts, trial.number) - 1,
            trial.stage,
            scores.get(trial.number, {}),
            complete=trial.state == "complete",
            pruned=trial.state == "pruned",
        )
        for trial in trials
    ]
    lengths = [(stage.name, stage.epochs) for stage in config.stages]
    found = (agreement(lengths, index, curves) for index in range(len(lengths)))
    return tuple(one for one in found if one is not None)


def _counts(row: TrialRow) -> bool:
    return row.state in ("complete", "pruned")
