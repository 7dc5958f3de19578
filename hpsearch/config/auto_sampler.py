"""Which sampler `auto` stands for, from the config alone: see benchmarks/search_quality.md."""

from collections.abc import Sequence

from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.stages import SamplerName, StageConfig
from hpsearch.space.dimensions import Numeric
from hpsearch.space.space import SearchSpace

TRIALS = 200
"""Of more scores the Gaussian process takes the best only, and it takes its time."""

DIMENSIONS = 10
"""The process was measured on seven."""


def resolved(stages: Sequence[StageConfig], space: SearchSpace) -> tuple[StageConfig, ...]:
    """Return the stages, those of sampler `auto` with the one it stands for.

    - ``sobol`` in a first stage that others follow: of longer training nothing is known yet.
    - ``gp`` in a search of at most 200 trials and 10 dimensions, of which at least half are
      ranges without a condition.
    - ``tpe`` elsewhere.
    """
    return tuple(
        stage.model_copy(update={"sampler": _chosen(stages, index, space)})
        if stage.sampler == "auto"
        else stage
        for index, stage in enumerate(stages)
    )


def _chosen(stages: Sequence[StageConfig], index: int, space: SearchSpace) -> SamplerName:
    if index == 0 and len(stages) > 1:
        return "sobol"
    trials = sum(stage.num_trials for stage in stages)
    free = [name for name in space.free if name not in (stages[index].fixed or {})]
    ranges = [name for name in free if isinstance(space[name], Numeric) and not space[name].when]
    few = trials <= TRIALS and len(free) <= DIMENSIONS
    return "gp" if few and 2 * len(ranges) >= len(free) else "tpe"


def explained(config: SearchConfig) -> list[str]:
    """Return for each stage of sampler `auto` which one that is, as a sentence."""
    asked = [stage.get("sampler") for stage in config.document["stages"]]
    return [
        f"stage {stage.name}: sampler auto is {stage.sampler}"
        for stage, sampler in zip(config.stages, asked, strict=True)
        if sampler == "auto"
    ]
