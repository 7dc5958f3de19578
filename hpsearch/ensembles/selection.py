"""Which models of a run an ensemble takes: candidates loaded, a method, its choice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.sections.study import METRICS
from hpsearch.ensembles import metrics, model
from hpsearch.ensembles.ensemble import Ensemble
from hpsearch.ensembles.methods import BLIND, METHODS, Score
from workers.errors import InputError


def choose(
    candidates: Sequence[Path],
    *,
    method: str,
    size: int,
    metric: str,
    rows: tuple[Sequence[NDArray[Any]], NDArray[Any]] | None,
    averaged: bool | None = None,
) -> Ensemble:
    """Return the ensemble that ``method`` takes from checkpoint files, best first.

    Parameters
    ----------
    candidates
        Checkpoint files of different trials, best first.
    method
        A name in `METHODS`.
    size
        How many members at most.
    metric
        The search's metric; a greedy choice is made by what `metrics.measured` says of it.
    rows
        The raw validation rows of each split, and the classes or targets of all of them; None
        where a method of `BLIND` does without.
    averaged
        Whether to use running-average parameters; None leaves it to the metric.

    Raises
    ------
    InputError
        If there is no candidate.
    CheckpointError
        If a candidate can't be believed.
    """
    if not candidates:
        raise InputError("an ensemble needs a completed trial", "none", "train more trials")
    pool = candidates[:size] if method in BLIND else candidates
    models = [model.load(path, averaged=averaged) for path in pool]
    for candidate in models:
        candidate.check()
    if rows is None and method not in BLIND:
        raise ValueError(f"{method} needs the validation rows")
    x, y = rows or ((), np.empty(0))
    nothing = np.empty((0, 0))
    predictions = [nothing if method in BLIND else m.predict_held_out(x) for m in models]
    task, sign = models[0].task, METRICS[metric.removeprefix("ema_")] == "maximize"
    score = Score(task, metrics.measured(metric, task), y, 1 if sign else -1)
    chosen = METHODS[method](predictions, score, size)
    return Ensemble(tuple(models[index] for index in chosen), tuple(chosen.values()))
