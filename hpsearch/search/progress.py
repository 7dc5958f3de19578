"""How far a search has come, as plain values for whoever shows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.config.sections.stages import num_promoted
from hpsearch.search.search import Search
from hpsearch.search.stage_sequence import Stage
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import describe


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
        """Trials of which nothing more will come here."""
        return sum(self.states.get(state, 0) for state in ("complete", "pruned", "failed"))


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial so far; ``score`` is the metric's own value."""

    trial: int
    stage: str
    score: float
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole search: trials that ended and that are trained now; epochs trained and left.

    ``length`` says why the first stage has its length, once that is chosen from the data; until
    then what is left is at most that.

    Epochs that a trial did without, since it was pruned, failed or stopped early, are neither.
    """

    stages: tuple[StageProgress, ...]
    best: Best | None
    ended: int
    running: int
    epochs: float
    left: float
    length: str | None = None


def progress(search: Search) -> Progress:
    """Return how far ``search`` has come."""
    sign, length = search.config.study.sign, search.config.length
    stages = [_stage(stage, sign) for stage in search.stages]
    stages += [
        StageProgress(stage.name, stage.num_trials, {}, None, {})
        for stage in search.config.stages[len(stages) :]
    ]
    scored = [r for r in search.trials.values() if r.score is not None and r.state != "failed"]
    best = min(scored, key=_rank, default=None)
    begun = sum(r.epochs - r.epochs_done for r in search.trials.values() if not r.ended)
    return Progress(
        stages=tuple(stages),
        best=None if best is None else _best(search, best),
        ended=sum(stage.ended for stage in stages),
        running=sum(record.state == "running" for record in search.trials.values()),
        epochs=sum(record.epochs_done for record in search.trials.values()),
        left=0 if search.finished else begun + _planned(search),
        length=None if length is None else f"stage {length.stage}: {length.text}",
    )


def _planned(search: Search) -> float:
    """Return the epochs of trials that are still to be asked for or to be promoted."""
    config, total = search.config, 0.0
    before = 0
    for index, stage in enumerate(config.stages):
        begun = index < len(search.stages)
        trials = search.stages[index].num_trials if begun else stage.num_trials
        if begun:
            total += search.stages[index].unasked * stage.epochs
        else:
            going = num_promoted(stage, before)
            gained = stage.epochs - config.stages[index - 1].epochs
            total += trials * stage.epochs + going * gained
            trials += going
        before = trials
    if config.rescore and len(search.stages) <= len(config.stages):
        total += config.rescore.top * config.rescore.seeds * config.stages[-1].epochs
    return total


def _stage(stage: Stage, sign: int) -> StageProgress:
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
