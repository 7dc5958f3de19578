"""From raw labels to what a loss takes: class indices, or numbers in regression."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpsearch.data import label_types
from hpsearch.data.tables.raw_table import Table, listed, shown
from workers.errors import InputError

_MISSING = frozenset({"", "nan", "NaN"})
"""What is no class: nothing, and what is no number where labels are numbers."""


class Labelled(Protocol):
    """Rows with raw labels, their numbers and the source they come from."""

    @property
    def y(self) -> NDArray[Any]:
        """Raw labels."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row numbers in the source."""

    @property
    def source(self) -> str:
        """The source's path."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Encoded labels of each split, the classes' text by index, and what type they were."""

    y: Mapping[str, NDArray[Any]]
    classes: tuple[str, ...]
    class_type: str = "text"


def labelled(y: NDArray[Any], missing: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows have labels: texts of ``missing`` are none, and no numbers."""
    if y.dtype.kind in "biu":
        return np.ones(len(y), bool)
    if y.dtype.kind == "f":
        numbers: NDArray[np.bool_] = ~np.isnan(y.reshape(len(y), -1)).any(axis=1)
        return numbers
    gone = {*missing, *_MISSING}
    return np.array([str(value).strip() not in gone for value in y.tolist()], bool)


def doubtful(y: NDArray[Any], missing: Sequence[str]) -> list[str]:
    """Return a line for each class whose name may mean that it is missing."""
    counts = Counter(y.tolist()) if y.dtype.kind == "O" else {}
    return [
        f"{counts[text]:,} rows are of the class {shown(text)}: if that means that it is not known,"
        " set data.unlabelled: drop"
        for text in missing
        if counts.get(text) and text not in _MISSING
    ]


def encode(parts: Mapping[str, Labelled], table: Table, *, task: str) -> Labels:
    """Return int32 class indices (rows,), or float64 targets (rows, outputs).

    The classes are those of the training rows, sorted as numbers if all of them are.

    Raises
    ------
    InputError
        For missing labels, fewer than two classes, classes that no training row has, and
        targets of a regression that are no finite numbers or never vary.
    """
    if task == "regression":
        return Labels({name: _numbers(part, name) for name, part in parts.items()}, ())
    texts = {name: as_text(part.y, part.rows, part.source) for name, part in parts.items()}
    classes = sort_classes(set(texts["train"]))
    if len(classes) < 2:
        raise InputError(
            "the training rows must have two classes or more",
            f"only {shown(classes[0])} in column {shown(table.target)}",
            "check target and the splits",
        )
    for name, labels in texts.items():
        unknown = sort_classes(set(labels) - set(classes))
        if unknown:
            raise InputError(
                f"classes of the {name} rows must occur in the training rows",
                listed(unknown),
                "split otherwise",
            )
    index = {label: number for number, label in enumerate(classes)}
    y = {name: np.array([index[t] for t in text], np.int32) for name, text in texts.items()}
    kind = label_types.of_array(parts["train"].y, classes, typed=table.typed)
    return Labels(y, classes, kind)


def check_same_classes(splits: Sequence[tuple[str, ...]], classes: tuple[str, ...]) -> None:
    """Raise InputError if a split has other ``classes`` than the ones before it."""
    if splits and splits[0] != classes:
        odd = sort_classes({*splits[0]} ^ {*classes})
        rule = "the training rows of every split must have the same classes"
        raise InputError(rule, f"{listed(odd)} not in all", "lower folds, or split otherwise")


def sort_classes(labels: set[str]) -> tuple[str, ...]:
    """Return class labels in order: as numbers if all are numbers, otherwise as text.

    >>> sort_classes({"10", "9"}), sort_classes({"10", "9", "b"})
    (('9', '10'), ('10', '9', 'b'))
    """
    numbers = {label: _number(label) for label in labels}
    if all(math.isfinite(number) for number in numbers.values()):
        return tuple(sorted(labels, key=lambda label: (numbers[label], label)))
    return tuple(sorted(labels))


def as_text(y: NDArray[Any], rows: Sequence[int] | NDArray[np.int64], source: str) -> list[str]:
    """Return each class label's text; whole numbers are written without a decimal point.

    Raises
    ------
    InputError
        If a label is missing.
    """
    if y.dtype.kind == "f" and (y == np.floor(y)).all() and (np.abs(y) < 2**53).all():
        y = y.astype(np.int64)
    texts = [str(value) for value in y.tolist()]
    for row, text in zip(rows, texts, strict=True):
        if text in _MISSING:
            raise InputError(
                "every row must have a class label",
                f"{shown(text)} in row {row} (counted from 0) of {shown(source)}",
                "fill it or drop the row",
            )
    return texts


def quantile_strata(y: NDArray[Any], rows: NDArray[np.int64], count: int, source: str) -> list[str]:
    """Return in which of ``count`` quantiles each target lies: equally many of them in each.

    Raises
    ------
    InputError
        For several targets, for ones that are no finite numbers, and if there are too few rows.
    """
    if y.ndim > 1:
        raise InputError("stratify takes one target", f"{y.shape[1]}", "leave stratify out")
    if len(y) < 2 * count:
        got = f"{len(y)} rows of {shown(source)} and {count} quantiles"
        raise InputError("every quantile must have at least 2 rows", got, "lower stratify")
    targets = _numbers(_Targets(y, rows, source), "")[:, 0]
    order = np.argsort(targets, kind="stable")
    places = np.empty(len(y), np.int64)
    places[order] = np.arange(len(y)) * count // len(y)
    return [f"quantile {place}" for place in places.tolist()]


@dataclass(frozen=True, eq=False)
class _Targets:
    y: NDArray[Any]
    rows: NDArray[np.int64]
    source: str


def _numbers(part: Labelled, name: str) -> NDArray[np.float64]:
    values = np.array([_number(value) for value in part.y.ravel().tolist()])
    targets = values.reshape(len(part.y), -1)
    # Beyond the range of 32 bits the squares of errors would not be finite.
    targets[np.abs(targets) > np.finfo(np.float32).max] = np.nan
    if not np.isfinite(targets).all():
        position = int(np.argwhere(~np.isfinite(targets))[0][0])
        raise InputError(
            "every target of a regression must be a finite number",
            f"{shown(part.y[position])} in row {part.rows[position]} (counted from 0)"
            f" of {shown(part.source)}",
            "correct it, or set task: classification",
        )
    if name == "train" and (targets == targets[0]).all():
        raise InputError("the target must vary", f"{targets[0][0]:g} in all rows", "check target")
    return targets


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")
