"""Everything that a search needs to know, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hpsearch.config.auto_epochs import Length, Pilot
from hpsearch.config.network import compose, corners, limits
from hpsearch.config.sections.data import DataConfig
from hpsearch.config.sections.outputs import CheckpointConfig, EnsembleConfig
from hpsearch.config.sections.stages import Points, RescoreConfig, StageConfig
from hpsearch.config.sections.study import StudyConfig
from hpsearch.space.space import SearchSpace
from workers.nn.families import families
from workers.nn.spec import NetworkSpec


@dataclass(frozen=True)
class SearchConfig:
    """Everything that a search needs to know, checked.

    ``document`` is what the config was made from, as plain data. With a ``pilot`` the first
    stage's epochs are to be chosen: they are the most that they may become until they are.
    """

    study: StudyConfig
    data: DataConfig
    network: NetworkSpec
    search_space: SearchSpace
    stages: tuple[StageConfig, ...]
    checkpoint: CheckpointConfig
    ensemble: EnsembleConfig
    enqueue: Points
    rescore: RescoreConfig | None
    document: Mapping[str, Any]
    pilot: Pilot | None = None

    def spec(self, params: Mapping[str, Any]) -> NetworkSpec:
        """Return the network that a trial's sampled values make of the config's."""
        return compose(self.network, params)

    @property
    def length(self) -> Length | None:
        """The first stage's length and why, if that was left to the data and is known."""
        return None if self.pilot is None else self.pilot.length

    def epochs(self, stage: int, trial: int) -> float:
        """Return how many epochs in all a trial of a stage has, which may be of the pilot."""
        if stage == 0 and self.pilot is not None and trial < self.pilot.trials:
            return self.pilot.epochs
        return self.stages[stage].epochs

    @cached_property
    def limits(self) -> dict[str, tuple[float, float]]:
        """The lowest and highest value that a network takes, both included, by dimension."""
        return {name: limits(name) for name in self.search_space}

    @cached_property
    def chains(self) -> set[tuple[str, ...]]:
        """The chains of preprocessing that trials may ask for."""
        networks = [self.network, *corners(self.network, self.search_space)]
        return {network.preprocess for network in networks if network.preprocess is not None}

    @property
    def num_trials(self) -> int:
        """How many trials the stages and the last one's scoring anew have together."""
        again = self.rescore.top * self.rescore.seeds if self.rescore else 0
        return sum(stage.num_trials for stage in self.stages) + again

    def check_outputs(self, outputs: int) -> None:
        """Raise InputError if a network of the search can't have so many outputs."""
        for spec in corners(self.network, self.search_space):
            families.check(spec, self.data.task, outputs)
