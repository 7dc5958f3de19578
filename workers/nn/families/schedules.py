"""How the learning rate and the momentum change over the budget; time is in epochs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.spec import NetworkSpec

Times = NDArray[np.float64]

ROUNDING: Final = 1e-9
"""By how much arithmetic may miss a whole number of epochs, steps or cycles."""


@dataclass(frozen=True, slots=True)
class Moments:
    """When a schedule is asked: the beginnings of steps ``width`` epochs long.

    ``epochs`` is the whole budget, ``stalls`` how often the validation score has stalled. A
    schedule itself is told of the times and the budget that a warm-up leaves.
    """

    times: Times
    width: float
    epochs: float
    stalls: int


Schedule = Callable[[NetworkSpec, Moments], Times]


def _constant(_spec: NetworkSpec, at: Moments) -> Times:
    """Return 1."""
    return np.ones_like(at.times)


def _step(spec: NetworkSpec, at: Moments) -> Times:
    """Return ``decay_factor**floor(t/decay_epochs)``."""
    powers: Times = spec.decay_factor ** _whole(at.times / spec.decay_epochs)
    return powers


def _exponential(spec: NetworkSpec, at: Moments) -> Times:
    """Return ``exp(-decay_rate*t)``."""
    return np.exp(-spec.decay_rate * at.times)


def _inverse(spec: NetworkSpec, at: Moments) -> Times:
    """Return ``1/(1 + decay_rate*t)``."""
    shares: Times = 1 / (1 + spec.decay_rate * at.times)
    return shares


def _converge(spec: NetworkSpec, at: Moments) -> Times:
    """Return ``tau/max(t, tau)`` with tau = decay_epochs (search, then converge)."""
    shares: Times = spec.decay_epochs / np.maximum(at.times, spec.decay_epochs)
    return shares


def _stall(spec: NetworkSpec, at: Moments) -> Times:
    """Return ``decay_factor**stalls``."""
    return np.full_like(at.times, spec.decay_factor**at.stalls)


def _cosine(spec: NetworkSpec, at: Moments) -> Times:
    """Return ``(1 + cos(pi*(t mod c)/c))/2``, c = epochs/cosine_cycles (Loshchilov 2017)."""
    cycles = at.times / (at.epochs / spec.cosine_cycles)
    waves: Times = (1 + np.cos(np.pi * (cycles - _whole(cycles)))) / 2
    return waves


def _whole(counts: Times) -> Times:
    """Return how many are complete, where rounding has taken the last bits: 0.3/0.1 are 3."""
    complete: Times = np.floor(counts + ROUNDING)
    return complete


SCHEDULES: Final[Mapping[str, Schedule]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "inverse": _inverse,
    "converge": _converge,
    "stall": _stall,
    "cosine": _cosine,
}


PACE: Final = (
    "schedule",
    "decay_factor",
    "decay_epochs",
    "decay_rate",
    "cosine_cycles",
    "warmup_epochs",
    "swa_fraction",
)


def averaging_starts(spec: NetworkSpec, epochs: float) -> float:
    """Return after how many epochs stochastic weight averaging begins.

    It is of whole epochs: a budget below one has none, and its schedule need not stand still.

    >>> averaging_starts(NetworkSpec(swa_fraction=0.25), 20)
    15
    >>> averaging_starts(NetworkSpec(swa_fraction=0.07), 100)
    93
    """
    if epochs < 1:
        return 1
    return epochs - int(np.ceil(spec.swa_fraction * epochs - ROUNDING))


def plan(spec: NetworkSpec, at: Moments) -> tuple[Times, Times]:
    """Return warm-up and schedule at the steps; the rate is ``learning_rate*warmup*schedule``.

    The rate grows linearly over ``warmup_epochs``. Then the schedule begins and has what is
    left of the budget; it stands still while weights are averaged. Of the spec only what
    ``PACE`` names matters.
    """
    held = np.minimum(at.times, averaging_starts(spec, at.epochs))
    since, left = held - spec.warmup_epochs, at.epochs - spec.warmup_epochs
    rest = Moments(np.maximum(since, 0), at.width, max(left, at.width), at.stalls)
    shape = SCHEDULES[spec.schedule](spec, rest)
    return np.minimum(1, (at.times + at.width) / max(spec.warmup_epochs, at.width)), shape


def momenta(specs: Sequence[NetworkSpec], times: Times, epochs: float) -> Times:
    """Return the momentum of all members at these times ``(steps, members)``.

    It grows linearly over the budget from ``momentum_start`` when that is given.
    """
    last = np.array([spec.momentum for spec in specs])
    starts = [spec.momentum_start for spec in specs]
    first = np.array(
        [end if start is None else start for start, end in zip(starts, last, strict=True)]
    )
    grown: Times = first + (last - first) * np.minimum(1, times / epochs)[:, np.newaxis]
    return grown
