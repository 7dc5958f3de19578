"""When a trial stops by its own rule, which the master can follow by its scores alone."""

from collections.abc import Sequence


def out_of_patience(scores: Sequence[float], patience: int | None) -> str | None:
    """Return why to stop if the best score is ``patience`` epochs old, else None.

    ``scores`` are those of all whole epochs so far, a higher one being better.

    >>> out_of_patience([0.1, 0.5, 0.4], 1), out_of_patience([0.1, 0.4, 0.5], 1)
    ('no better score for 1 epochs', None)
    """
    if patience is None or not scores:
        return None
    best = max(range(len(scores)), key=lambda epoch: (scores[epoch], -epoch))
    if len(scores) - 1 - best < patience:
        return None
    return f"no better score for {patience} epochs"
