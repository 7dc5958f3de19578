"""A run's trials, epochs and checkpoints as pandas tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from hpsearch.results.columns import LAST_COLUMNS, floats, kind_of, layer_frame, typed
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.sqlite import schema
from hpsearch.storage.sqlite.rows import EpochRow, TrialRow
from hpsearch.storage.store import Store
from workers.errors import InputError
from workers.messages import Checkpoint

_EPOCHS = {"trial": "int64", "stage": "string", "epoch": "int64"}
_CHECKPOINTS = {"name": "string", "path": "string", **_EPOCHS} | {
    "score": "float64",
    "size": "int64",
    "digest": "string",
}


@dataclass(frozen=True, eq=False)
class Results:
    """What a run in the folder ``path`` has come to, as of the moment it was loaded.

    Epochs are integers; of a run whose first stage trains a part of one they are float64 (Float64
    where some are missing).

    Parameters
    ----------
    trials
        A row a trial, ordered by number: ``trial`` (int64), ``stage`` (string, its
        name), ``state`` (string: waiting, running, complete, failed, pruned, stopped),
        ``epochs`` (int64, those done), the study's metric (float64, its best value),
        ``best_epoch`` (Int64, the earliest with that value), the other metrics at that
        epoch (float64), a column a hyperparameter (float64, Int64, boolean, string, or
        object for mixed values and tuples; missing where it was not sampled), ``reason``
        (string), ``failures`` (int64, failed attempts) and ``seconds`` (float64).
    epochs
        A row an epoch, ordered by trial and epoch: ``trial`` (int64), ``stage``
        (string), ``epoch`` (int64), all metrics (float64), ``seconds`` (float64) and
        ``checkpoint`` (string, the file's name; missing if none is kept).
    checkpoints
        A row a file that is kept, best first: ``name, path, stage`` and ``digest``
        (string), ``trial``, ``epoch`` and ``size`` in bytes (int64), ``score`` (float64).
    layers
        A row a layer after an epoch, ordered by trial, epoch and layer: ``trial, epoch``
        and ``layer`` (int64, from 1; the last has the scores) and the statistics (float64)
        of `workers.nn.layer_statistics.LayerStatistics`; empty without the study's ``diagnostics``.
    """

    path: Path
    name: str
    metric: str
    direction: str
    seed: int
    trials: pd.DataFrame
    epochs: pd.DataFrame
    checkpoints: pd.DataFrame
    layers: pd.DataFrame

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the tables of the run in the folder ``path``; changes nothing in it.

        Raises
        ------
        InputError
            If ``path`` is not the folder of a run, or its database is damaged.
        """
        folder = RunFolder(Path(path))
        with Store.read(folder.database) as store, store.transaction():
            meta = store.meta()
            stages = {row.number: row.name for row in store.stages()}
            trials, epochs, saved = store.trials(), store.epochs(), store.checkpoints()
            layers = store.layers()
        names = {row.number: stages.get(row.stage, "") for row in trials}
        if not names.keys() >= {row.trial for row in epochs}:
            raise schema.damaged(folder.database, "epochs of trials that are not there")
        metric = meta["metric"]
        kind = kind_of(row.epoch for row in epochs)
        metrics = [metric, *sorted({name for row in epochs for name in row.metrics} - {metric})]
        return cls(
            path=folder.path,
            name=meta["name"],
            metric=metric,
            direction=meta["direction"],
            seed=meta["seed"],
            trials=_trials(trials, epochs, names, metrics, kind),
            epochs=_epochs(epochs, names, metrics, kind),
            checkpoints=_checkpoints(saved, names, folder.checkpoints, meta["direction"], kind),
            layers=layer_frame(layers, kind),
        )

    def top(
        self, count: int | None = None, *, sort: str | None = None, stage: str | None = None
    ) -> pd.DataFrame:
        """Return trials, sorted; ``count`` of them (None: all), of one ``stage`` or of all.

        ``sort`` is a column (None: the study's metric). Metrics come best first: the
        study's by its direction, losses lowest first, others greatest first. All else
        comes greatest first. A ``-`` before the name turns the order around. Ties go to
        the lower trial number and missing values last.

        Raises `InputError` if there is no such column or stage.
        """
        column = (sort or self.metric).removeprefix("-")
        _require("--sort", column, list(self.trials.columns))
        frame = self.trials
        if stage is not None:
            _require("--stage", stage, sorted(set(frame["stage"])))
            frame = frame[frame["stage"] == stage]
        keys = frame[column]
        if keys.dtype == object:
            keys = keys.map(str, na_action="ignore")
        lowest_first = self._lower_is_better(column) != (sort or "").startswith("-")
        order = keys.sort_values(ascending=lowest_first, kind="stable", na_position="last").index
        return frame.loc[order[:count]].reset_index(drop=True)

    def _lower_is_better(self, column: str) -> bool:
        if column.removeprefix("ema_") == self.metric.removeprefix("ema_"):
            return self.direction == "minimize"
        return column.endswith("_loss")


def _require(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        rule = f"{option} takes one of {', '.join(known) or 'nothing yet'}"
        raise InputError(rule, repr(value), "correct the name")


def _trials(
    trials: Sequence[TrialRow],
    epochs: Sequence[EpochRow],
    stages: Mapping[int, str],
    metrics: Sequence[str],
    kind: str,
) -> pd.DataFrame:
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


def _epochs(
    epochs: Sequence[EpochRow], stages: Mapping[int, str], metrics: Sequence[str], kind: str
) -> pd.DataFrame:
    keys = [(row.trial, stages[row.trial], row.epoch) for row in epochs]
    kinds = _EPOCHS | {"epoch": kind}
    frame = pd.DataFrame(keys, columns=list(kinds)).astype(kinds)
    for name in metrics:
        frame[name] = floats([row.metrics for row in epochs], name)
    frame["seconds"] = pd.Series([row.seconds for row in epochs], dtype="float64")
    names = [row.checkpoint.name if row.checkpoint else None for row in epochs]
    return frame.assign(checkpoint=pd.Series(names, dtype="string"))


def _checkpoints(
    saved: Sequence[Checkpoint], stages: Mapping[int, str], folder: Path, direction: str, kind: str
) -> pd.DataFrame:
    sign = -1 if direction == "maximize" else 1
    rows = [
        (c.name, str(folder / c.name), c.trial, stages[c.trial], c.epoch, c.score, c.size, c.digest)
        for c in sorted(saved, key=lambda c: (sign * c.score, c.trial, c.epoch))
    ]
    kinds = _CHECKPOINTS | {"epoch": kind}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)
