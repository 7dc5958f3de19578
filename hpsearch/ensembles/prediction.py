"""Predictions of a saved model for new rows, as a table and as a file."""

import gzip
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from hpsearch.data import datasets, label_types
from hpsearch.data.rows import unknown
from hpsearch.ensembles import ensemble
from hpsearch.ensembles.ensemble import Ensemble
from hpsearch.ensembles.model import Floats
from workers.checkpoints import atomic_files
from workers.errors import InputError


def to_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV; floats in the fewest digits that give them back.

    Classes that are numbers are written as their columns are called: 1, not 1.0.
    """
    if "probability" in frame and frame["prediction"].dtype.kind == "f":
        frame = frame.assign(prediction=[_short(x) for x in frame["prediction"]])
    return frame.to_csv(index=False).encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Return a table as Parquet."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def to_jsonl(frame: pd.DataFrame) -> bytes:
    """Return a table as a JSON object a row; what is not finite is null."""
    # pandas cuts floats to 15 digits, which do not give all of them back.
    rows = ({str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records"))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = MappingProxyType(
    {
        ".csv": to_csv,
        ".csv.gz": lambda frame: gzip.compress(to_csv(frame), mtime=0),
        ".parquet": to_parquet,
        ".jsonl": to_jsonl,
    }
)
"""What a file of predictions may be, by its suffix in small letters."""


Note = Callable[[str], None]


def _say_nothing(line: str) -> None:
    del line


def predict(
    path: Path,
    data: Path,
    *,
    header: bool = True,
    delimiter: str = ",",
    file_format: str | None = None,
    note: Note = _say_nothing,
) -> pd.DataFrame:
    """Return one row for each row of ``data``, as the model at ``path`` predicts it.

    In classification the columns are ``prediction`` (the class with the highest
    probability, of its type in the training data), ``probability`` (of that class), and
    ``probability_CLASS`` for each class; in regression one column for each target. ``note`` is
    told of values that the model does not know.

    Raises
    ------
    InputError
        If ``path`` holds no model, or ``data`` does not have the model's features.
    CheckpointError
        If a model's file is damaged.
    """
    model = ensemble.load(path)
    metadata = model.members[0].metadata
    names = tuple(metadata["feature_names"])
    try:
        x = datasets.read_features(
            str(data),
            feature_names=names,
            target=metadata["target"],
            file_format=file_format,
            header=header,
            delimiter=delimiter,
            columns=model.members[0].columns,
        )
    except InputError as error:
        if header and all(name.isdigit() for name in names):  # as those of a file without one
            remedy = f"{error.remedy}, or give --no-header if the first line is no header"
            raise InputError(error.rule, error.value, remedy) from error
        raise
    for line in unknown(x, model.members[0].columns or ()):
        note(line)
    return _frame(model, model.predict_proba(x))


def predict_file(
    path: Path,
    data: Path,
    output: Path,
    *,
    header: bool = True,
    delimiter: str = ",",
    file_format: str | None = None,
    note: Note = _say_nothing,
) -> int:
    """Write what `predict` returns to ``output``, and return how many rows there are.

    The suffix decides how, see `FORMATS`.

    Raises
    ------
    InputError
        As `predict` does, and if there can't be a file ``output``.
    CheckpointError
        If a model's file is damaged.
    """
    encode = _check_output(output, data)
    form: dict[str, Any] = {"header": header, "delimiter": delimiter, "file_format": file_format}
    frame = predict(path, data, **form, note=note)
    try:
        atomic_files.replace(output, encode(frame))
    except OSError as error:
        if error.errno in atomic_files.DISK_ERRORS:
            raise
        raise _bad_output(output, f": {error.strerror}") from error
    return len(frame)


def _check_output(output: Path, data: Path) -> Callable[[pd.DataFrame], bytes]:
    """Return what makes the file's content, once there can be such a file."""
    # os.path says no where pathlib raises: to names that are too long.
    there = os.path.isdir(output.parent)  # noqa: PTH112
    if not output.name or not there or os.path.isdir(output):  # noqa: PTH112
        raise _bad_output(output, "")
    if os.path.exists(output) and os.path.exists(data) and os.path.samefile(output, data):  # noqa: PTH110, PTH121
        raise InputError("--output must not be the data", str(output), "name another file")
    for suffix, encode in FORMATS.items():
        if output.name.lower().endswith(suffix):
            return encode
    *others, last = FORMATS
    rule = f"--output must end in {', '.join(others)} or {last}"
    raise InputError(rule, str(output), "choose one, or - for CSV on stdout")


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
    frame.insert(0, "prediction", label_types.column(best, model.labels))
    frame.insert(1, "probability", predictions.max(axis=1))
    return frame


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)
