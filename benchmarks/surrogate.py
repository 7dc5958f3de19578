"""LCBench's surrogate: learning curves of networks on real tables, as a small network in ONNX.

Of YAHPO Gym (Pfisterer et al. 2022, arXiv 2109.03670) on the curves of Auto-PyTorch Tabular
(Zimmer, Lindauer, Hutter 2021, arXiv 2006.13799).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.messages import Trial
from workers.nn.spec import NetworkSpec

EPOCHS = 52
"""The longest curve."""

REFERENCES = 40_000
"""So many random settings say what the best is, and the median."""

ROWS = 4_096
"""Rows of a query: few enough for the caches."""

MAIN = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "l2": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.99},
}
SPACES: dict[int, dict[str, dict[str, Any]]] = {
    3: MAIN,
    7: MAIN
    | {
        "batch_size": {"type": "int", "low": 16, "high": 512, "log": True},
        "momentum": {"type": "float", "low": 0.1, "high": 0.99},
        "hidden_layers": {"type": "int", "low": 1, "high": 5},
        "hidden_units": {"type": "int", "low": 64, "high": 1024, "log": True},
    },
}
"""The dimensions searched, by their number; what is not searched has the values of `NETWORK`."""

NETWORK = {"hidden": [256] * 3, "batch_size": 128, "momentum": 0.9, "optimizer": "momentum"}

Features = NDArray[np.float32]
"""Settings as the surrogate has them, ``(settings, 7)``: batch size, learning rate, momentum,
weight decay, layers, units, dropout."""


class Surrogate:
    """The surrogate in a folder; `onnxruntime` runs it, on one thread."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(folder / "model.onnx", options)
        encoding = json.loads((folder / "encoding.json").read_text())
        self.codes: Mapping[str, int] = encoding["OpenML_task_id"]

    def accuracies(self, instance: str, rows: Features) -> NDArray[np.float64]:
        """Return the validation accuracy, from 0 to 1, of rows of an epoch and features."""
        code = self.codes[instance]
        parts = [
            self._session.run(
                ["output"], {"x_cat": np.full((len(part), 1), code, np.int32), "x_cont": part}
            )[0][:, 1]
            for part in np.array_split(rows, math.ceil(len(rows) / ROWS))
        ]
        return np.concatenate(parts).astype(np.float64) / 100


@dataclass(frozen=True)
class Instance:
    """One data set of the surrogate, searched in so many dimensions."""

    surrogate: Surrogate
    name: str
    dims: int

    def curves(self, trials: Sequence[Trial], epochs: range) -> NDArray[np.float64]:
        """Return validation accuracies, ``(trials, epochs)``."""
        return self.accuracies(np.array([features(trial.spec) for trial in trials]), epochs)

    def accuracies(self, settings: Features, epochs: Sequence[int]) -> NDArray[np.float64]:
        """Return validation accuracies, ``(settings, epochs)``."""
        times = np.tile(np.asarray(epochs, np.float32), len(settings))
        rows = np.column_stack([times, np.repeat(settings, len(epochs), axis=0)])
        return self.surrogate.accuracies(self.name, rows).reshape(len(settings), -1)

    def regret(self, spec: NetworkSpec) -> float:
        """Return ``(best - a)/(best - median)`` of the accuracy ``a`` after all epochs."""
        best, median = self.marks
        found = self.accuracies(np.array([features(spec)]), [EPOCHS]).item()
        return (best - found) / (best - median)

    @cached_property
    def marks(self) -> tuple[float, float]:
        """The best and the median accuracy of random settings after all epochs."""
        rng = np.random.default_rng(0)
        found = self.accuracies(sampled(self.dims, REFERENCES, rng), [EPOCHS])
        return float(found.max()), float(np.median(found))


def features(spec: NetworkSpec) -> NDArray[np.float32]:
    """Return a network's hyperparameters as the surrogate has them."""
    units, layers = spec.hidden[0], len(spec.hidden)
    values = (spec.batch_size, spec.learning_rate, spec.momentum, spec.l2, layers, units)
    return np.array([*values, spec.dropout], np.float32)


def sampled(dims: int, count: int, rng: np.random.Generator) -> Features:
    """Return random settings, each dimension on its own scale."""
    fixed = {**NETWORK, "hidden_layers": 3, "hidden_units": 256}
    names = ("batch_size", "learning_rate", "momentum", "l2", "hidden_layers", "hidden_units")
    columns = [
        _drawn(SPACES[dims][name], count, rng) if name in SPACES[dims] else [fixed[name]] * count
        for name in (*names, "dropout")
    ]
    return np.array(columns, np.float32).T


def _drawn(
    dimension: Mapping[str, Any], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    whole, low, high = dimension["type"] == "int", dimension["low"], dimension["high"]
    if whole:
        low, high = low - 0.5, high + 0.5
    ends = np.log([low, high]) if dimension.get("log") else (low, high)
    values = rng.uniform(*ends, count)
    values = np.exp(values) if dimension.get("log") else values
    return np.round(values) if whole else values
