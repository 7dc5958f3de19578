"""How fast a search goes, and how long it still takes."""

from collections import deque
from typing import NamedTuple

from hpsearch.search.progress import Progress

WINDOW_SECONDS = 60.0
MOVES = 4
"""Over how many advances the speed is taken at least, however long ago they were."""

_STEP_SECONDS = 1.0
_RATES = ((1.0, "s"), (60.0, "min"), (3600.0, "h"))
_SPANS = ((120.0, 1.0, "s"), (7200.0, 60.0, "min"), (48 * 3600.0, 3600.0, "h"))
_DAY = 86400.0


def per_time(count: float, seconds: float, what: str) -> str:
    """Return a rate by the shortest unit of time that makes it at least 1, up to an hour.

    >>> per_time(5, 2, "epochs"), per_time(3, 90, "epochs"), per_time(1, 7200, "trials")
    ('2.5 epochs/s', '2.0 epochs/min', '0.5 trials/h')
    """
    rate = count / max(seconds, 1e-9)
    unit, name = next((r for r in _RATES if rate * r[0] >= 1), _RATES[-1])
    return f"{rate * unit:.1f} {what}/{name}"


def span(seconds: float) -> str:
    """Return a duration in a unit of which there are two to a hundred or so.

    >>> span(90.4), span(600), span(9000), span(1e6)
    ('90 s', '10 min', '2.5 h', '11.6 d')
    """
    for below, unit, name in _SPANS:
        if seconds < below:
            return f"{seconds / unit:.{int(unit == 3600)}f} {name}"
    return f"{seconds / _DAY:.1f} d"


class Mark(NamedTuple):
    """How far a search was at some time."""

    seconds: float
    epochs: float
    ended: int


class Throughput:
    """The speed of a search of late: over `WINDOW_SECONDS`, or `MOVES` advances if that is longer.

    Stages differ in what an epoch costs, so the average would mislead; it is told in the end
    only. Neither what an earlier run of the same search did is part of it, nor the time in
    which the workers start. ``seconds`` are of any clock that never goes back.
    """

    def __init__(self, seconds: float) -> None:
        self._now = seconds
        self._state: Progress | None = None
        self._first = Mark(seconds, 0, 0)
        self._marks = deque([self._first])

    def note(self, seconds: float, state: Progress) -> None:
        """Take in how far the search is now; the first time, where it starts from."""
        mark = Mark(seconds, state.epochs, state.ended)
        if self._state is None or (state.epochs == self._first.epochs and not state.running):
            self._first = mark
            self._marks = deque([mark])
        self._now, self._state = seconds, state
        last = self._marks[-1]
        if mark.epochs != last.epochs and seconds - last.seconds >= _STEP_SECONDS:
            self._marks.append(mark)
        while len(self._marks) > MOVES + 1 and self._marks[1].seconds <= seconds - WINDOW_SECONDS:
            self._marks.popleft()

    @property
    def text(self) -> str:
        """Speed and time left, such as ``4.0 epochs/s, 2.0 trials/min, 30 s left``."""
        state = self._state
        if state is None or state.epochs <= self._first.epochs:
            return "no epoch yet" if state is None or state.left else "none left to train"
        first = self._marks[0] if state.left else self._first
        seconds = self._now - first.seconds
        epochs, ended = state.epochs - first.epochs, state.ended - first.ended
        parts = [per_time(epochs, seconds, "epochs")]
        if ended > 0:
            parts.append(per_time(ended, seconds, "trials"))
        if state.left:
            parts.append(f"{span(state.left * seconds / epochs)} left")
        return ", ".join(parts)
