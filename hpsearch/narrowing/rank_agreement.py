"""Whether a stage is long enough to rank: its ranks beside those after more epochs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NEEDED: Final = 6
"""From so many trials with both scores on there is something to say."""

TOP: Final = 10
"""So many of the best are counted, but no more than a third of the trials."""

ENOUGH: Final = 0.5
"""A rank correlation that lies below this, with its interval, is too low to rank by."""

ENOUGH_AMONG_CHOSEN: Final = 0.2
"""The same among trials that went on by their early scores.

They resemble each other in these, so their ranks agree less than those of all would: of normal
scores with a correlation of 0.5, it is 0.3 among the best third and 0.2 among the best tenth.
"""

_QUANTILE = 1.96


@dataclass(frozen=True, slots=True)
class Curve:
    """A trial's scores by epoch, a higher one being better.

    ``began`` is the stage that it was new in and ``stage`` its last; ``pruned`` and
    ``complete`` say how it ended there, if it did.
    """

    number: int
    began: int
    stage: int
    scores: Mapping[float, float]
    complete: bool = True
    pruned: bool = False

    def best(self, epochs: float) -> float:
        """Return the best score within so many epochs."""
        return max(score for epoch, score in self.scores.items() if epoch <= epochs)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How ranks after a stage's epochs agree with those after the next stage's.

    Parameters
    ----------
    stage, epochs, later
        The shorter stage, its epochs and those of the longer one.
    trials, chosen
        How many trials have both scores, and whether early scores have decided which.
    top, common
        Of the ``top`` best after ``epochs``, ``common`` are among as many best after ``later``.
    correlation, interval
        Spearman's, with an interval of 95 %.
    short
        Whether the interval lies below what is enough to rank by.
    """

    stage: str
    epochs: float
    later: float
    trials: int
    chosen: bool
    top: int
    common: int
    correlation: float
    interval: tuple[float, float]
    short: bool

    @property
    def text(self) -> str:
        """All this in one sentence for a person."""
        unit = "epoch" if self.epochs == 1 else "epochs"
        who = "trials that went on" if self.chosen else "trials begun after it"
        low, high = self.interval
        found = (
            f"of the {self.top} best after {self.epochs} {unit} {self.common} are among the "
            f"{self.top} best after {self.later} ({self.trials} {who}; rank correlation "
            f"{self.correlation:.2f}, 95 % interval {low:.2f} to {high:.2f})"
        )
        return f"{found}: too short to rank, give it more epochs" if self.short else found

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes, the sentence included."""
        return {**asdict(self), "interval": list(self.interval), "text": self.text}


def agreement(
    stages: Sequence[tuple[str, float]], index: int, curves: Sequence[Curve]
) -> Agreement | None:
    """Return how the ranks of stage ``index`` agree with those of the stage after it.

    ``stages`` are names and epochs. A trial counts with its best scores within both, by which
    the search ranks. Those that were not promoted have no later score, and promotion goes by the
    early one: among the promoted alone ranks agree less than among all. So trials that were new
    in a later stage, where none was pruned too early, are preferred if there are `NEEDED`. They
    too may resemble each other more than all, where their ranges were narrowed, and had their
    early score on their own stage's schedule. Otherwise all that have both scores count, and
    less is enough (`ENOUGH_AMONG_CHOSEN`). None if there are too few, if all are equal, or if
    the next stage is no longer.
    """
    if not 0 <= index < len(stages) - 1 or stages[index][1] >= stages[index + 1][1]:
        return None
    (stage, epochs), (_, later) = stages[index : index + 2]
    known = [curve for curve in curves if curve.began < len(stages)]  # none scored anew
    both = [curve for curve in known if _has_both(curve, index, epochs, later)]
    pruning = {curve.began for curve in known if curve.pruned and curve not in both}
    free = [curve for curve in both if curve.began > index and curve.began not in pruning]
    chosen = len(free) < NEEDED
    used = sorted(both if chosen else free, key=lambda curve: curve.number)
    if len(used) < NEEDED:
        return None
    one, other = (np.array([c.best(until) for c in used]) for until in (epochs, later))
    correlation = spearman(one, other)
    if correlation is None:
        return None
    top = min(TOP, len(used) // 3)
    low, high = interval(correlation, len(used))
    return Agreement(
        stage=stage,
        epochs=epochs,
        later=later,
        trials=len(used),
        chosen=chosen,
        top=top,
        common=len(_best(one, top) & _best(other, top)),
        correlation=correlation,
        interval=(low, high),
        short=high < (ENOUGH_AMONG_CHOSEN if chosen else ENOUGH),
    )


def _has_both(curve: Curve, index: int, epochs: float, later: float) -> bool:
    """One that stopped by its own rule in the longer stage has its score there."""
    ended = curve.complete and curve.stage > index
    reached = max(curve.scores, default=0) >= later
    return (ended or reached) and min(curve.scores, default=later) <= epochs


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Return the correlation of ranks, ties at their mean rank; None if all of one are equal.

    >>> spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 30.0, 20.0, 40.0]))
    0.8
    """
    a, b = (_ranks(values) - (len(values) + 1) / 2 for values in (one, other))
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return None if scale == 0 else float(a @ b) / scale


def interval(correlation: float, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a rank correlation (Bonett and Wright 2000).

    Normal in Fisher's z, with a variance of (1 + r^2 / 2) / (n - 3).
    """
    z = math.atanh(max(-0.9999, min(0.9999, correlation)))
    reach = _QUANTILE * math.sqrt((1 + correlation**2 / 2) / (trials - 3))
    return math.tanh(z - reach), math.tanh(z + reach)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts - 1) / 2
    ranks: NDArray[np.float64] = means[places]
    return ranks


def _best(values: NDArray[np.float64], count: int) -> set[int]:
    """Return where the greatest are; equal ones by their order, which is their numbers'."""
    return set(np.argsort(-values, kind="stable")[:count].tolist())
