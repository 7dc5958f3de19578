"""The sections ``checkpoint`` and ``ensemble``: what is kept of a search, and what is averaged."""

from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt

from hpsearch.config.sections.base import Count, Section

EnsembleMethod = Literal["top", "greedy", "bagged_greedy", "stacking"]


class CheckpointConfig(Section):
    """When checkpoints are written, how many are kept, and the running average's decay."""

    every: Count = 1
    keep_top: Count = 10
    ema_decay: Annotated[float, Ge(0), Lt(1)] = 0.995


class EnsembleConfig(Section):
    """How many of the best models are averaged, and how they are chosen."""

    method: EnsembleMethod = "top"
    size: Annotated[int, Ge(1), Le(100)] = 10
