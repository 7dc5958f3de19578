"""The kinds of dimensions that a search space may have, each a frozen pydantic model."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len
from pydantic import BeforeValidator, Field

from hpsearch.space.strict_model import StrictModel

_Scalar = bool | int | float | str
Choice = _Scalar | tuple[_Scalar, ...]
_Choices = Annotated[tuple[Choice, ...], Len(1)]


def _listed(conditions: Any) -> Any:
    """Let ``{optimizer: adam}`` stand for ``{optimizer: [adam]}``."""
    if not isinstance(conditions, dict):
        return conditions
    return {
        name: tuple(tuple(v) if isinstance(v, list) else v for v in values)
        if isinstance(values, list | tuple)
        else (values,)
        for name, values in conditions.items()
    }


_When = Annotated[dict[str, _Choices], BeforeValidator(_listed)]
"""On which values of other dimensions this one is searched: all names must agree."""


class FloatDimension(StrictModel):
    """Real numbers from ``low`` to ``high``, uniform on a linear or logarithmic scale."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False
    step: Annotated[float, Gt(0)] | None = None
    when: _When | None = None


class IntDimension(StrictModel):
    """Whole numbers from ``low`` to ``high``, both included."""

    type: Literal["int"]
    low: Annotated[int, Ge(-(2**53)), Le(2**53)]
    high: Annotated[int, Ge(-(2**53)), Le(2**53)]
    log: bool = False
    step: Annotated[int, Ge(1)] = 1
    when: _When | None = None


class CategoricalDimension(StrictModel):
    """One of several values; a value may be a list, such as the sizes of hidden layers."""

    type: Literal["categorical"]
    choices: _Choices
    when: _When | None = None


class FixedDimension(StrictModel):
    """One value, the same in every trial."""

    type: Literal["fixed"]
    value: Choice
    when: _When | None = None

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The one value."""
        return (self.value,)


Dimension = Annotated[
    FloatDimension | IntDimension | CategoricalDimension | FixedDimension,
    Field(discriminator="type"),
]

Numeric = FloatDimension | IntDimension
"""A dimension with a range, as against one with choices or a single value."""


def is_active(dimension: Dimension, params: Mapping[str, Any]) -> bool:
    """Return whether a trial with these params has the dimension, by its conditions.

    >>> beta1 = FloatDimension(type="float", low=0.5, high=0.99, when={"optimizer": "adam"})
    >>> is_active(beta1, {"optimizer": "adam"}), is_active(beta1, {"optimizer": "momentum"})
    (True, False)
    """
    return all(
        name in params and json.dumps(params[name]) in map(json.dumps, values)
        for name, values in (dimension.when or {}).items()
    )
