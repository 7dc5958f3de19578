"""Whether the best trials lie where they do by more than chance: permutation tests."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 999
"""So many random subsets are looked at where there are more of them."""


def closeness(places: Sequence[float], best: Sequence[int]) -> float:
    """Return how probable it is that as many trials lie as close together by chance.

    Parameters
    ----------
    places
        Where all trials lie, on the dimension's scale.
    best
        Which of them are the best.

    Returns
    -------
    float
        The p-value of a permutation test: the share of subsets of the trials, as large as the
        best are many, whose variance is no greater. It compares the trials with each other, so
        that it does not matter how they were sampled. Of more than `DRAWS` subsets that many
        are drawn, always the same, and the best count as one more.
    """
    values = np.asarray(places, np.float64)
    found = float(np.var(values[list(best)]))
    others = np.array([np.var(values[subset]) for subset in _subsets(len(values), len(best))])
    # Places of less than 1e-10 of a range between them are one: rounding could part them.
    close = int(np.count_nonzero(others <= found * (1 + 1e-9) + 1e-20))
    exact = comb(len(values), len(best)) <= DRAWS
    return close / len(others) if exact else (close + 1) / (len(others) + 1)


def _subsets(count: int, size: int) -> Iterator[NDArray[np.intp]]:
    if comb(count, size) <= DRAWS:
        yield from map(np.array, combinations(range(count), size))
        return
    rng = np.random.default_rng([count, size])
    for _ in range(DRAWS):
        yield rng.choice(count, size, replace=False, shuffle=False)


def absence(trials: int, tried: int, best: int) -> float:
    """Return how probable it is that none of the best has a choice by chance.

    That is ``C(trials - tried, best) / C(trials, best)``, the hypergeometric distribution at 0,
    where ``tried`` of the trials have the choice.

    >>> absence(trials=10, tried=5, best=2)  # (5/10) * (4/9)
    0.2222222222222222
    """
    return comb(trials - tried, best) / comb(trials, best)
