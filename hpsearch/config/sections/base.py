"""What the sections of a config file are made of."""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, StringConstraints

from hpsearch.space.strict_model import StrictModel
from workers.messages import is_epoch


def _check_epochs(value: object) -> object:
    if not (is_epoch(value) and 0 < value <= 10**9):
        raise ValueError("must be a whole number from 1 on, or below 1 a part of the first epoch")
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
Share = Annotated[float, Gt(0), Lt(1)]
Count = Annotated[int, Ge(1), Le(10**9)]
Epochs = Annotated[int | float, BeforeValidator(_check_epochs)]


class Section(StrictModel):
    """A section of a config file."""
