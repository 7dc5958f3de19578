"""A config file, or plain data, to a checked `SearchConfig`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Len
from pydantic import Field, ValidationError

from hpsearch.config import auto_sampler, documents, lint, rules
from hpsearch.config.auto_epochs import placed, planned, wanted
from hpsearch.config.error_messages import error_message, unknown_key
from hpsearch.config.network import corners, parse_network, with_layer_conditions
from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.base import Section
from hpsearch.config.sections.data import DataConfig
from hpsearch.config.sections.outputs import CheckpointConfig, EnsembleConfig
from hpsearch.config.sections.stages import Points, RescoreConfig, StageConfig
from hpsearch.config.sections.study import StudyConfig
from hpsearch.space.dimensions import Dimension
from hpsearch.space.space import tuples
from workers.errors import InputError
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
