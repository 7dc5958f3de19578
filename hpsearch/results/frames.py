"""The rows of a run's trials, epochs and checkpoints in its database as tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from hpsearch.results.columns import LAST_COLUMNS, floats, typed
from hpsearch.storage.sqlite.rows import EpochRow, TrialRow
from workers.messages import Checkpoint

_EPOCHS = {"trial": "int64", "stage": "string", "epoch": "int64"}
_CHECKPOINTS = {"name": "string", "path": "string", **_EPOCHS} | {
    "score": "float64",
    "size": "int64",
    "digest": "string",
}


def trials_frame(
    trials: Sequence[TrialRow],
    epochs: Sequence[EpochRow],
    stages: Mapping[int, str],
    metrics: Sequence[str],
    kind: str,
) -> pd.DataFrame:
    """Return the table of trials, each with its metrics at its best epoch.

    ``stages`` are the names of the trials' stages by trial, ``metrics`` the study's and the others,
    ``kind`` is the type of epochs, see `kind_of`.
    """
    found = {(row.trial, row.epoch): row.metrics for row in epochs}
    best = [found.get((row.number, row.best_epoch or 0), {}) for row in trials]
    own: dict[int, list[EpochRow]] = {number: [] for number in stages}
    for row in epochs:
        own[row.trial].append(row)
    columns = {
        "trial": pd.Series([row.number for row in trials], dtype="int64"),
        "stage": pd.Series([stages[row.number] for row in trials], dtype="string"),
        "state": pd.Series([row.state for row in trials], dtype="string"),
        "epochs": pd.Series([row.epochs_done for row in trials], dtype=kind),
        metrics[0]: floats(best, metrics[0]),
        "best_epoch": pd.Series([row.best_epoch for row in trials], dtype=kind.title()),
    }
    columns |= {name: floats(best, name) for name in metrics[1:]}
    last = {
        name: pd.Series([value(row, own[row.number]) for row in trials], dtype=dtype)
        for name, (dtype, value) in LAST_COLUMNS.items()
    }
    params = {
        name: typed([row.params.get(name) for row in trials])
        for name in dict.fromkeys(name for row in trials for name in row.params)
        if name not in columns and name not in last
    }
    return pd.DataFrame({**columns, **params, **last})


def epochs_frame(
    epochs: Sequence[EpochRow], stages: Mapping[int, str], metrics: Sequence[str], kind: str
) -> pd.DataFrame:
    """Return the table of epochs; arguments as of `trials_frame`."""
    keys = [(row.trial, stages[row.trial], row.epoch) for row in epochs]
    kinds = _EPOCHS | {"epoch": kind}
    frame = pd.DataFrame(keys, columns=list(kinds)).astype(kinds)
    for name in metrics:
        frame[name] = floats([row.metrics for row in epochs], name)
    frame["seconds"] = pd.Series([row.seconds for row in epochs], dtype="float64")
    names = [row.checkpoint.name if row.checkpoint else None for row in epochs]
    return frame.assign(checkpoint=pd.Series(names, dtype="string"))


def checkpoints_frame(
    saved: Sequence[Checkpoint], stages: Mapping[int, str], folder: Path, direction: str, kind: str
) -> pd.DataFrame:
    """Return the table of the files in ``folder``, best first by the study's ``direction``."""
    sign = -1 if direction == "maximize" else 1
    rows = [
        (c.name, str(folder / c.name), c.trial, stages[c.trial], c.epoch, c.score, c.size, c.digest)
        for c in sorted(saved, key=lambda c: (sign * c.score, c.trial, c.epoch))
    ]
    kinds = _CHECKPOINTS | {"epoch": kind}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)
