"""What a stage asks: most trials within its ranges, some of all that was ever searched."""

import math

from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.stages import ENUMERATING
from hpsearch.narrowing.narrow import widest
from hpsearch.sampling.studies import StageStudy
from hpsearch.sampling.surrogate.model import Model
from hpsearch.space.space import SearchSpace


class Exploration:
    """A stage's study, and one more for the share of trials that `narrow.explore` names.

    Those are drawn from the config's own ranges, as far as they have grown, evenly among the
    stage's new trials: at a share of 0.2 every fifth. So what a narrowing has cut off can come
    back. They are drawn at random, but by the Gaussian process where the stage's sampler is
    that: it learns from all trials, wherever they lie.

    Parameters
    ----------
    config
        The search's config.
    index
        Which of its stages this is, from 0.
    space
        The ranges of this stage.
    first
        The number of its first new trial.
    model
        What is known of all stages' trials.
    """

    def __init__(
        self, config: SearchConfig, index: int, space: SearchSpace, *, first: int, model: Model
    ) -> None:
        stage = config.stages[index]
        fixed, rule = stage.fixed or {}, stage.narrow

        def study(space: SearchSpace, sampler: str, beside: StageStudy | None = None) -> StageStudy:
            return StageStudy(
                space.with_fixed(fixed),
                seed=config.study.seed,
                sampler=sampler,
                first=first,
                epochs=stage.epochs,
                model=model,
                beside=beside,
            )

        self._first = first
        self.inside = self._outside = study(space, stage.sampler)
        self._share = rule.explore if rule and stage.sampler not in ENUMERATING else 0.0
        wide = widest(space, config.search_space)
        if self._share and wide != space:
            sampler = "gp" if stage.sampler == "gp" else "random"
            self._outside = study(wide, sampler, beside=self.inside)

    def of(self, number: int) -> StageStudy:
        """Return the study that a trial is asked of."""
        index = number - self._first
        before, after = (math.floor(n * self._share + 1e-9) for n in (index, index + 1))
        return self._outside if after > before else self.inside
