"""Failed trials grouped by what they have in common: the reason, and where they lie."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hpsearch.reporting.data import RunData, is_number
from hpsearch.space.space import text_of
from hpsearch.storage.sqlite.rows import TrialRow

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
    """Say what all of them have of a hyperparameter, and few of the others."""
    found = (_common(failed, run.ranked, name) for name in run.dimensions)
    return ", ".join(text for text in found if text is not None)


def _common(failed: Sequence[TrialRow], others: Sequence[TrialRow], name: str) -> str | None:
    bad = [trial.params[name] for trial in failed if name in trial.params]
    good = [trial.params[name] for trial in others if name in trial.params]
    if len(bad) < max(len(failed), _NEEDED) or not good:
        return None
    enough = _MOSTLY * len(good)
    if not all(map(is_number, [*bad, *good])):
        same = all(value == bad[0] for value in bad)
        apart = sum(value != bad[0] for value in good) >= enough
        return f"{name} {text_of(bad[0])}" if same and apart else None
    if sum(value < min(bad) for value in good) >= enough:
        return f"{name} at least {text_of(min(bad))}"
    if sum(value > max(bad) for value in good) >= enough:
        return f"{name} at most {text_of(max(bad))}"
    return None
