"""A config file to a frozen, validated `SearchConfig`: the rules that join sections."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import Field, TypeAdapter, ValidationError

from hpsearch import documents, lint
from hpsearch.complaints import complain, unknown_key
from hpsearch.sections import (
    CategoricalDimension,
    CheckpointConfig,
    DataConfig,
    Dimension,
    EnsembleConfig,
    Section,
    StageConfig,
    StudyConfig,
)
from hpsearch.space import SearchSpace
from workers.errors import InputError
from workers.nn import families
from workers.nn.families import FAMILIES
from workers.nn.spec import NetworkSpec
from workers.preprocessing import PREPROCESSORS

_NETWORK = TypeAdapter(NetworkSpec)


class _Document(Section):
    """The sections of a config file; ``network`` is checked apart."""

    study: StudyConfig
    data: DataConfig
    network: Annotated[dict[str, Any], Field(default_factory=dict)]
    search_space: dict[str, Dimension]
    stages: Annotated[tuple[StageConfig, ...], Len(1)]
    checkpoint: CheckpointConfig = CheckpointConfig()
    ensemble: EnsembleConfig = EnsembleConfig()


@dataclass(frozen=True)
class SearchConfig:
    """Everything that a search needs to know, checked.

    ``document`` is what the config was made from, as plain data.
    """

    study: StudyConfig
    data: DataConfig
    network: NetworkSpec
    search_space: SearchSpace
    stages: tuple[StageConfig, ...]
    checkpoint: CheckpointConfig
    ensemble: EnsembleConfig
    document: Mapping[str, Any]

    def spec(self, params: Mapping[str, Any]) -> NetworkSpec:
        """Return the network that a trial's sampled values make of the config's."""
        return dataclasses.replace(self.network, **params)

    @cached_property
    def limits(self) -> dict[str, tuple[float, float]]:
        """The lowest and highest value that a network takes, both included, by dimension."""
        hints = get_type_hints(NetworkSpec, include_extras=True)
        return {name: _limits(hints[name]) for name in self.search_space}

    @cached_property
    def chains(self) -> set[tuple[str, ...]]:
        """The chains of preprocessing that trials may ask for."""
        networks = [self.network, *_corners(self.network, self.search_space)]
        return {network.preprocess for network in networks if network.preprocess is not None}

    @property
    def num_trials(self) -> int:
        """How many trials the stages have together."""
        return sum(stage.num_trials for stage in self.stages)

    def check_outputs(self, outputs: int) -> None:
        """Raise InputError if a network of the search can't have so many outputs."""
        for spec in _corners(self.network, self.search_space):
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
    try:
        text = json.dumps(document)
    except TypeError as error:
        raise InputError("a config holds plain values", str(error), "put it in quotes") from None
    try:
        sections = _Document.model_validate_json(text)
    except ValidationError as error:
        raise complain(error, document, model=_Document) from None
    space = SearchSpace(sections.search_space)
    lint.check(space)
    config = SearchConfig(
        study=sections.study,
        data=sections.data,
        network=parse_network(sections.network),
        search_space=space,
        stages=sections.stages,
        checkpoint=sections.checkpoint,
        ensemble=sections.ensemble,
        document=document,
    )
    _check_together(config)
    return config


def parse_network(values: Mapping[str, Any], *, where: str = "network") -> NetworkSpec:
    """Return the network that plain values describe; raises InputError."""
    known = [field.name for field in fields(NetworkSpec)]
    for key, value in values.items():
        if key not in known:
            raise unknown_key(f"{where}.{key}", key, known)
        if key in FAMILIES and value not in list(FAMILIES[key]):
            choices = ", ".join(FAMILIES[key])
            raise InputError(f"{where}.{key} must be one of {choices}", repr(value), "pick one")
    try:
        return _NETWORK.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise complain(error, values, where=where) from None


def _corners(network: NetworkSpec, space: SearchSpace) -> list[NetworkSpec]:
    """Return networks at the ends of every dimension, or at its choices, one at a time.

    Raises InputError for a value that the network does not take.
    """
    known = [field.name for field in fields(network)]
    networks = []
    for name, dimension in space.items():
        if name not in known:
            raise unknown_key(f"search_space.{name}", name, known)
        values: tuple[Any, ...]
        if isinstance(dimension, CategoricalDimension):
            values = dimension.choices
        else:
            values = (dimension.low, dimension.high)
        for value in values:
            try:
                given = parse_network({name: value}, where="search_space")
            except InputError as error:
                remedy = lint.exponents_remedy(dimension) or error.remedy
                raise InputError(error.rule, error.value, remedy) from None
            networks.append(dataclasses.replace(network, **{name: getattr(given, name)}))
    return networks or [network]


def _limits(hint: Any) -> tuple[float, float]:
    """Return the bounds that a type's annotation states, of its first part if a union."""
    low, high = -math.inf, math.inf
    bounded = [part for part in (hint, *get_args(hint)) if hasattr(part, "__metadata__")]
    for rule in bounded[0].__metadata__ if bounded else ():
        match rule:
            case Ge(ge=bound):
                low = float(str(bound))
            case Gt(gt=bound):
                low = math.nextafter(float(str(bound)), math.inf)
            case Le(le=bound):
                high = float(str(bound))
            case Lt(lt=bound):
                high = math.nextafter(float(str(bound)), -math.inf)
    return low, high


def _check_together(config: SearchConfig) -> None:
    """Raise InputError for sections that are right alone and wrong together."""
    _corners(config.network, config.search_space)
    metric, task = config.study.metric, config.data.task
    if (metric.removeprefix("ema_") in ("val_mse", "val_r2")) and task == "classification":
        raise InputError("study.metric must fit data.task", f"{metric} and {task}", "use val_loss")
    if metric.endswith("accuracy") and task == "regression":
        raise InputError("study.metric must fit data.task", f"{metric} and {task}", "use val_mse")
    if metric.startswith("ema_") and config.checkpoint.ema_decay == 0:
        raise InputError(
            f"metric {metric} needs a running average", "checkpoint.ema_decay 0", "set it to 0.995"
        )
    if config.checkpoint.keep_top < config.ensemble.size:
        sizes = f"{config.checkpoint.keep_top} and {config.ensemble.size}"
        raise InputError(
            "checkpoint.keep_top must be at least ensemble.size", sizes, "raise keep_top"
        )
    for preprocessor in [
        step for chain in (config.data.preprocess, *config.chains) for step in chain
    ]:
        if preprocessor not in PREPROCESSORS:
            known = f"preprocess takes {', '.join(PREPROCESSORS)}"
            raise InputError(known, repr(preprocessor), "pick one of them")
    names = [stage.name for stage in config.stages]
    for name in names:
        if names.count(name) > 1:
            raise InputError("a stage's name may stand once", repr(name), "rename one of them")
    if config.stages[0].narrow is not None:
        raise InputError(
            "the first stage has no results to narrow from",
            f"narrow in stage {names[0]!r}",
            "move it to a later stage",
        )
