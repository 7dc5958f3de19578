"""What the sections of a config file are made of."""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
Share = Annotated[float, Gt(0), Lt(1)]
Count = Annotated[int, Ge(1), Le(10**9)]


class Section(BaseModel):
    """What all sections share: frozen, no unknown keys, no silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
