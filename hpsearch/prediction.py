"""Predictions of a saved model for a file of new rows."""

import os
from pathlib import Path

import pandas as pd

from hpsearch import datasets, ensemble
from hpsearch.ensemble import Ensemble
from hpsearch.model import Floats
from workers import files
from workers.errors import InputError


def predict_file(
    path: Path,
    data: Path,
    output: Path,
    *,
    header: bool = True,
    delimiter: str = ",",
    file_format: str | None = None,
) -> int:
    """Write one line of CSV for each row of ``data`` and return how many there are.

    In classification the columns are ``prediction`` (the class with the highest
    probability), ``probability`` (of that class), and ``probability_CLASS`` for each
    class; in regression one column for each target.

    Raises
    ------
    InputError
        If ``path`` holds no model, ``data`` does not have the model's features, or there
        can't be a file ``output``.
    CheckpointError
        If a model's file is damaged.
    """
    _check_output(output, data)
    model = ensemble.load(path)
    metadata = model.members[0].metadata
    x = datasets.read_features(
        str(data),
        feature_names=tuple(metadata["feature_names"]),
        target=metadata["target"],
        file_format=file_format,
        header=header,
        delimiter=delimiter,
    )
    frame = _frame(model, model.predict_proba(x))
    try:
        files.replace(output, frame.to_csv(index=False).encode())
    except OSError as error:
        if error.errno in files.DISK_ERRORS:
            raise
        raise _bad_output(output, f": {error.strerror}") from error
    return len(frame)


def _check_output(output: Path, data: Path) -> None:
    # os.path says no where pathlib raises: to names that are too long.
    there = os.path.isdir(output.parent)  # noqa: PTH112
    if not output.name or not there or os.path.isdir(output):  # noqa: PTH112
        raise _bad_output(output, "")
    if os.path.exists(output) and os.path.exists(data) and os.path.samefile(output, data):  # noqa: PTH110, PTH121
        raise InputError("--output must not be the data", str(output), "name another file")


def _bad_output(output: Path, why: str) -> InputError:
    return InputError(
        "--output must be a file in a folder that is there", f"{output}{why}", "correct the path"
    )


def _frame(model: Ensemble, predictions: Floats) -> pd.DataFrame:
    if model.task == "regression":
        names = ["prediction"] if predictions.shape[1] == 1 else None
        columns = names or [f"prediction_{i}" for i in range(predictions.shape[1])]
        return pd.DataFrame(predictions, columns=columns)
    best = predictions.argmax(axis=1)
    frame = pd.DataFrame(predictions, columns=[f"probability_{name}" for name in model.classes])
    frame.insert(0, "prediction", [model.classes[index] for index in best])
    frame.insert(1, "probability", predictions.max(axis=1))
    return frame
