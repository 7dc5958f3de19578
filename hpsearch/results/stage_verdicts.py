"""The verdicts of any run's stages, and how well these rank, without training."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.config.auto_epochs import Length
from hpsearch.config.search_config import SearchConfig
from hpsearch.narrowing.narrow import StageResult, conclude
from hpsearch.narrowing.rank_agreement import Agreement, Curve, agreement
from hpsearch.narrowing.stage_length import measured
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import SearchSpace, tuples
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.sqlite.rows import EpochRow, StageRow, TrialRow
from hpsearch.storage.store import Store
from workers.errors import InputError

Scores = Mapping[int, Mapping[float, float]]
"""Each trial's finite scores by epoch, a higher one being better."""


def verdicts(path: Path) -> list[dict[str, Any]]:
    """Return each stage's name, state, verdicts and agreement, as JSON has them.

    A stage that is over has the verdicts of its end. One in progress is judged by the
    trials that have ended so far. The agreement of a stage's ranks with those of the next is
    None where there are too few trials to tell. The first stage's length is told where it was
    chosen from the data.

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
    scores = _scores(config, epochs)
    config = with_length(config, trials, scores)
    agreed = {found.stage: found.to_json() for found in agreements(config, stages, trials, scores)}
    length = config.length

    def judged(stage: StageRow) -> list[Any]:
        if stage.state == "complete" or stage.number >= len(config.stages):
            return list(stage.verdicts)
        until = config.stages[stage.number].epochs
        results = [
            StageResult(row.number, row.params, max(within))
            for row in trials
            if row.stage == stage.number
            and _counts(row)
            and (within := [s for e, s in scores.get(row.number, {}).items() if e <= until])
        ]
        space = SearchSpace.from_json(stage.space)
        before = config.stages[stage.number - 1].name if stage.number else None
        doubted = before if before in agreed and agreed[before]["short"] else None
        return [v.to_json() for v in conclude(config, stage.number, space, results, doubted)[1]]

    return [
        {
            "stage": stage.name,
            "state": stage.state,
            "verdicts": judged(stage),
            "length": length.to_json() if length and stage.number == 0 else None,
            "agreement": agreed.get(stage.name),
        }
        for stage in stages
    ]


def agreements_of(folder: RunFolder) -> tuple[Length | Agreement, ...]:
    """Return the agreements of the run in a folder; none if its config can't be read.

    Where the first stage's length was chosen by one, that comes first.
    """
    try:
        config = folder.load_config()
    except InputError:
        return ()
    with Store.read(folder.database) as store, store.transaction():
        stages, trials, epochs = store.stages(), store.trials(), store.epochs()
    scores = _scores(config, epochs)
    config = with_length(config, trials, scores)
    found = agreements(config, stages, trials, scores)
    return found if config.length is None else (config.length, *found)


def with_length(config: SearchConfig, trials: Iterable[TrialRow], scores: Scores) -> SearchConfig:
    """Return the config with its first stage's length, if that was chosen from these."""
    if config.pilot is None:
        return config
    records = {
        row.number: TrialRecord(
            number=row.number,
            stage=row.stage,
            params=row.params,
            spec=config.spec({name: tuples(value) for name, value in row.params.items()}),
            epochs=row.epochs,
            state=row.state,
            history=dict(scores.get(row.number, {})),
        )
        for row in trials
        if row.number < config.pilot.trials
    }
    return measured(config, records)


def agreements(
    config: SearchConfig,
    stages: Sequence[StageRow],
    trials: Sequence[TrialRow],
    scores: Scores,
) -> tuple[Agreement, ...]:
    """Return how each stage's ranks agree with those of the next, where that can be told.

    It is computed from the epochs, so of runs of any age; the config has its first stage's length.
    """
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


def _scores(config: SearchConfig, epochs: Iterable[EpochRow]) -> Scores:
    scores: dict[int, dict[float, float]] = {}
    for row in epochs:
        score = row.metrics.get(config.study.metric, math.nan)
        if math.isfinite(score):
            scores.setdefault(row.trial, {})[row.epoch] = config.study.sign * score
    return scores


def _counts(row: TrialRow) -> bool:
    return row.state in ("complete", "pruned")
