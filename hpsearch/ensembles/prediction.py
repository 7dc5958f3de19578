"""Predictions of a saved model for new rows, of files of any size."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from hpsearch.data import label_types
from hpsearch.data.rows import groups, in_lines, read_features, unknown
from hpsearch.data.tables.dialect import dialect_from_json
from hpsearch.data.tables.raw_table import Table, listed
from hpsearch.ensembles import ensemble
from hpsearch.ensembles.ensemble import Ensemble
from hpsearch.ensembles.fitted_network import GROUP, NotFiniteError
from hpsearch.ensembles.model import Floats
from hpsearch.ensembles.prediction_files import Block, bad_output, check_output, write_csv
from workers.checkpoints import atomic_files
from workers.errors import InputError

Note = Callable[[str], None]


def _say_nothing(line: str) -> None:
    del line


def predict(
    path: Path,
    data: Path,
    *,
    dialect: Mapping[str, Any] | None = None,
    file_format: str | None = None,
    keep: Sequence[str] = (),
    note: Note = _say_nothing,
) -> Iterator[Block]:
    """Yield one row for each row of ``data``, block by block, as the model at ``path`` predicts it.

    In classification the columns are ``prediction`` (the class with the highest
    probability, of its type in the training data), ``probability`` (of that class), and
    ``probability_CLASS`` for each class; in regression one column for each target. Columns of
    the data to ``keep`` are carried along. The data are written as the training data were, but for
    what ``dialect`` says, by the names of a config's ``data``. At the end ``note`` is told of
    values that the model does not know.

    Raises
    ------
    InputError
        If ``path`` holds no model, or ``data`` does not have the model's features; blocks may
        have been yielded before.
    CheckpointError
        If a model's file is damaged.
    """
    model = ensemble.load(path)
    metadata, columns = model.members[0].metadata, model.members[0].columns
    names = tuple(metadata["feature_names"])
    _check_kept(keep, model)
    written = dialect_from_json(metadata.get("dialect", {})) | dict(dialect or {})
    header = bool(written.get("header", True))
    tables = read_features(
        str(data),
        feature_names=names,
        target=metadata["target"],
        file_format=file_format,
        dialect=written,
        columns=columns,
        keep=tuple(dict.fromkeys(keep)),
    )
    counts: Counter[str] = Counter()
    rows = 0
    for x, kept in groups(_read(tables, names, header=header), GROUP):
        counts.update(unknown(x, columns or ()))
        try:
            yield Block(kept, _frame(model, model.predict_proba(x)))
        except NotFiniteError as error:
            raise NotFiniteError(rows + error.row) from None
        rows += len(x)
    for line in in_lines(counts):
        note(line)


def predict_file(path: Path, data: Path, output: Path, **how: Any) -> int:
    """Write what `predict` yields to ``output``, and return how many rows there are.

    The suffix decides in which format, see `hpsearch.ensembles.prediction_files.FORMATS`; ``how``
    is as in `predict`. The file is whole, or what it was.

    Raises
    ------
    InputError
        As `predict` does, and if there can't be a file ``output``.
    CheckpointError
        If a model's file is damaged.
    """
    write = check_output(output, data)
    blocks = predict(path, data, **how)
    first = next(blocks)  # What is wrong with the whole is told before a file is made.
    try:
        with atomic_files.replacing(output) as file:
            return write(file, chain([first], blocks))
    except OSError as error:
        if error.errno in atomic_files.DISK_ERRORS:
            raise
        raise bad_output(output, f": {error.strerror}") from error


def print_predictions(file: BinaryIO, path: Path, data: Path, **how: Any) -> None:
    """Write what `predict` yields as CSV to a stream, block by block; raises as it does."""
    write_csv(file, predict(path, data, **how))
    file.flush()


def _read(tables: Iterator[Table], names: Sequence[str], *, header: bool) -> Iterator[Table]:
    try:
        yield from tables
    except InputError as error:
        if header and all(name.isdigit() for name in names):  # as those of a file without one
            remedy = f"{error.remedy}, or give --no-header if the first line is no header"
            raise InputError(error.rule, error.value, remedy) from error
        raise


def _check_kept(keep: Sequence[str], model: Ensemble) -> None:
    taken = [name for name in _names(model) if name in keep]
    if taken:
        rule = "--keep must name no column that predictions have"
        raise InputError(rule, listed(taken), "rename it in the data")


def _names(model: Ensemble) -> list[str]:
    """Return what the columns of predictions are called."""
    if model.task == "regression":
        outputs = int(model.members[0].metadata["outputs"])
        return ["prediction"] if outputs == 1 else [f"prediction_{i}" for i in range(outputs)]
    return ["prediction", "probability", *(f"probability_{name}" for name in model.classes)]


def _frame(model: Ensemble, predictions: Floats) -> pd.DataFrame:
    names = _names(model)
    if model.task == "regression":
        return pd.DataFrame(predictions, columns=names)
    best = predictions.argmax(axis=1)
    frame = pd.DataFrame(predictions, columns=names[2:])
    frame.insert(0, names[0], label_types.column(best, model.labels))
    frame.insert(1, names[1], predictions.max(axis=1))
    return frame
