"""How members are chosen from candidates, by their predictions for held-out rows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hpsearch.ensembles import metrics
from hpsearch.ensembles.fitted_network import Floats
from hpsearch.ensembles.stacking import stacked

Predictions = Sequence[NDArray[np.floating[Any]]]
"""Each candidate's probabilities ``(rows, classes)`` on the same rows, best first."""


@dataclass(frozen=True, eq=False)
class Score:
    """A score of averaged predictions, higher being better: of a metric on held-out rows.

    ``y`` are classes ``(rows,)`` or targets ``(rows, outputs)``; ``sign`` is -1 for a metric that
    is to be minimized.
    """

    task: str
    metric: str
    y: NDArray[Any]
    sign: int

    def __call__(self, averages: Floats) -> float:
        """Return the score of ``(rows, classes)`` or ``(rows, outputs)``."""
        found = metrics.measure(self.task, averages, self.y, only={self.metric})
        return self.sign * found[self.metric]


Method = Callable[[Predictions, Score, int], dict[int, float]]

BAGS: Final = 20
"""So many random halves of the candidates are chosen from, if they are bagged."""

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
    return _greedily(predictions, score, size, [])


def _greedily(
    predictions: Predictions, score: Score, size: int, taken: list[int]
) -> dict[int, float]:
    """Add to those that are taken until they are ``size``, and keep the best of the prefixes."""
    total = np.zeros_like(predictions[0], dtype=np.float64)
    for index in taken:
        total += predictions[index]
    begun = len(taken)
    reached = [score(total / begun)] if begun else []
    for count in range(begun + 1, size + 1):
        scores = [score((total + candidate) / count) for candidate in predictions]
        best = max(_best(scores), key=lambda i: (i in taken, -i))
        total += predictions[best]
        taken.append(best)
        reached.append(scores[best])
    prefix = taken[: _best(reached)[0] + max(begun, 1)]
    return {index: count / len(prefix) for index, count in sorted(Counter(prefix).items())}


def _bagged(predictions: Predictions, score: Score, size: int) -> dict[int, float]:
    """Choose greedily in each of `BAGS` random halves of the candidates, and add up.

    In a bag those of its best come first that together score best, as many as that takes (a sorted
    start), and then whatever helps most. Both keep a large library from fitting the rows that it
    is chosen by (Caruana, Munson and Niculescu-Mizil, Getting the Most Out of Ensemble Selection,
    2006). The ``size`` candidates of the greatest shares stay.
    """
    rng = np.random.default_rng(len(predictions))
    half = max(1, (len(predictions) + 1) // 2)
    shares: Counter[int] = Counter()
    for _ in range(BAGS):
        bag = np.sort(rng.choice(len(predictions), half, replace=False)).tolist()
        chosen = _from_sorted([predictions[index] for index in bag], score, size)
        shares.update({bag[place]: weight for place, weight in chosen.items()})
    kept = sorted(index for index, _ in sorted(shares.items(), key=lambda x: (-x[1], x[0]))[:size])
    total = sum(shares[index] for index in kept)
    return {index: shares[index] / total for index in kept}


def _from_sorted(predictions: Predictions, score: Score, size: int) -> dict[int, float]:
    """Choose greedily after a sorted start."""
    sums = np.cumsum(np.stack(predictions[:size], dtype=np.float64), axis=0)
    first = _best([score(total / count) for count, total in enumerate(sums, 1)])[0] + 1
    return _greedily(predictions, score, size, list(range(first)))


def _stacked(predictions: Predictions, score: Score, size: int) -> dict[int, float]:
    """Fit weights of at least 0 that sum to 1, for the least log loss or squared error."""
    return stacked(predictions, score.y, size, task=score.task)


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
        "bagged_greedy": _bagged,
        "stacking": _stacked,
    }
)
"""From candidates, best first, to the chosen ones' positions and weights (sum 1)."""
