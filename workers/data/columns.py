"""The columns of raw rows: what kind each is of, and which values a category has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from workers.errors import CheckpointError

Kind = Literal["number", "category", "date"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, its kind, and the ``values`` of a category, sorted as text.

    Raw rows are float64. A number stands for itself, a date for the seconds since 1970 began, a
    category's value for its place among ``values``, -1 for one that is not there. NaN is missing.
    """

    name: str
    kind: Kind = "number"
    values: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        plain = {"name": self.name, "kind": self.kind}
        return {**plain, "values": list(self.values)} if self.kind == "category" else plain


def columns_from_json(found: object) -> tuple[Column, ...]:
    """Return the columns that a checkpoint describes.

    Raises
    ------
    CheckpointError
        If it describes none.
    """
    if not isinstance(found, list) or not all(map(_is_column, found)):
        raise CheckpointError("the checkpoint's columns must have names, kinds and values")
    return tuple(
        Column(one["name"], cast(Kind, one["kind"]), tuple(one.get("values", ()))) for one in found
    )


def _is_column(one: object) -> bool:
    if not isinstance(one, Mapping) or one.get("kind") not in KINDS:
        return False
    values = one.get("values", [])
    texts = isinstance(values, list) and all(isinstance(value, str) for value in values)
    return texts and isinstance(one.get("name"), str) and len(set(values)) == len(values)
