"""The options of each pruner in a config file, as frozen pydantic models."""

from typing import Annotated, ClassVar, Literal, get_args

from annotated_types import Ge, Gt, Lt
from pydantic import BeforeValidator, Field, model_validator

from hpsearch.config.sections.base import Count, Section


class _Rule(Section):
    """What the options of all pruners share: whether it compares a trial with others."""

    compares: ClassVar[bool] = True


class MedianRule(_Rule):
    """Stop a trial whose best score is below the median of the earlier ones at its epoch."""

    type: Literal["median"]
    startup_trials: Annotated[int, Ge(0)] = 5
    warmup_epochs: Annotated[int, Ge(0)] = 0


class PercentileRule(_Rule):
    """Stop a trial that is not in the best ``percentile`` percent at its epoch."""

    type: Literal["percentile"]
    percentile: Annotated[float, Gt(0), Lt(100)] = 25.0
    startup_trials: Annotated[int, Ge(0)] = 5
    warmup_epochs: Annotated[int, Ge(0)] = 0


class HalvingRule(_Rule):
    """Let one in ``reduction_factor`` trials past each rung; ``hyperband`` has brackets.

    Rungs are at ``min_epochs`` times the powers of ``reduction_factor``.
    """

    type: Literal["asha", "hyperband"]
    min_epochs: Count = 1
    reduction_factor: Annotated[int, Ge(2)] = 3


class WilcoxonRule(_Rule):
    """Stop a trial that a signed-rank test over the epochs finds worse than the best one."""

    type: Literal["wilcoxon"]
    p_threshold: Annotated[float, Gt(0), Lt(1)] = 0.1
    startup_epochs: Annotated[int, Ge(2)] = 2


class PatienceRule(_Rule):
    """Stop a trial that has not become better for ``patience`` epochs."""

    compares: ClassVar[bool] = False
    type: Literal["patience"]
    patience: Count = 5
    min_delta: Annotated[float, Ge(0)] = 0.0


class ThresholdRule(_Rule):
    """Stop a trial whose metric is below ``lower`` or above ``upper``."""

    compares: ClassVar[bool] = False
    type: Literal["threshold"]
    lower: float | None = None
    upper: float | None = None
    warmup_epochs: Annotated[int, Ge(0)] = 0

    @model_validator(mode="after")
    def _check_bounds(self) -> "ThresholdRule":
        if self.lower is None and self.upper is None:
            raise ValueError("a threshold needs lower or upper")
        return self


_AnyRule = MedianRule | PercentileRule | HalvingRule | WilcoxonRule | PatienceRule | ThresholdRule

PRUNERS: tuple[str, ...] = tuple(
    name for rule in get_args(_AnyRule) for name in get_args(rule.model_fields["type"].annotation)
)
"""The pruners by name."""

PrunerRule = Annotated[
    _AnyRule,
    Field(discriminator="type"),
    BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value),
]
"""A pruner with its options; a bare name stands for the defaults."""
