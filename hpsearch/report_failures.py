"""Failed trials grouped by what they have in common: the reason, and where they lie."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hpsearch.report_data import RunData, is_number
from hpsearch.rows import TrialRow
from hpsearch.space import text_of

_NUMBER: Final = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
_MOSTLY: Final = 0.8
_NEEDED: Final = 3


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Trials whose reasons differ in numbers only; ``where`` says what sets them apart."""

    reason: str
    trials: tuple[int, ...]
    where: str


def grouped(run: RunData) -> list[FailureGroup]:
    """Return the groups of failed trials, the largest first."""
    groups: dict[str, list[TrialRow]] = {}
    for trial in run.failed:
        groups.setdefault(general(trial.reason or "no reason"), []).append(trial)
    found = [
        FailureGroup(reason, tuple(t.number for t in trials), _where(trials, run))
        for reason, trials in groups.items()
    ]
    return sorted(found, key=lambda group: (-len(group.trials), group.reason))


def general(reason: str) -> str:
    """Return a reason without the numbers that differ from trial to trial.

    >>> general("train_loss became nan in epoch 3")
    'train_loss became nan in epoch N'
    """
    return _NUMBER.sub("N", reason)


def _where(failed: Sequence[TrialRow], run: RunData) -> str:
    """Say above or below which value of a hyperparameter all of them lie and few others."""
    texts = []
    for name in run.dimensions:
        bad = _values(failed, name)
        good = _values(run.ranked, name)
        if len(bad) < max(len(failed), _NEEDED) or not good:
            continue
        if sum(value < min(bad) for value in good) >= _MOSTLY * len(good):
            texts.append(f"{name} at least {text_of(min(bad))}")
        elif sum(value > max(bad) for value in good) >= _MOSTLY * len(good):
            texts.append(f"{name} at most {text_of(max(bad))}")
    return ", ".join(texts)


def _values(trials: Sequence[TrialRow], name: str) -> list[float]:
    return [float(t.params[name]) for t in trials if is_number(t.params.get(name))]
