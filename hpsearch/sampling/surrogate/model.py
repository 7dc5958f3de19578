"""What to try next, by a Gaussian process over all trials and their epochs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpsearch.sampling.surrogate.features import Params, candidates, rows, scales
from hpsearch.sampling.surrogate.inputs import Inputs
from hpsearch.space.space import SearchSpace

if TYPE_CHECKING:
    from hpsearch.sampling.surrogate.gaussian import GaussianProcess

NEEDED = 6
"""From so many scores on there is something to learn from."""

MOST = 200
"""So many scores are used at most: the time of a fit grows with their third power."""

CANDIDATES, GOOD = 500, 5
"""How many random candidates there are, and from how many of the best trials steps are taken."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A trial's best score within so many epochs; None if it failed."""

    params: Params
    epochs: float
    score: float | None


class Model:
    """What is known of a search, from which it proposes params.

    Parameters
    ----------
    space
        The search's own ranges, which are the unit of distances.
    epochs
        The epochs after which a trial is to be best: the search's longest.
    """

    def __init__(self, space: SearchSpace, *, epochs: float) -> None:
        self._space, self._epochs = space, epochs
        self._seen: list[Seen] = []
        self._process: GaussianProcess | None = None

    @property
    def knows_enough(self) -> bool:
        """Whether there are scores enough to learn from."""
        return sum(seen.score is not None for seen in self._seen) >= NEEDED

    def learn(self, params: Params, scores: Mapping[float, float | None]) -> None:
        """Take note of a trial's best score within some numbers of epochs; None: it failed."""
        self._seen += [Seen(params, epochs, score) for epochs, score in scores.items()]
        self._process = None

    def longest(self, space: SearchSpace, enough: int) -> Sequence[Seen]:
        """Return the scores after the most epochs of which a space has enough; or none."""
        found: dict[float, list[Seen]] = {}
        for seen in self._seen:
            if seen.score is not None and space.contains(seen.params):
                found.setdefault(seen.epochs, []).append(seen)
        lengths = [epochs for epochs, some in found.items() if len(some) >= enough]
        return found[max(lengths)] if lengths else ()

    def propose(
        self, space: SearchSpace, pending: Sequence[Params], epochs: float, *, seed: int
    ) -> Params:
        """Return params of the space with the greatest expected improvement after all epochs.

        Of the pending ones the score after ``epochs`` is assumed to come as expected.
        """
        process = self._process = self._process or self._fitted()
        known = [seen.params for seen in self._used]
        means = process.mean(self._at(known, self._epochs))
        order = np.argsort(-means, kind="stable")
        good: list[Params] = []
        for index in order:
            if known[index] not in good:
                good.append(known[index])
            if len(good) == GOOD:
                break
        rng = np.random.default_rng(seed)
        some = candidates(space, good, count=CANDIDATES, rng=rng)
        inputs = self._at(some, self._epochs)
        spread = process.deviation(inputs, self._at(pending, epochs))
        gain = improvement(process.mean(inputs) - means.max(), spread)
        return some[int(gain.argmax())]

    @property
    def _used(self) -> list[Seen]:
        """The scores after the most epochs, and the best of them, if there are too many."""
        ranked = sorted(
            self._seen, key=lambda seen: (-seen.epochs, -_or_worst(seen.score, -math.inf))
        )
        return ranked[:MOST]

    def _fitted(self) -> "GaussianProcess":
        # SciPy takes a third of a second to import, and most commands need none of this.
        from hpsearch.sampling.surrogate.gaussian import GaussianProcess

        used = self._used
        worst = min(seen.score for seen in used if seen.score is not None)
        scores = warped(np.array([_or_worst(seen.score, worst) for seen in used]))
        times = np.array([self._time(seen.epochs) for seen in used])
        features = rows(self._space, [seen.params for seen in used])
        return GaussianProcess(Inputs(features, times, scales(self._space)), scores)

    def _at(self, some: Sequence[Params], epochs: float) -> Inputs:
        features = rows(self._space, some)
        return Inputs(features, np.full(len(some), self._time(epochs)), scales(self._space))

    def _time(self, epochs: float) -> float:
        """Return 0 for one epoch and 1 for all, on a logarithmic scale."""
        return math.log(epochs) / math.log(max(self._epochs, 2))


def _or_worst(score: float | None, worst: float) -> float:
    return worst if score is None else score


def improvement(gain: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expectation of the positive part of a normal gain (Jones et al. 1998)."""
    z = gain / spread
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([NormalDist().cdf(value) for value in z])
    found: NDArray[np.float64] = gain * below + spread * density
    return found


def warped(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores standardized, those below the median by their ranks.

    How much worse a bad trial is does not matter, and trials that diverge would stretch the
    scale. Below the median stand the normal quantiles of the ranks, at the spread of the
    better half (the half-rank warping of Song et al. 2024, arXiv 2408.11527).

    >>> warped(np.array([-1e9, 0.0, 1.0, 2.0, 3.0])).round(2).tolist()
    [-1.4, -0.64, -0.11, 0.68, 1.47]
    """
    median = np.median(scores)
    spread = math.sqrt(np.mean((scores[scores >= median] - median) ** 2)) or 1.0
    # The mean rank of those that are equal.
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[places]
    quantiles = [NormalDist().inv_cdf(share) for share in ranks / len(scores)]
    found = np.where(scores < median, quantiles, (scores - median) / spread)
    standard: NDArray[np.float64] = (found - found.mean()) / (found.std() or 1.0)
    return standard
