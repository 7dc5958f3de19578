"""Class labels as what they were in their source: text, booleans or numbers.

Within the program a class is its text; what is told of it elsewhere has its own type again.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Label = str | int | float | bool

_FLAGS = {"True": True, "False": False}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float"}

_VALUES: Mapping[str, Callable[[str], Label]] = MappingProxyType(
    {"text": str, "bool": _FLAGS.__getitem__, "int": int, "float": float}
)
"""From a class's text to its value, by the type's name in a checkpoint."""


def of_array(y: NDArray[Any], classes: Sequence[str], *, typed: bool) -> str:
    """Return the type of raw labels; where the source has no types, what the texts look like."""
    known = _KINDS.get(y.dtype.kind)
    return known or ("text" if typed else inferred(classes))


def inferred(classes: Sequence[str]) -> str:
    """Return the type that classes look like: numbers where JSON would take all of them for such.

    Numbers that are no 64-bit ones stay text, and so do two ways to write the same one.

    >>> inferred(["0", "1"]), inferred(["1.5", "2"]), inferred(["01", "02"]), inferred(["1", "1.0"])
    ('int', 'float', 'text', 'text')
    """
    matches = [_NUMBER.fullmatch(text) for text in classes]
    numbers = [float(match[0]) for match in matches if match]
    distinct = len(set(numbers)) == len(classes) and all(map(math.isfinite, numbers))
    whole = all(match and not match[2] and not match[3] for match in matches)
    if whole and all(-(2**63) <= int(text) < 2**63 for text in classes):
        return "int" if len({int(text) for text in classes}) == len(classes) else "text"
    return "float" if distinct and not whole else "text"


def values(classes: Sequence[str], kind: str | None) -> tuple[Label, ...]:
    """Return the classes' own values.

    ``kind`` is what `of_array` found. None, which a checkpoint of before says, stands for what
    the texts look like, where those of booleans count too.

    Raises
    ------
    ValueError
        If there is no such type, or a class is none of it.

    >>> values(["1", "2"], "float"), values(["1", "2"], "text"), values(["False", "True"], None)
    ((1.0, 2.0), ('1', '2'), (False, True))
    """
    if kind is None:
        kind = "bool" if set(classes) == set(_FLAGS) else inferred(classes)
    try:
        return tuple(_VALUES[kind](text) for text in classes)
    except (KeyError, TypeError) as error:
        raise ValueError(f"class_type {kind!a:.60} does not fit") from error


def column(chosen: NDArray[np.intp], labels: Sequence[Label]) -> NDArray[Any]:
    """Return the label of each chosen class, ``(rows,)``, typed as a table's column."""
    kind = object if isinstance(labels[0], str) else None
    return np.array(labels, kind)[chosen]
