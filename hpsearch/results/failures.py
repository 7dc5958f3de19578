"""What to say when no trial of a search completed."""

import math

from hpsearch.results.tables import Results


def nothing_completed(results: Results) -> str:
    """Say in one line why nothing can be averaged, and what the diverged have in common."""
    trials, count = results.trials, len(results.trials)
    reasons = trials.loc[trials["state"] == "failed", "reason"].fillna("")
    diverged = int(reasons.str.contains(" became ").sum())
    if diverged == count:
        searched = "learning_rate" in trials and trials["learning_rate"].dtype == "float64"
        lowest = float(trials["learning_rate"].min()) if searched else math.nan
        above = f", all with learning_rate above {_rounded_down(lowest)}" if lowest > 0 else ""
        return f"{count} of {count} trials diverged{above}; lower the range of learning_rate"
    counts = reasons.value_counts()
    common = f", most often: {counts.index[0]}" if len(counts) else ""
    return f"{len(reasons)} of {count} trials failed and none completed{common}"


def _rounded_down(value: float) -> str:
    """Return two digits of a number above 0, at most that number.

    >>> _rounded_down(0.3191), _rounded_down(12.0)
    ('0.31', '12')
    """
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.floor(value / step + 1e-9) * step:.2g}"
