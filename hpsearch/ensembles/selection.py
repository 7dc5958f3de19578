"""Which models an ensemble takes: methods over validation predictions, and the choice by them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.sections.study import METRICS
from hpsearch.ensembles import metrics, model
from hpsearch.ensembles.ensemble import Ensemble
from hpsearch.ensembles.model import Floats
from workers.errors import InputError

Predictions = Sequence[NDArray[np.floating[Any]]]
"""Each candidate's probabilities ``(rows, classes)`` on the same rows, best first."""

Score = Callable[[NDArray[np.floating[Any]]], float]
"""A score of averaged predictions, higher being better."""

Method = Callable[[Predictions, Score, int], dict[int, float]]

TIE: Final = 1e-9
"""By what share of the best score others may fall short of it and count as equal."""


def _top(predictions: Predictions, score: Score, size: int) -> dict[int, float]:
    """Take the ``size`` best candidates with equal weights."""
    del score
    chosen = range(min(size, len(predictions)))
    return {index: 1 / len(chosen) for index in chosen}


def _greedy(predictions: Predictions, score: Score, size: int) -> dict[int, float]:
    """Add, ``size`` times and with replacement, whatever helps the average most.

    The shortest prefix that reaches the best score is kept; equal scores go to a
    candidate already taken, then to the better one. Scores are equal if they differ by no
    more than rounding may, `TIE` of the best, whatever their unit. A candidate's weight is its
    share of the prefix (Caruana et al., Ensemble Selection from Libraries of Models, 2004).
    """
    total = np.zeros_like(predictions[0], dtype=np.float64)
    taken: list[int] = []
    reached: list[float] = []
    for count in range(1, size + 1):
        scores = [score((total + candidate) / count) for candidate in predictions]
        best = max(_best(scores), key=lambda i: (i in taken, -i))
        total += predictions[best]
        taken.append(best)
        reached.append(scores[best])
    prefix = taken[: _best(reached)[0] + 1]
    return {index: count / len(prefix) for index, count in sorted(Counter(prefix).items())}


def _best(scores: Sequence[float]) -> list[int]:
    """Return where the scores are that equal the greatest.

    >>> _best([1.0, 2.0, 2.0 - 1e-12, 1.999])
    [1, 2]
    """
    top = max(scores)
    return [i for i, score in enumerate(scores) if score >= top - TIE * abs(top)]


BLIND = frozenset({"top"})
"""The methods that look at no predictions, only at how many candidates there are."""

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "top": _top,
        "greedy": _greedy,
    }
)
"""From candidates, best first, to the chosen ones' positions and weights (sum 1)."""


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
    sign = 1 if METRICS[metric.removeprefix("ema_")] == "maximize" else -1
    task = models[0].task
    name = metrics.measured(metric, task)

    def score(averages: Floats) -> float:
        return sign * metrics.measure(task, averages, y, only={name})[name]

    chosen = METHODS[method](predictions, score, size)
    return Ensemble(tuple(models[index] for index in chosen), tuple(chosen.values()))
