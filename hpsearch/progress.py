"""How far a search has come, as plain values for whoever shows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.search import Search
from hpsearch.space import describe
from hpsearch.stage_run import StageRun
from hpsearch.trials import TrialRecord


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage: its trials by state, its best score and the ranges that it samples."""

    name: str
    trials: int
    states: Mapping[str, int]
    best: float | None
    ranges: Mapping[str, str]

    @property
    def ended(self) -> int:
        """Trials that are complete or failed."""
        return self.states.get("complete", 0) + self.states.get("failed", 0)


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial so far; ``score`` is the metric's own value."""

    trial: int
    stage: str
    score: float
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole search; ``share`` is the part of all epochs that are over, from 0 to 1."""

    stages: tuple[StageProgress, ...]
    best: Best | None
    ended: int
    share: float


def progress(search: Search) -> Progress:
    """Return how far ``search`` has come."""
    sign = search.config.study.sign
    stages = [_stage(stage, sign) for stage in search.stages]
    stages += [
        StageProgress(config.name, config.num_trials, {}, None, {})
        for config in search.config.stages[len(stages) :]
    ]
    scored = [r for r in search.trials.values() if r.score is not None and r.state != "failed"]
    best = min(scored, key=_rank, default=None)
    total = sum(stage.num_trials * stage.epochs for stage in search.config.stages)
    done = sum(r.epochs if r.ended else r.epochs_done for r in search.trials.values())
    return Progress(
        stages=tuple(stages),
        best=None if best is None else _best(search, best),
        ended=sum(stage.ended for stage in stages),
        share=done / total,
    )


def _stage(stage: StageRun, sign: int) -> StageProgress:
    scores = [r.score for r in stage.trials if r.score is not None and r.state != "failed"]
    return StageProgress(
        name=stage.name,
        trials=stage.num_trials,
        states=Counter(record.state for record in stage.trials),
        best=sign * max(scores) if scores else None,
        ranges={name: describe(dimension) for name, dimension in stage.space.items()},
    )


def _best(search: Search, record: TrialRecord) -> Best:
    score = search.config.study.sign * (record.score or 0.0)
    return Best(record.number, search.stages[record.stage].name, score, record.params)


def _rank(record: TrialRecord) -> tuple[float, int]:
    return (-(record.score or 0.0), record.number)
