"""The sections of a config file that say how stages proceed, as frozen pydantic models."""

import math
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import model_validator

from hpsearch.config.sections.base import Count, Epochs, Name, Section, Share
from hpsearch.config.sections.pruners import PrunerRule
from hpsearch.space.dimensions import Choice

SamplerName = Literal["auto", "random", "sobol", "grid", "brute", "tpe", "cmaes", "gp"]

LEARNING = ("tpe", "cmaes", "gp")
"""The samplers whose proposals depend on the scores of earlier trials."""

ENUMERATING = ("grid", "brute")
"""The samplers that go through a finite space, each point once."""

RESCORE = "rescore"
"""The name of the stage that scores the best anew."""


class NarrowConfig(Section):
    """How a stage's ranges follow from the best trials of the stage before.

    ``keep_top`` is a share of the finished trials or a count; ``margin`` and
    ``min_width`` are in decades on a log scale, and on a linear one in shares of the
    dimension's first range. A range narrows only where the best lie closer together than as
    many of the trials do by chance, at a level of ``significance`` that all dimensions share
    (1: in any case).
    ``explore`` is the share of new trials that are drawn from all that was ever searched.
    """

    keep_top: Annotated[float, Gt(0), Le(1)] | Count = 0.2
    margin: Annotated[float, Ge(0)] = 0.25
    min_width: Annotated[float, Ge(0)] = 0.5
    significance: Annotated[float, Gt(0), Le(1)] = 0.05
    explore: Annotated[float, Ge(0), Lt(1)] = 0.2
    at_border: Literal["warn", "extend", "error"] = "warn"

    @model_validator(mode="after")
    def _check_width(self) -> "NarrowConfig":
        if self.min_width == 0:
            raise ValueError("min_width must be above 0, or a single best trial empties the range")
        return self


class StageConfig(Section):
    """One stage: how many new trials, for how many epochs in all, over which ranges.

    ``epochs`` below 1, in the first stage, are a part of the first epoch. ``promote`` is how
    many of the last stage's best go on training from their last checkpoints, a count or a
    share of its trials; ``fixed`` holds dimensions at one value in this stage;
    ``generation`` is how many trials are asked for before any of their results is told,
    where a sampler learns or a pruner compares.
    """

    name: Name
    num_trials: Annotated[int, Ge(0), Le(10**6)]
    epochs: Epochs
    narrow: NarrowConfig | None = None
    promote: Share | Count | None = None
    sampler: SamplerName = "random"
    pruner: PrunerRule | None = None
    generation: Count = 10
    fixed: dict[str, Choice] | None = None

    @property
    def compares(self) -> bool:
        """Whether the pruner looks at other trials too."""
        return self.pruner is not None and self.pruner.compares


class RescoreConfig(Section):
    """After the last stage, train the ``top`` configurations anew on ``seeds`` fresh seeds."""

    top: Count = 5
    seeds: Annotated[int, Ge(2)] = 3


Points = tuple[dict[str, Any], ...]
"""Params to try first, each a full configuration or a part of one."""


def num_promoted(stage: StageConfig, trials: int) -> int:
    """Return how many of so many trials go on in a stage: a count, or a share rounded up."""
    if stage.promote is None:
        return 0
    if isinstance(stage.promote, int):
        return min(stage.promote, trials)
    return math.ceil(stage.promote * trials - 1e-9)
