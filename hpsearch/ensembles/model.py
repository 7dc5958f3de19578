"""One trained trial as its checkpoint describes it, ready to predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.network import parse_network
from hpsearch.data import label_types
from hpsearch.data.label_types import Label
from hpsearch.ensembles.fitted_network import FittedNetwork, Floats, fitted
from workers.checkpoints import checkpoint_files
from workers.checkpoints.checkpoint_files import Snapshot
from workers.errors import CheckpointError, InputError
from workers.nn.families import families
from workers.nn.spec import NetworkSpec
from workers.training import cross_validation

__all__ = ["Floats", "Model", "load"]


@dataclass(frozen=True, eq=False)
class Model:
    """A trial's networks, one for each split of the data, and its classes.

    ``averaged`` chooses the average of the parameters in place of the last ones.
    """

    snapshot: Snapshot
    averaged: bool

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the checkpoint says of itself: trial, epoch, metric, score, classes, ..."""
        return self.snapshot.metadata

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return str(self.metadata["task"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The class labels in the order of the probabilities; empty in regression."""
        return tuple(self.metadata["classes"])

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """The classes as what they were in the source: text, booleans or numbers."""
        try:
            return label_types.values(self.classes, self.metadata.get("class_type"))
        except ValueError as error:
            raise CheckpointError(f"the checkpoint's classes have no type: {error}") from error

    @cached_property
    def spec(self) -> NetworkSpec:
        """The network's hyperparameters."""
        try:
            spec = parse_network(self.metadata["spec"], where="spec")
            families.check(spec, self.task, int(self.metadata["outputs"]))
        except InputError as error:
            raise CheckpointError(f"the checkpoint describes no network: {error}") from error
        if len(self.classes) != (self.metadata["outputs"] if self.task == "classification" else 0):
            raise CheckpointError("the checkpoint's classes are not its network's outputs")
        return spec

    @cached_property
    def networks(self) -> tuple[FittedNetwork, ...]:
        """Each split's network with its preprocessing."""
        parts = cross_validation.part(self.snapshot.arrays, self.metadata.get("splits", 1))
        outputs, columns = (int(self.metadata[name]) for name in ("outputs", "features"))
        found = tuple(
            fitted(arrays, self.spec, columns=columns, outputs=outputs, averaged=self.averaged)
            for arrays in parts
        )
        if found[0].features != columns:
            raise CheckpointError("the checkpoint's features are not those of its network")
        return found

    def check(self) -> None:
        """Raise CheckpointError or InputError if these are no networks that can predict."""
        self.networks  # noqa: B018 (made once, and kept)

    def predict_proba(self, x: NDArray[Any]) -> Floats:
        """Return class probabilities ``(rows, classes)``, or predictions in regression.

        With several splits, the mean of what their networks predict. ``x`` is raw, ``(rows,
        features)``. Raises InputError for values that are too large.
        """
        found = [network.predict_proba(x) for network in self.networks]
        mean: Floats = np.mean(found, axis=0, dtype=found[0].dtype)
        return mean

    def predict_held_out(self, x: Sequence[NDArray[Any]]) -> Floats:
        """Return what each split's own network predicts for its own validation rows.

        ``x`` are these rows, raw, one split's ``(rows, features)`` after the other's; so are
        the predictions. No row is predicted by a network that was trained on it.
        """
        both = zip(self.networks, x, strict=True)
        return np.concatenate([network.predict_proba(rows) for network, rows in both])


def load(path: Path, *, averaged: bool | None = None) -> Model:
    """Read a model from a checkpoint file.

    ``averaged`` is by default what the score is of: average parameters if the metric is an
    ``ema_`` one, or where stochastic weight averaging has begun.

    Raises
    ------
    CheckpointError
        If the file can't be read or believed.
    """
    snapshot = checkpoint_files.load(path)
    if averaged is None:
        by_name = str(snapshot.metadata["metric"]).startswith("ema_")
        averaged = snapshot.metadata.get("averaged", by_name)
        if not isinstance(averaged, bool):
            raise CheckpointError("the checkpoint's averaged must be true or false")
    return Model(snapshot, averaged)
