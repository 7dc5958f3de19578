"""How the first stage's length is chosen from the data where the config gives none."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from hpsearch.config.sections.stages import LEARNING, StageConfig, num_promoted
from workers.errors import InputError

AUTO: Final = "auto"
"""What may stand for the first stage's epochs, and is meant where they are missing."""

PILOTS: Final = 8
"""So many trials are trained on. Of unrelated ranks a correlation of 0.5 comes by chance one time
in nine among 8 trials, one in seven among 6, and it has to last."""

SHARE: Final = 0.1
"""They may take so much of what the later stages train."""


@dataclass(frozen=True, slots=True)
class Length:
    """The first stage's length, and why.

    Parameters
    ----------
    stage, epochs, reason
        The stage, its epochs, and why these.
    later, trials, failed
        How many epochs the first trials had, how many these are, and how many of them failed.
    correlation
        Spearman's, of the ranks after ``epochs`` and after ``later``; None where no fewer epochs
        than these were enough.
    """

    stage: str
    epochs: int
    reason: str
    later: int
    trials: int
    failed: int
    correlation: float | None

    @property
    def short(self) -> bool:
        """Whether it is too short to rank: never, since it was chosen to be long enough."""
        return False

    @property
    def text(self) -> str:
        """All this in one sentence for a person."""
        found = [f"{self.trials} trials" + f", {self.failed} of them failed" * (self.failed > 0)]
        if self.correlation is not None:
            found.append(f"rank correlation {self.correlation:.2f}")
        unit = "epoch" if self.epochs == 1 else "epochs"
        return f"{self.epochs} {unit}, {self.reason} ({'; '.join(found)})"

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes, the sentence included."""
        return {**asdict(self), "short": self.short, "text": self.text}


@dataclass(frozen=True, slots=True)
class Pilot:
    """The first ``trials`` have ``epochs``; ``length`` is that of the others, once it is known."""

    trials: int
    epochs: int
    length: Length | None = None


def wanted(document: Mapping[str, Any]) -> bool:
    """Return whether a config leaves its first stage's length to the data."""
    stages = document.get("stages")
    if not isinstance(stages, list) or not stages or not isinstance(stages[0], dict):
        return False
    return stages[0].get("epochs", AUTO if len(stages) > 1 else None) == AUTO


def placed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with a length in place of the one that is wanted."""
    first, *rest = document["stages"]
    return {**document, "stages": [{**first, "epochs": 1}, *rest]}


def planned(stages: Sequence[StageConfig]) -> tuple[tuple[StageConfig, ...], Pilot]:
    """Return the stages and the plan of how the first one's length is to be chosen.

    Until it is, that stage has the epochs of the first trials: fewer than the second one's.

    Raises
    ------
    InputError
        If the stages don't allow it.
    """
    first, *rest = stages
    where, remedy = f"stage {first.name!r}: epochs can be chosen", "give epochs"
    if not rest:
        raise InputError(f"{where} where a longer stage follows", "one stage", remedy)
    if first.num_trials <= PILOTS:
        got = f"num_trials {first.num_trials}"
        raise InputError(f"{where} from more than {PILOTS} trials", got, f"raise it or {remedy}")
    if rest[0].epochs < 3:
        got = f"epochs {rest[0].epochs} in {rest[0].name!r}"
        raise InputError(f"{where} where the next stage has 3 or more", got, remedy)
    for what in (first.sampler if first.sampler in LEARNING else None, first.pruner):
        if what is not None:
            got = what if isinstance(what, str) else f"pruner {what.type}"
            rule = f"{where} where nothing in the stage depends on its scores"
            raise InputError(rule, got, f"remove it or {remedy}")
    affordable = math.floor(SHARE * _later(stages) / PILOTS)
    epochs = int(max(2, min(rest[0].epochs - 1, affordable)))
    return (first.model_copy(update={"epochs": epochs}), *rest), Pilot(PILOTS, epochs)


def _later(stages: Sequence[StageConfig]) -> float:
    """Return how many epochs all stages but the first train."""
    trials, had, total = stages[0].num_trials, 0.0, 0.0
    for stage in stages[1:]:
        going = num_promoted(stage, trials)
        total += stage.num_trials * stage.epochs + going * (stage.epochs - had)
        trials, had = stage.num_trials + going, stage.epochs
    return total
