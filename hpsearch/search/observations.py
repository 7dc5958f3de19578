"""What a stage's sampler learns from: the trials of all stages, with their epochs."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hpsearch.config.search_config import SearchConfig
from hpsearch.sampling.surrogate.model import Model
from hpsearch.search.trials import TrialRecord

Scores = dict[float, float | None]
"""A trial's best score within some numbers of epochs; None if it failed."""


def surrogate_model(
    config: SearchConfig, firsts: Sequence[int], earlier: Iterable[TrialRecord]
) -> Model:
    """Return what is known when a stage begins, if its sampler learns across stages.

    ``firsts`` are the numbers of the first new trials of all stages up to this one. Of a trial
    that went on in this stage only what came before counts, so that a resume in the middle
    of the stage knows no more than its beginning did.
    """
    model = Model(config.search_space, epochs=max(stage.epochs for stage in config.stages))
    index = len(firsts) - 1
    if config.stages[index].sampler in ("gp", "tpe"):
        for record in sorted(earlier, key=lambda record: record.number):
            began = bisect_right(firsts, record.number) - 1
            model.learn(record.params, _before(config, began, index, record))
    return model


def _before(config: SearchConfig, began: int, index: int, record: TrialRecord) -> Scores:
    """Return a trial's scores before stage ``index``; ``began`` is the stage it was new in."""
    if record.stage < index:
        return _scores(config, record, 0, record.epochs, failed=record.state == "failed")
    start: float = 0
    for stage in range(began, index):
        start = record.end_from(start, config.epochs(stage, record.number))
    early = replace(record, history={e: s for e, s in record.history.items() if e <= start})
    return _scores(config, early, 0, config.stages[index - 1].epochs, failed=False)


def learned(config: SearchConfig, index: int, record: TrialRecord, *, new: bool) -> Scores:
    """Return what stage ``index`` adds to the knowledge of a trial, whether new in it or not."""
    after = 0 if new else config.stages[index - 1].epochs
    return _scores(config, record, after, record.epochs, failed=record.state == "failed")


def _scores(
    config: SearchConfig, record: TrialRecord, after: float, until: float, *, failed: bool
) -> Scores:
    """Return the scores at the ends of stages between two epochs, the first left out."""
    if failed:
        return {record.epochs: None}
    marks = {stage.epochs for stage in config.stages if after < stage.epochs <= until}
    return {**record.best_within(marks)}
