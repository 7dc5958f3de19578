"""A run's trials, epochs and checkpoints as pandas tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from hpsearch.results.columns import kind_of, layer_frame
from hpsearch.results.frames import checkpoints_frame, epochs_frame, trials_frame
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.sqlite import schema
from hpsearch.storage.store import Store
from workers.errors import InputError
from workers.nn.metrics.metrics import metric_of


@dataclass(frozen=True, eq=False)
class Results:
    """The tables of a run, as of the moment at which they were loaded.

    Epochs are integers; of a run whose first stage trains a part of one they are float64 (Float64
    where some are missing). ``docs/config.md`` says what each metric is.

    Parameters
    ----------
    path
        The run's folder.
    name
        The study's name.
    metric
        The metric that the study ranks by, such as ``val_accuracy``.
    direction
        What is best of it: ``maximize`` or ``minimize``.
    seed
        The study's seed.
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
        and ``layer`` (int64, from 1; the last has the scores), ``update_ratio, gradient_norm,
        activation_mean, activation_std, dead`` and ``saturated`` (float64), as ``docs/config.md``
        defines them; empty without the study's ``diagnostics``.
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
        """Read the tables of the run in the folder ``path``, as ``hpsearch.load`` does.

        Raises
        ------
        InputError
            If ``path`` is not the folder of a run, or its database is damaged.
        RunError
            If the disk fails.
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
            trials=trials_frame(trials, epochs, names, metrics, kind),
            epochs=epochs_frame(epochs, names, metrics, kind),
            checkpoints=checkpoints_frame(
                saved, names, folder.checkpoints, meta["direction"], kind
            ),
            layers=layer_frame(layers, kind),
        )

    def top(
        self, count: int | None = None, *, sort: str | None = None, stage: str | None = None
    ) -> pd.DataFrame:
        """Return the best trials, rows of ``trials`` in order.

        Metrics come best first, the study's by its direction. All else comes greatest first.
        Ties go to the lower trial number, and missing values come last.

        Parameters
        ----------
        count
            How many trials at most; None for all.
        sort
            The column to sort by, with a ``-`` before its name the other way around; None for
            the study's metric.
        stage
            The name of the only stage whose trials count; None for all stages.

        Raises
        ------
        InputError
            If there is no such column or stage.
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
        metric = metric_of(column)
        return metric.direction == "minimize" if metric else column.endswith("_loss")


def _require(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        rule = f"{option} takes one of {', '.join(known) or 'nothing yet'}"
        raise InputError(rule, repr(value), "correct the name")
