"""Ensembles: average the predictions of several models, save them, load them."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.label_types import Label
from hpsearch.ensembles import model
from hpsearch.ensembles.model import Floats, Model
from hpsearch.storage.folder import RunFolder
from workers.checkpoints import atomic_files, checkpoint_files
from workers.errors import CheckpointError, InputError, brief

DESCRIPTION = "ensemble.json"


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Models of one task and data set, whose predictions are averaged.

    Parameters
    ----------
    members
        The models, at least one.
    weights
        A weight for each member, above 0; they sum to 1.
    """

    members: tuple[Model, ...]
    weights: tuple[float, ...]

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return self.members[0].task

    @property
    def classes(self) -> tuple[str, ...]:
        """The class labels in the order of the probabilities; empty in regression."""
        return self.members[0].classes

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes as what they were in the data's source: text, booleans or numbers."""
        return self.members[0].labels

    def predict_proba(self, x: Any) -> Floats:
        """Return the average ``sum_k weights[k] * members[k].predict_proba(x)``, in float64.

        These are class probabilities ``(rows, classes)``; in regression the predicted targets
        ``(rows, targets)``, in their own units.

        Parameters
        ----------
        x
            Rows as they are in the data's source, before preprocessing: a data frame whose
            columns go by name, or an array ``(rows, features)``. Text and dates need a frame or
            an array of objects.

        Raises
        ------
        InputError
            If ``x`` has other columns, or a value is none of its column.
        CheckpointError
            If a member's checkpoint describes no network.
        """
        return _average([member.predict_proba(x) for member in self.members], self.weights)

    def predict_held_out(self, x: Sequence[NDArray[Any]]) -> Floats:
        """Return the same average for the validation rows, see `Model.predict_held_out`."""
        return _average([member.predict_held_out(x) for member in self.members], self.weights)


def save(ensemble: Ensemble, folder: Path) -> None:
    """Write an ensemble as a folder that needs nothing else; replaces one of that name."""
    working = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(mode=0o700, parents=True)
    members = []
    for member, weight in zip(ensemble.members, ensemble.weights, strict=True):
        written = checkpoint_files.save(working, member.snapshot)
        members.append(
            {"file": written.name, "weight": weight, "averaged": member.averaged}
            | {"trial": written.trial, "epoch": written.epoch, "sha256": written.digest}
        )
    description = {"task": ensemble.task, "classes": ensemble.classes, "members": members}
    text = json.dumps(description, indent=2) + "\n"
    atomic_files.write_new(working / DESCRIPTION, text.encode())
    shutil.rmtree(folder, ignore_errors=True)
    atomic_files.rename_folder(working, folder.name)


def load(path: Path) -> Ensemble:
    """Return the ensemble at ``path``: an ensemble's folder, a run's, or a checkpoint file.

    A run stands for the ensemble that it ended with, a file for an ensemble of one.

    Raises
    ------
    InputError
        If ``path`` is none of these.
    CheckpointError
        If a member is damaged or missing.
    """
    # os.path says no where pathlib raises: to names that are too long.
    if os.path.isfile(path):  # noqa: PTH113
        return Ensemble((model.load(path),), (1.0,))
    if os.path.isfile(path / DESCRIPTION):  # noqa: PTH113
        return _load_folder(path)
    run = RunFolder(path)
    run.check()
    if run.summary.is_file():
        return _load_folder(_concluding(run))
    raise InputError(
        "a run has a model once it is finished",
        str(path),
        f"finish it with hpsearch run --resume, or see {run.checkpoints}",
    )


def _concluding(run: RunFolder) -> Path:
    """Return the folder of the ensemble that a run ended with."""
    try:
        summary = json.loads(run.summary.read_text(encoding="utf-8"))
        return run.ensembles / Path(summary["ensemble"]["path"]).name
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{run.summary} names no ensemble: {brief(error)}") from error


def _load_folder(path: Path) -> Ensemble:
    try:
        members = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))["members"]
        names = [str(member["file"]) for member in members]
        flags = [bool(member["averaged"]) for member in members]
        weights = tuple(float(member["weight"]) for member in members)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path / DESCRIPTION} describes no ensemble: {brief(error)}"
        ) from error
    for name in names:
        checkpoint_files.parse_name(name)
    models = [model.load(path / n, averaged=a) for n, a in zip(names, flags, strict=True)]
    if not all(weight > 0 for weight in weights) or abs(sum(weights) - 1) > 1e-6:
        raise CheckpointError(f"{path / DESCRIPTION} must have members whose weights sum to 1")
    if len({(m.task, m.classes, tuple(m.metadata["feature_names"])) for m in models}) > 1:
        raise CheckpointError(f"{path / DESCRIPTION} must have members of one task and data set")
    return Ensemble(tuple(models), weights)


def _average(predictions: Sequence[Floats], weights: Sequence[float]) -> Floats:
    total = np.zeros_like(predictions[0], dtype=np.float64)
    for prediction, weight in zip(predictions, weights, strict=True):
        total += weight * prediction
    return total
