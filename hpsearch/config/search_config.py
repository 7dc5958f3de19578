"""A config file to a frozen, validated `SearchConfig`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Len
from pydantic import Field, ValidationError

from hpsearch.config import auto_sampler, documents, lint, rules
from hpsearch.config.auto_epochs import Length, Pilot, placed, planned, wanted
from hpsearch.config.error_messages import error_message, unknown_key
from hpsearch.config.network import (
    compose,
    corners,
    limits,
    parse_network,
    with_layer_conditions,
)
from hpsearch.config.sections.base import Section
from hpsearch.config.sections.stages import Points, RescoreConfig, StageConfig
from hpsearch.config.sections.study import (
    CheckpointConfig,
    DataConfig,
    EnsembleConfig,
    StudyConfig,
)
from hpsearch.space.dimensions import Dimension
from hpsearch.space.space import SearchSpace, tuples
from workers.errors import InputError
from workers.nn.families import families
from workers.nn.spec import NetworkSpec

_NETWORK_KEYS = {field.name for field in fields(NetworkSpec)}


class _Document(Section):
    """The sections of a config file; ``network`` is checked apart."""

    study: StudyConfig
    data: DataConfig
    network: Annotated[dict[str, Any], Field(default_factory=dict)]
    search_space: dict[str, Dimension]
    stages: Annotated[tuple[StageConfig, ...], Len(1)]
    checkpoint: CheckpointConfig = CheckpointConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    enqueue: Points = ()
    rescore: RescoreConfig | None = None


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


def load(path: Path, *, assignments: Iterable[str] = (), name: str | None = None) -> SearchConfig:
    """Read a config file, change it by ``KEY=VALUE`` assignments, and check it.

    Raises
    ------
    InputError
        If the file or an assignment breaks a rule; the message names the first one.
    """
    document = documents.read(path)
    documents.assign(document, assignments)
    if name is not None:
        documents.assign(document, [f"study.name={json.dumps(name)}"])
    return build(document)


def build(document: Mapping[str, Any]) -> SearchConfig:
    """Return the checked config that plain data describes; raises InputError."""
    left_open, pilot = wanted(document), None
    try:
        text = json.dumps(placed(document) if left_open else document)
    except TypeError as error:
        raise InputError("a config holds plain values", str(error), "put it in quotes") from None
    for key in document:
        if key in _NETWORK_KEYS:
            raise unknown_key(key, key, [f"network.{key}", f"search_space.{key}"])
    try:
        sections = _Document.model_validate_json(text)
    except ValidationError as error:
        raise error_message(error, document, model=_Document) from None
    if left_open:
        stages, pilot = planned(sections.stages)
        sections = sections.model_copy(update={"stages": stages})
    space = with_layer_conditions(sections.search_space)
    lint.check(space)
    config = SearchConfig(
        study=sections.study,
        data=sections.data,
        network=parse_network(sections.network),
        search_space=space,
        stages=auto_sampler.resolved(sections.stages, space),
        checkpoint=sections.checkpoint,
        ensemble=sections.ensemble,
        enqueue=tuple({n: tuples(v) for n, v in point.items()} for point in sections.enqueue),
        rescore=sections.rescore,
        document=document,
        pilot=pilot,
    )
    corners(config.network, space)
    rules.check(config)
    return config
