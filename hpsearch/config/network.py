"""From sampled values to a network: composing, checking, and what a network takes."""

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import TypeAdapter, ValidationError

from hpsearch.config.error_messages import error_message, unknown_key
from hpsearch.config.lint import exponents_remedy
from hpsearch.space.dimensions import CategoricalDimension, Dimension, FixedDimension
from hpsearch.space.space import SearchSpace, ends
from workers.errors import InputError
from workers.nn.families.families import FAMILIES
from workers.nn.spec import NetworkSpec

LAYERS = "hidden_layers"
"""A dimension of this name is the number of hidden layers."""

UNITS = "hidden_units"
"""A dimension of this name is the units of every hidden layer; ``hidden_units_2`` of the
second one alone."""

MOST_LAYERS = 100
MOST_UNITS = 10**6

_NETWORK = TypeAdapter(NetworkSpec)
_ONE_LAYER = re.compile(rf"{UNITS}_([1-9][0-9]?)")


def parse_network(values: Mapping[str, Any], *, where: str = "network") -> NetworkSpec:
    """Return the network that plain values describe; raises InputError."""
    known = [field.name for field in dataclasses.fields(NetworkSpec)]
    for key, value in values.items():
        if key not in known:
            raise unknown_key(f"{where}.{key}", key, known)
        if key in FAMILIES and value not in list(FAMILIES[key]):
            choices = ", ".join(FAMILIES[key])
            raise InputError(f"{where}.{key} must be one of {choices}", repr(value), "pick one")
    weights = values.get("class_weight")
    if isinstance(weights, Mapping):
        values = {**values, "class_weight": list(weights.items())}
    try:
        return _NETWORK.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise error_message(error, values, where=where) from None


def compose(network: NetworkSpec, params: Mapping[str, Any]) -> NetworkSpec:
    """Return the network that a trial's sampled values make of the config's.

    >>> compose(NetworkSpec(), {"hidden_layers": 3, "hidden_units": 32}).hidden
    (32, 32, 32)
    >>> compose(NetworkSpec(hidden=(8, 4)), {"hidden_layers": 3, "hidden_units_1": 16}).hidden
    (16, 4, 4)
    """
    plain = {name: value for name, value in params.items() if not _shapes(name)}
    if len(plain) == len(params):
        return dataclasses.replace(network, **plain)
    first = tuple(plain.get("hidden", network.hidden)) or (1,)
    count = params.get(LAYERS, len(first))
    widths = [
        params.get(f"{UNITS}_{layer + 1}", params.get(UNITS, first[min(layer, len(first) - 1)]))
        for layer in range(count)
    ]
    return dataclasses.replace(network, **(plain | {"hidden": tuple(widths)}))


def with_layer_conditions(dimensions: Mapping[str, Dimension]) -> SearchSpace:
    """Return a space in which ``hidden_units_3`` is searched where there are 3 layers.

    Raises InputError if both the whole and its parts are searched, or the parts are no
    numbers of layers and units.
    """
    shaping = [name for name in dimensions if _shapes(name)]
    for name in shaping:
        for value in ends(dimensions[name]):
            _check_count(name, value)
    if shaping and "hidden" in dimensions:
        raise InputError(
            "search_space has hidden or its parts, not both", shaping[0], "remove one of them"
        )
    layers = dimensions.get(LAYERS)
    changed: dict[str, Dimension] = {}
    for name, dimension in dimensions.items():
        match = _ONE_LAYER.fullmatch(name)
        if match and dimension.when is None and layers is not None:
            least = int(match[1])
            when = {LAYERS: tuple(n for n in _counts(layers) if n >= least) or (least,)}
            changed[name] = dimension.model_copy(update={"when": when})
    return SearchSpace({**dimensions, **changed})


def corners(network: NetworkSpec, space: SearchSpace) -> list[NetworkSpec]:
    """Return networks at the ends of every dimension, or at its choices, one at a time.

    Raises InputError for a value that the network does not take.
    """
    known = [field.name for field in dataclasses.fields(network)]
    networks = []
    for name, dimension in space.items():
        if name not in known and not _shapes(name):
            raise unknown_key(f"search_space.{name}", name, [*known, LAYERS, UNITS])
        least = {parent: values[0] for parent, values in (dimension.when or {}).items()}
        for value in ends(dimension):
            given = {name: value if _shapes(name) else _parsed(name, value, dimension)}
            inside = {n: v for n, v in least.items() if n in known or _shapes(n)}
            networks.append(compose(network, inside | given))
    return networks or [network]


def widest(network: NetworkSpec, space: SearchSpace) -> NetworkSpec:
    """Return the network with the most layers and units that parts of its shape allow."""
    largest = {n: max(ends(dimension)) for n, dimension in space.items() if _shapes(n)}
    return compose(network, largest)


def limits(name: str) -> tuple[float, float]:
    """Return the lowest and highest value that a network takes by this name, both included."""
    if _shapes(name):
        return 1.0, float(_most(name))
    hint = get_type_hints(NetworkSpec, include_extras=True)[name]
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


def _shapes(name: str) -> bool:
    return name in (LAYERS, UNITS) or _ONE_LAYER.fullmatch(name) is not None


def _parsed(name: str, value: Any, dimension: Dimension) -> Any:
    try:
        return getattr(parse_network({name: value}, where="search_space"), name)
    except InputError as error:
        remedy = exponents_remedy(dimension) or error.remedy
        raise InputError(error.rule, error.value, remedy) from None


def _counts(dimension: Dimension) -> Iterator[int]:
    values = ends(dimension)
    if isinstance(dimension, FixedDimension | CategoricalDimension):
        yield from (value for value in values if isinstance(value, int))
    else:
        yield from range(int(values[0]), int(values[1]) + 1)


def _check_count(name: str, value: Any) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not 1 <= value <= _most(name):
        rule = f"search_space.{name} must be whole numbers from 1 to {_most(name):,}"
        raise InputError(rule, repr(value), "correct the range" if whole else "use type: int")


def _most(name: str) -> int:
    return MOST_LAYERS if name == LAYERS else MOST_UNITS
