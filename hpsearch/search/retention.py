"""Which checkpoint files are kept: the best of the best trials, the last of running ones."""

from collections.abc import Iterable, Mapping

from hpsearch.search.trials import TrialRecord
from workers.messages import Checkpoint, EpochReport


class Retention:
    """Decides, checkpoint by checkpoint, which files are no longer needed.

    Kept are the best checkpoint of each of the ``keep_top`` best completed trials, and
    the best and the last one of every trial that still runs: from the last it would go
    on. So are those of the completed trials that may be promoted, the best so far of a
    stage. A failed or a pruned trial keeps nothing. What remains in the end is the same
    whatever the order of events, because trials compete only when they are complete, and
    one that fell out of the top, with places for those promoted, can't come back.

    Parameters
    ----------
    keep_top
        How many trials keep their best checkpoint.
    sign
        1 where a higher score is better, -1 where a lower one is.
    """

    def __init__(self, keep_top: int, sign: int) -> None:
        self._keep_top = keep_top
        self._sign = sign
        self._files: set[str] = set()
        self._last: dict[int, Checkpoint] = {}
        self._best: dict[int, Checkpoint] = {}
        self._top: list[Checkpoint] = []
        self._candidates: list[tuple[tuple[float, int], Checkpoint, Checkpoint]] = []

    def add(self, checkpoint: Checkpoint) -> None:
        """Take note of a file of a running trial that is on disk."""
        self._files.add(checkpoint.name)
        last = self._last.get(checkpoint.trial)
        if last is None or checkpoint.epoch > last.epoch:
            self._last[checkpoint.trial] = checkpoint
        best = self._best.get(checkpoint.trial)
        if best is None or self._rank(checkpoint) < self._rank(best):
            self._best[checkpoint.trial] = checkpoint

    def end(
        self,
        trial: int,
        *,
        complete: bool,
        score: float | None = None,
        promotable: int = 0,
        here: bool = True,
    ) -> None:
        """Take note that a trial is over; a complete one competes for a place.

        ``promotable`` trials of the present stage may go on and then fail, so as many
        places more are held ready. Of the trials that end ``here``, in this stage, those
        with the highest ``score``, maybe of an epoch without a file, keep their last one.
        """
        last = self._last.pop(trial, None)
        best = self._best.pop(trial, None)
        if not complete or best is None:
            return
        places = self._keep_top + promotable
        self._top = sorted([*self._top, best], key=self._rank)[:places]
        if here and last is not None and score is not None:
            candidates = [*self._candidates, ((-score, trial), best, last)]
            self._candidates = sorted(candidates, key=lambda c: c[0])[:promotable]

    def promote(self, trials: set[int]) -> None:
        """Take note that these completed trials run again, and no others of their stage."""
        for _, best, last in self._candidates:
            if last.trial in trials:
                self._best[best.trial], self._last[last.trial] = best, last
        self._top = [checkpoint for checkpoint in self._top if checkpoint.trial not in trials]
        self._candidates = []

    def sweep(self) -> tuple[str, ...]:
        """Return the names of the files to remove now, and forget them."""
        kept = {c.name for c in (*self._top, *self._best.values(), *self._last.values())}
        kept |= {c.name for _, *own in self._candidates for c in own}
        removed = tuple(sorted(self._files - kept))
        self._files &= kept
        return removed

    def _rank(self, checkpoint: Checkpoint) -> tuple[float, int, float]:
        return (-self._sign * checkpoint.score, checkpoint.trial, checkpoint.epoch)


def orphaned(reports: Iterable[EpochReport], trials: Mapping[int, TrialRecord]) -> tuple[str, ...]:
    """Return the files that pruned trials wrote before their workers heard of it."""
    return tuple(
        report.checkpoint.name
        for report in reports
        if report.checkpoint is not None
        and trials[report.trial].state == "pruned"
        and report.epoch > trials[report.trial].epochs_done
    )
