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
from hpsearch.data.rows import raw_rows
from hpsearch.ensembles.fitted_network import FittedNetwork, Floats, fitted
from workers.checkpoints import checkpoint_files
from workers.checkpoints.checkpoint_files import Snapshot
from workers.data.columns import Column, columns_from_json
from workers.errors import CheckpointError, InputError
from workers.nn.families import families
from workers.nn.spec import NetworkSpec
from workers.training import cross_validation

__all__ = ["Floats", "Model", "load"]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained trial, ready to predict: a network for each split of the data, and its classes.

    Without cross-validation there is one split.

    Parameters
    ----------
    snapshot
        The content of its checkpoint file: metadata and arrays.
    averaged
        Whether it predicts by the running average of the parameters, or by the last ones.
    """

    snapshot: Snapshot
    averaged: bool

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the checkpoint says of itself by name: ``trial``, ``epoch``, ``score``, ..."""
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
        """The classes as what they were in the data's source: text, booleans or numbers."""
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
        how: dict[str, Any] = {"columns": columns, "outputs": outputs, "averaged": self.averaged}
        found = tuple(fitted(arrays, self.spec, **how, encoded=self.columns) for arrays in parts)
        if found[0].features != columns:
            raise CheckpointError("the checkpoint's features are not those of its network")
        return found

    @cached_property
    def columns(self) -> tuple[Column, ...] | None:
        """The raw rows' columns, where these are more than complete numbers."""
        described = self.metadata.get("columns")
        columns = None if described is None else columns_from_json(described)
        names = tuple(self.metadata["feature_names"])
        if columns is not None and tuple(column.name for column in columns) != names:
            raise CheckpointError("the checkpoint's columns are not its features")
        return columns

    def check(self) -> None:
        """Make sure that the networks can predict; otherwise that is told when they first do.

        Raises
        ------
        CheckpointError
            If the checkpoint describes no network, or its arrays are not those of its network.
        InputError
            If it has no running average of the parameters, and ``averaged`` asks for it.
        """
        self.networks  # noqa: B018 (made once, and kept)

    def predict_proba(self, x: Any) -> Floats:
        """Return class probabilities, float32 ``(rows, classes)``.

        In regression these are the predicted targets in their own units, float64 ``(rows,
        targets)``. With several splits, the mean of what their networks predict.

        Parameters
        ----------
        x
            Rows as they are in the data's source, before preprocessing: a data frame whose
            columns go by name, or an array ``(rows, features)``. Text and dates need a frame or
            an array of objects.

        Raises
        ------
        InputError
            If ``x`` has other columns, a value is none of its column, or as `check` does.
        CheckpointError
            As `check` does.
        """
        rows = self.rows(x)
        found = [network.predict_proba(rows) for network in self.networks]
        mean: Floats = np.mean(found, axis=0, dtype=found[0].dtype)
        return mean

    def rows(self, x: Any) -> NDArray[Any]:
        """Return raw rows of a frame or an array, see `hpsearch.data.rows.raw_rows`."""
        names = self.metadata["feature_names"]
        return raw_rows(x, self.columns or tuple(Column(name) for name in names))

    def predict_held_out(self, x: Sequence[NDArray[Any]]) -> Floats:
        """Return what each split's own network predicts for its own validation rows.

        No row is predicted by a network that was trained on it. The predictions are those of
        `predict_proba`, the splits' rows one after the other.

        Parameters
        ----------
        x
            Each split's validation rows, before preprocessing: ``(rows, features)``.

        Raises
        ------
        InputError, CheckpointError
            As `predict_proba` does.
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
