"""The data set as workers see it: finished arrays, without the test set."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.data.encoder import Encoder
from workers.data.preprocessing import Preprocessing
from workers.data.target_scale import TargetScale
from workers.nn.layout import Lookup

FITTED: Final = ("preprocessing.", "targets.", "encoder.")
"""How the names of arrays begin that are no network's, but fitted on the training rows."""


def lookups(encoder: Encoder | None) -> tuple[Lookup, ...]:
    """Return what an encoder's codes are to a network."""
    return () if encoder is None else tuple(map(Lookup, encoder.code_values))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and validation rows, checked, preprocessed and ready for a network.

    ``x_train`` and ``x_validation`` are C-contiguous float32 (rows, features); ``y_train``
    and ``y_validation`` are int32 class indices (rows,) in classification; in regression
    float32 (rows, outputs) as ``target_scale`` makes them, or float64 as they are.
    ``classes`` holds the labels' text by class index (empty in regression), and
    ``class_type`` says what they were in the source: text, bool, int or float;
    ``feature_names`` and ``target`` name the source's columns before preprocessing. Where these
    are more than complete numbers, ``encoder`` knows them and what becomes of them.
    ``alternatives`` are the same rows under other chains of preprocessing, where a search
    chooses among them, and ``further`` other splits into training and validation rows, where
    a search has several. ``weights`` ``(rows,)``, of mean 1, are those of the training rows in the
    loss, None for ones. ``dialect`` says how the source writes values, where that is not the
    default, for whoever predicts new rows. Plain arrays in a plain object: Ray maps them without a
    copy.
    """

    task: str
    x_train: NDArray[np.float32]
    y_train: NDArray[Any]
    x_validation: NDArray[np.float32]
    y_validation: NDArray[Any]
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    target: str
    preprocessing: Preprocessing
    target_scale: TargetScale | None = None
    class_type: str = "text"
    encoder: Encoder | None = None
    weights: NDArray[np.float32] | None = None
    dialect: Mapping[str, Any] = field(default_factory=dict)
    alternatives: Mapping[tuple[str, ...], "Dataset"] = field(default_factory=dict)
    further: tuple["Dataset", ...] = ()

    def prepared(self, chain: tuple[str, ...] | None) -> "Dataset":
        """Return the data under a chain of preprocessing; None stands for its own."""
        if chain is None or chain == self.preprocessing.chain:
            return self
        return self.alternatives[chain]

    @property
    def splits(self) -> tuple["Dataset", ...]:
        """All splits, this one first; each has preprocessing fitted on its own training rows."""
        return (self, *self.further)

    @property
    def features(self) -> int:
        """The network's inputs: columns after preprocessing."""
        return int(self.x_train.shape[1])

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """The columns of the inputs that are codes, the last ones, with how many values each."""
        return lookups(self.encoder)

    @property
    def outputs(self) -> int:
        """The network's outputs: classes, or target columns in regression."""
        return len(self.classes) or int(self.y_train.shape[1])

    @property
    def rows(self) -> int:
        """The training rows."""
        return len(self.x_train)

    @property
    def fitted(self) -> dict[str, NDArray[Any]]:
        """What was fitted on the training rows, as a checkpoint has it: see `FITTED`."""
        steps, scale = self.preprocessing.to_arrays(), self.target_scale
        found: dict[str, NDArray[Any]] = {f"{FITTED[0]}{k}": v for k, v in steps.items()}
        for prefix, part in ((FITTED[1], scale), (FITTED[2], self.encoder)):
            found |= {f"{prefix}{k}": v for k, v in part.to_arrays().items()} if part else {}
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all names and arrays, in hexadecimal: equal data, equal digest."""
        chain = self.preprocessing.chain
        names: tuple[object, ...] = (
            self.task,
            self.target,
            self.classes,
            self.feature_names,
            chain,
        )
        if self.encoder is not None:
            names += (self.encoder.columns,)
        result = hashlib.sha256(repr(names).encode("utf-8", "surrogatepass"))
        arrays = [self.x_train, self.y_train, self.x_validation, self.y_validation]
        arrays += [] if self.weights is None else [self.weights]
        for array in (*arrays, *self.fitted.values()):
            result.update(repr((array.dtype.str, array.shape)).encode())
            result.update(np.ascontiguousarray(array).data)
        for other in (*self.alternatives.values(), *self.further):
            result.update(other.digest.encode())
        return result.hexdigest()
