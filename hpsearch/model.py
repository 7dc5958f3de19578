"""One trained network as its checkpoint describes it, ready to predict."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hpsearch.settings.networks import parse_network
from workers import checkpoints
from workers.checkpoints import Snapshot
from workers.errors import CheckpointError, InputError
from workers.nn import families
from workers.nn.evaluation import predict
from workers.nn.layout import layout
from workers.nn.losses import probabilities, scores
from workers.nn.spec import NetworkSpec
from workers.preprocessing import Preprocessing

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Model:
    """A network, its preprocessing and its classes.

    ``averaged`` chooses the running-average parameters in place of the last ones.
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
    def preprocessing(self) -> Preprocessing:
        """What was fitted on the training rows."""
        prefix = "preprocessing."
        arrays = self.snapshot.arrays.items()
        return Preprocessing.from_arrays(
            {name.removeprefix(prefix): a for name, a in arrays if name.startswith(prefix)}
        )

    def predict_proba(self, x: NDArray[Any]) -> Floats:
        """Return class probabilities ``(rows, classes)``, or predictions in regression.

        ``x`` is raw, ``(rows, features)``. Raises InputError for values that are too large.
        """
        with threadpool_limits(1):
            parameters, statistics = self._arrays()
            raw = predict(
                [self.spec],
                parameters[np.newaxis],
                self._prepared(x),
                features=int(self.metadata["features"]),
                outputs=int(self.metadata["outputs"]),
                statistics=None if statistics is None else statistics[np.newaxis],
            )
        shares: Floats = probabilities(self.spec.loss, raw)[0]
        return shares

    def _prepared(self, x: NDArray[Any]) -> Floats:
        rows = self.preprocessing.transform(x)
        if not np.isfinite(rows).all():
            row = int(np.argwhere(~np.isfinite(rows))[0][0])
            raise InputError(
                "features must be finite in 32-bit floating point after preprocessing",
                f"a value in row {row} (counted from 0) that is not",
                "correct it",
            )
        return rows

    def _arrays(self) -> tuple[Floats, Floats | None]:
        """Return the row of parameters and, with batch normalization, its statistics."""
        arrays, spec = self.snapshot.arrays, self.spec
        name = "averaged" if self.averaged else "parameters"
        if name not in arrays:
            raise InputError(
                "running-average parameters exist where checkpoint.ema_decay is above 0",
                f"a checkpoint of trial {self.metadata['trial']} without them",
                "use --weights raw",
            )
        row = arrays[name]
        statistics = arrays.get("averaged.statistics" if self.averaged else "statistics")
        width = scores(spec.loss, int(self.metadata["outputs"]))
        plan = layout(spec, features=int(self.metadata["features"]), scores=width)
        given = [array for array in (row, statistics) if array is not None]
        sizes = [plan.size, plan.statistics] if plan.statistics else [plan.size]
        if [array.shape for array in given] != [(size,) for size in sizes]:
            raise CheckpointError(f"the checkpoint's {name} are not those of its network")
        if not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in given):
            raise CheckpointError(f"the checkpoint's {name} are not all finite numbers")
        return row, statistics


def load(path: Path, *, averaged: bool | None = None) -> Model:
    """Read a model from a checkpoint file.

    ``averaged`` is left to the metric's name by default: a checkpoint that was ranked by
    ``ema_val_accuracy`` predicts with its running-average parameters.

    Raises
    ------
    CheckpointError
        If the file can't be read or believed.
    """
    snapshot = checkpoints.load(path)
    if averaged is None:
        averaged = str(snapshot.metadata["metric"]).startswith("ema_")
    return Model(snapshot, averaged)


def measure(task: str, predictions: Floats, y: NDArray[Any]) -> dict[str, float]:
    """Return ``accuracy`` and ``loss`` (the log loss), or ``mse`` and ``r2``.

    Parameters
    ----------
    task
        ``classification`` or ``regression``.
    predictions
        Probabilities ``(rows, classes)``, or predicted targets ``(rows, outputs)``.
    y
        Class indices ``(rows,)``, or targets ``(rows, outputs)``.

    >>> measure("classification", np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0]))["accuracy"]
    0.5
    """
    if task == "regression":
        errors = (predictions.astype(np.float64) - y) ** 2
        spread = np.var(y, axis=0, dtype=np.float64)
        r2 = 1 - errors.mean(axis=0) / np.where(spread > 0, spread, 1)
        return {"mse": float(errors.mean()), "r2": float(r2.mean())}
    chosen = predictions[np.arange(len(y)), y].astype(np.float64)
    tiny = np.finfo(np.float32).tiny
    return {
        "accuracy": float((predictions.argmax(axis=1) == y).mean()),
        "loss": float(-np.log(np.maximum(chosen, tiny)).mean()),
    }
