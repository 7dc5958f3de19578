"""The section ``study``: what is searched for, and how failures are met."""

from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Ge, Lt
from pydantic import model_validator

from hpsearch.config.sections.base import Name, Section
from workers.nn.metrics.metrics import METRICS as FAMILY

METRICS: Mapping[str, str] = {
    f"val_{name}": direction
    for name, direction in sorted(
        [("loss", "minimize"), *((name, metric.direction) for name, metric in FAMILY.items())]
    )
}
"""The metrics a search may pursue, each with its direction; ``ema_`` before a name
means the same of the running-average parameters."""


class StudyConfig(Section):
    """What is searched for: the run's name, the metric and the seed of all randomness.

    A trial whose worker is lost is tried again ``max_failures`` times. A worker counts as
    lost when it finishes no epoch in ``max_silence`` seconds, or in ten times what the
    longest epoch took if that is more. ``reproducible``
    lets samplers that learn and pruners that compare proceed in generations, so that the
    results don't depend on timing. ``diagnostics`` describes every layer after each epoch.
    """

    name: Name
    metric: str = "val_accuracy"
    direction: Literal["maximize", "minimize"] | None = None
    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    max_failures: Annotated[int, Ge(0)] = 3
    max_silence: Annotated[float, Ge(1)] = 600.0
    reproducible: bool = True
    diagnostics: bool = False

    @model_validator(mode="after")
    def _check_metric(self) -> "StudyConfig":
        plain = self.metric.removeprefix("ema_")
        if plain not in METRICS:
            raise ValueError(
                f"metric must be one of {', '.join(METRICS)}, or one of them after ema_"
            )
        if self.direction not in (None, METRICS[plain]):
            raise ValueError(f"direction must be {METRICS[plain]} for {self.metric}, or left out")
        return self

    @property
    def sign(self) -> int:
        """1 where a higher score is better, -1 where a lower one is."""
        return 1 if METRICS[self.metric.removeprefix("ema_")] == "maximize" else -1
