"""A search space: named dimensions, each with its scale and its range or choices."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import TypeAdapter

from hpsearch.space.dimensions import (
    CategoricalDimension,
    Dimension,
    FixedDimension,
    IntDimension,
    is_active,
)
from hpsearch.space.scales import on_grid
from workers.errors import InputError

_DIMENSIONS: TypeAdapter[dict[str, Dimension]] = TypeAdapter(dict[str, Dimension])


def describe(dimension: Dimension) -> str:
    """Return the range or the choices as a person reads them.

    >>> from hpsearch.space.dimensions import FloatDimension
    >>> describe(FloatDimension(type="float", low=1e-6, high=10.0, log=True))
    '1e-06 .. 10 (log)'
    """
    if isinstance(dimension, FixedDimension):
        return text_of(dimension.value)
    if isinstance(dimension, CategoricalDimension):
        return ", ".join(map(text_of, dimension.choices))
    return range_text(dimension.low, dimension.high, log=dimension.log)


def range_text(low: float, high: float, *, log: bool) -> str:
    """Return a range as a person reads it."""
    return f"{text_of(low)} .. {text_of(high)}{' (log)' * log}"


def text_of(value: Any) -> str:
    """Return a value for a person: floats to three significant digits, lists as in YAML.

    >>> text_of(1e-6), text_of(1234.5), text_of((64, 32))
    ('1e-06', '1230', '[64, 32]')
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(text_of, value))}]"
    return f"{float(f'{value:.3g}'):g}" if isinstance(value, float) else str(value)


def tuples(value: Any) -> Any:
    """Return a value as a space has it: JSON's lists are tuples, at any depth.

    >>> tuples([64, [32]])
    (64, (32,))
    """
    return tuple(map(tuples, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class SearchSpace(Mapping[str, Dimension]):
    """A frozen mapping from a hyperparameter's name to its dimension, in the config's order."""

    dimensions: Mapping[str, Dimension]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", dict(self.dimensions))

    def __getitem__(self, name: str) -> Dimension:
        return self.dimensions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.dimensions)

    def __len__(self) -> int:
        return len(self.dimensions)

    def __hash__(self) -> int:
        return hash(tuple(self.dimensions))

    def takes(self, name: str, value: Any) -> bool:
        """Return whether a value lies inside the dimension of that name."""
        return _inside(self[name], value)

    def contains(self, params: Mapping[str, Any]) -> bool:
        """Return whether params has exactly the names that are active, each value inside."""
        active = {name for name, dimension in self.items() if is_active(dimension, params)}
        return params.keys() == active and all(self.takes(n, v) for n, v in params.items())

    def with_ranges(self, ranges: Mapping[str, tuple[Any, ...]]) -> "SearchSpace":
        """Return this space with other ranges: ``(low, high)``, or the choices that stay."""
        return SearchSpace({**self, **{n: _ranged(self[n], r) for n, r in ranges.items()}})

    def with_fixed(self, values: Mapping[str, Any]) -> "SearchSpace":
        """Return this space with some dimensions held at one value."""
        fixed = {
            name: FixedDimension(type="fixed", value=value, when=self[name].when)
            for name, value in values.items()
        }
        return SearchSpace({**self, **fixed})

    @property
    def free(self) -> tuple[str, ...]:
        """The names that are not fixed, those a condition depends on first, else sorted.

        So that what a name gets does not depend on where it stands in the config.
        """
        order = TopologicalSorter[str]()
        for name, dimension in self.items():
            order.add(name, *(dimension.when or {}))
        order.prepare()
        names: list[str] = []
        while ready := sorted(order.get_ready()):
            names += ready
            order.done(*ready)
        return tuple(n for n in names if n in self and not isinstance(self[n], FixedDimension))

    def check_order(self) -> None:
        """Raise InputError if conditions go round in a circle."""
        try:
            _ = self.free
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise InputError(
                "search_space: conditions must not go round in a circle", circle, "drop one when"
            ) from None

    def complete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the params that are active with the fixed values, in the space's order."""
        values = dict(params)
        values |= {n: d.value for n, d in self.items() if isinstance(d, FixedDimension)}
        while left := {n: v for n, v in values.items() if is_active(self[n], values)}:
            if left == values:
                break
            values = left
        return {name: values[name] for name in self if name in values}

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes and :meth:`from_json` reads back, floats exactly."""
        return {name: d.model_dump(mode="json", exclude_none=True) for name, d in self.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "SearchSpace":
        """Return the space that :meth:`to_json` wrote."""
        return cls(_DIMENSIONS.validate_json(json.dumps(value)))


def ends(dimension: Dimension) -> tuple[Any, ...]:
    """Return both ends of a range, all choices, or the one value."""
    if isinstance(dimension, FixedDimension | CategoricalDimension):
        return dimension.choices
    return dimension.low, dimension.high


def encode(dimension: Dimension, value: Any) -> Any:
    """Return a value as samplers see it: choices as JSON texts, steps as whole numbers.

    Optuna has no lists as choices, and its own steps come out as 0.8999999999999999.
    """
    if isinstance(dimension, CategoricalDimension):
        return json.dumps(value)
    if isinstance(dimension, FixedDimension) or dimension.log or dimension.step is None:
        return value
    return round((value - dimension.low) / dimension.step)


def decode(dimension: Dimension, value: Any) -> Any:
    """Return what :func:`encode` was given, in plain Python types."""
    if isinstance(dimension, FixedDimension):
        return dimension.value
    if isinstance(dimension, CategoricalDimension):
        return next(choice for choice in dimension.choices if json.dumps(choice) == value)
    if dimension.log or dimension.step is None:
        return int(value) if isinstance(dimension, IntDimension) else float(value)
    return on_grid(dimension, int(value))


def _inside(dimension: Dimension, value: Any) -> bool:
    if isinstance(dimension, FixedDimension):
        return json.dumps(value) == json.dumps(dimension.value)
    if isinstance(dimension, CategoricalDimension):
        return json.dumps(value) in map(json.dumps, dimension.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(dimension, IntDimension) and not float(value).is_integer():
        return False
    return dimension.low <= value <= dimension.high


def _ranged(dimension: Dimension, values: tuple[Any, ...]) -> Dimension:
    if isinstance(dimension, FixedDimension):
        return dimension
    if isinstance(dimension, CategoricalDimension):
        return dimension.model_copy(update={"choices": values})
    cast = int if isinstance(dimension, IntDimension) else float
    return dimension.model_copy(update={"low": cast(values[0]), "high": cast(values[1])})
