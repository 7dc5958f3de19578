"""What a stage's sampler learns from: the trials of all stages, with their epochs."""

from collections.abc import Iterable

from hpsearch.config import SearchConfig
from hpsearch.surrogate.proposals import Model
from hpsearch.trials import TrialRecord

Scores = dict[int, float | None]
"""A trial's best score within some numbers of epochs; None if it failed."""


def experience(config: SearchConfig, index: int, earlier: Iterable[TrialRecord]) -> Model:
    """Return what is known when stage ``index`` begins, if its sampler learns across stages.

    Of a trial that went on in this stage only what came before counts, so that a resume in
    the middle of the stage knows no more than its beginning did.
    """
    model = Model(config.search_space, epochs=max(stage.epochs for stage in config.stages))
    if config.stages[index].sampler == "gp":
        for record in sorted(earlier, key=lambda record: record.number):
            went_on = record.stage >= index
            until = config.stages[index - 1].epochs if went_on else record.epochs
            failed = record.state == "failed" and not went_on
            model.learn(record.params, _scores(config, record, 0, until, failed=failed))
    return model


def learned(config: SearchConfig, index: int, record: TrialRecord, *, new: bool) -> Scores:
    """Return what stage ``index`` adds to the knowledge of a trial, whether new in it or not."""
    after = 0 if new else config.stages[index - 1].epochs
    return _scores(config, record, after, record.epochs, failed=record.state == "failed")


def _scores(
    config: SearchConfig, record: TrialRecord, after: int, until: int, *, failed: bool
) -> Scores:
    """Return the scores at the ends of stages between two epochs, the first left out."""
    if failed:
        return {record.epochs: None}
    marks = {stage.epochs for stage in config.stages if after < stage.epochs <= until}
    return {**record.best_within(marks)}
