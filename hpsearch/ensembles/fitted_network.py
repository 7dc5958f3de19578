"""One network of a checkpoint with its preprocessing: raw rows in, probabilities out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.data.columns import Column
from workers.data.dataset import FITTED, lookups
from workers.data.encoder import Encoder, prepared
from workers.data.preprocessing import Preprocessing
from workers.data.target_scale import TargetScale
from workers.errors import CheckpointError, InputError
from workers.nn.families.losses import LOSSES, probabilities, scores
from workers.nn.layout import layout
from workers.nn.network.evaluation import predict
from workers.nn.spec import NetworkSpec
from workers.training.blas import one_thread

Floats = NDArray[np.floating[Any]]

GROUP: Final = 1 << 13
"""So many rows are predicted at a time: those of a file may come in such groups as well."""


class NotFiniteError(InputError):
    """A row has values that are not finite once they are preprocessed."""

    def __init__(self, row: int) -> None:
        super().__init__(
            "features must be finite in 32-bit floating point after preprocessing",
            f"a value in row {row} (counted from 0) that is not",
            "correct it",
        )
        self.row = row

    def __reduce__(self) -> tuple[type["NotFiniteError"], tuple[int]]:
        return NotFiniteError, (self.row,)


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A row of parameters that belongs to ``spec``, and what was fitted before it.

    ``statistics`` is None without batch normalization, ``target_scale`` where the network
    learned its targets as they are.
    """

    spec: NetworkSpec
    features: int
    outputs: int
    parameters: Floats
    statistics: Floats | None
    preprocessing: Preprocessing
    target_scale: TargetScale | None
    encoder: Encoder | None = None

    def predict_proba(self, x: NDArray[Any]) -> Floats:
        """Return class probabilities ``(rows, classes)``, or predictions in regression.

        ``x`` is raw, ``(rows, features)``. Raises InputError for values that are too large.
        """
        starts = range(0, max(1, len(x)), GROUP)
        return np.concatenate([self._predicted(x[at : at + GROUP], at) for at in starts])

    def _predicted(self, x: NDArray[Any], first: int) -> Floats:
        with one_thread():
            raw = predict(
                [self.spec],
                self.parameters[np.newaxis],
                self._prepared(x, first),
                features=self.features,
                outputs=self.outputs,
                lookups=lookups(self.encoder),
                statistics=None if self.statistics is None else self.statistics[np.newaxis],
            )
        shares: Floats = probabilities(self.spec.loss, raw)[0]
        if self.target_scale:
            return self.target_scale.restore(shares)
        return shares.astype(np.float64) if LOSSES[self.spec.loss].task == "regression" else shares

    def _prepared(self, x: NDArray[Any], first: int) -> Floats:
        rows = prepared(x, self.encoder, self.preprocessing)
        if not np.isfinite(rows).all():
            raise NotFiniteError(first + int(np.argwhere(~np.isfinite(rows))[0][0]))
        return rows


def fitted(
    arrays: Mapping[str, NDArray[Any]],
    spec: NetworkSpec,
    *,
    columns: int,
    outputs: int,
    averaged: bool,
    encoded: Sequence[Column] | None = None,
) -> FittedNetwork:
    """Return the network that the arrays of a checkpoint make.

    Parameters
    ----------
    arrays
        Those of one split, under their own names.
    columns
        The network's inputs where no preprocessing says how many there are.
    averaged
        Whether to take the running-average parameters.
    encoded
        The raw rows' columns, where these are more than complete numbers.

    Raises
    ------
    CheckpointError
        If the arrays are not those of such a network.
    InputError
        If there are no running-average parameters.
    """
    steps, scale, parts = (_below(prefix, arrays) for prefix in FITTED)
    preprocessing = Preprocessing.from_arrays(steps)
    target_scale = TargetScale.from_arrays(scale, outputs) if scale else None
    encoder = None if encoded is None else Encoder.from_arrays(parts, encoded)
    features = preprocessing.outputs(columns)
    if encoder is not None and preprocessing.steps:
        features += encoder.width
    name = "averaged" if averaged else "parameters"
    if name not in arrays:
        raise InputError(
            "running-average parameters exist where checkpoint.ema_decay is above 0",
            "a checkpoint without them",
            "use --weights raw",
        )
    row = arrays[name]
    statistics = arrays.get("averaged.statistics" if averaged else "statistics")
    width = scores(spec.loss, outputs)
    plan = layout(spec, features=features, scores=width, lookups=lookups(encoder))
    given = [array for array in (row, statistics) if array is not None]
    sizes = [plan.size, plan.statistics] if plan.statistics else [plan.size]
    if [array.shape for array in given] != [(size,) for size in sizes]:
        raise CheckpointError(f"the checkpoint's {name} are not those of its network")
    if not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in given):
        raise CheckpointError(f"the checkpoint's {name} are not all finite numbers")
    return FittedNetwork(
        spec, features, outputs, row, statistics, preprocessing, target_scale, encoder
    )


def warm_up() -> None:
    """Predict something: what Numba does before its first kernel takes a third of a second."""
    spec = NetworkSpec(hidden=(1,))
    row = np.zeros((1, layout(spec, features=1, scores=2).size), np.float32)
    predict([spec], row, np.zeros((1, 1), np.float32), features=1, outputs=2)


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): array for k, array in arrays.items() if k.startswith(prefix)}
