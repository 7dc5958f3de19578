"""Train a pack of trials as one stack of networks, an epoch at a time."""

import math
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from workers.checkpoints import atomic_files, checkpoint_files
from workers.checkpoints.checkpoint_files import Snapshot
from workers.data.dataset import Dataset
from workers.errors import cannot_write
from workers.messages import Checkpoint, EpochReport, Pack, RunSettings, Trial
from workers.nn.families.schedules import averaging_starts
from workers.nn.layer_statistics import Layers
from workers.training.blas import one_thread
from workers.training.early_stopping import out_of_patience
from workers.training.scoring import Metrics
from workers.training.trial_networks import Networks


def train(
    pack: Pack, data: Dataset, settings: RunSettings, *, stopped: Container[int] = ()
) -> Iterator[tuple[EpochReport, ...]]:
    """Train the trials of ``pack`` and yield one report a trial and epoch.

    Below 1 a trial's ``epochs`` are a part of the first epoch, which has one report; a trial that
    goes on from there trains the rest of that epoch, and comes to the numbers of one that trained
    straight through it.

    Each trial starts from its own checkpoint, or from initial weights drawn from the
    search's seed and the trial's number. Where the data has several splits a trial is a
    network for each, its metrics their means. A trial whose numbers stop being finite leaves
    the stack with its reason; the others go on to the bit as if it had not been there.
    Checkpoints are on disk before the report that names them is yielded. A trial whose
    number is found in ``stopped`` before an epoch leaves the stack without a word.

    Raises
    ------
    CheckpointError
        If a trial's starting checkpoint can't be believed, or a file is in the way.
    """
    stack = _Stack(pack, data, settings)
    while stack.trials and stack.epoch < pack.trials[0].epochs:
        stack.keep([m for m, t in enumerate(stack.trials) if t.number not in stopped])
        if stack.trials:
            # An epoch at a time: packs that take turns must not lift each other's limit.
            with one_thread():
                reports = stack.advance()
            yield reports


class _Stack:
    """A pack in training: its networks, the epoch reached, and who is still in it."""

    def __init__(self, pack: Pack, data: Dataset, settings: RunSettings) -> None:
        self.trials = list(pack.trials)
        self.epoch: float = 0
        self._data = data = data.prepared(pack.trials[0].spec.preprocess)
        self._settings, self._folder = settings, Path(settings.folder)
        self._histories: dict[int, list[Metrics]] = {t.number: [] for t in self.trials}
        self._networks = Networks(self.trials, data, settings)
        for member, trial in enumerate(self.trials):
            if trial.start is not None:
                self._restore(member, trial, trial.start)

    def _restore(self, member: int, trial: Trial, start: Checkpoint) -> None:
        snapshot = checkpoint_files.load(self._folder / start.name, expected=start)
        self._networks.restore(member, snapshot.arrays, snapshot.metadata.get("splits", 1))
        self._histories[trial.number] = list(snapshot.metadata["history"])
        self.epoch = start.epoch

    def advance(self) -> tuple[EpochReport, ...]:
        """Train one epoch, score it, write what has to be written, drop who is out."""
        began = time.perf_counter()
        since, self.epoch = self.epoch, min(math.floor(self.epoch) + 1, self.trials[0].epochs)
        metrics = self._networks.train(since, self.epoch)
        if self._is_whole:
            self._networks.observe([self._better(values) for values in metrics])
        layers = self._networks.layers()
        seconds = (time.perf_counter() - began) / len(self.trials)
        reports = tuple(
            self._report(member, trial, metrics[member], seconds, layers[member])
            for member, trial in enumerate(self.trials)
        )
        if any(report.checkpoint for report in reports):
            _settle(self._folder)
        self.keep([m for m, r in enumerate(reports) if r.failure is None and r.stopped is None])
        return reports

    def keep(self, members: Sequence[int]) -> None:
        """Drop all other members; the kept ones go on as if nothing had happened."""
        if len(members) < len(self.trials):
            self.trials = [self.trials[member] for member in members]
            if members:
                self._networks.keep(members)

    @property
    def _is_whole(self) -> bool:
        """Whether whole epochs are over: what counts these must not count a part of one."""
        return self.epoch >= 1

    def _better(self, metrics: Metrics) -> float:
        score = metrics[self._settings.metric]
        return score if self._settings.direction == "maximize" else -score

    def _report(
        self, member: int, trial: Trial, metrics: Metrics, seconds: float, layers: Layers
    ) -> EpochReport:
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            reason = f"{bad[0]} became {metrics[bad[0]]} in epoch {self.epoch}"
            return EpochReport(trial.number, trial.attempt, self.epoch, {}, seconds, failure=reason)
        history = self._histories[trial.number]
        if self._is_whole:
            history.append(metrics)
        stopped = out_of_patience([self._better(m) for m in history], trial.spec.patience)
        last = stopped is not None or self.epoch == trial.epochs
        checkpoint = None
        if last or self.epoch % self._settings.checkpoint_every == 0:
            checkpoint = self._save(member, trial, metrics)
        report = EpochReport(trial.number, trial.attempt, self.epoch, metrics, seconds)
        return replace(report, checkpoint=checkpoint, stopped=stopped, layers=layers)

    def _save(self, member: int, trial: Trial, metrics: Metrics) -> Checkpoint:
        data, settings = self._data, self._settings
        metadata: dict[str, Any] = {
            "trial": trial.number,
            "epoch": self.epoch,
            "metric": settings.metric,
            "score": metrics[settings.metric],
            "spec": asdict(trial.spec),
            "ema_decay": settings.ema_decay,
            "averaged": settings.metric.startswith("ema_")
            or self.epoch > averaging_starts(trial.spec, trial.epochs),
            "features": data.features,
            "outputs": data.outputs,
            "task": data.task,
            "classes": list(data.classes),
            "class_type": data.class_type,
            "feature_names": list(data.feature_names),
            "target": data.target,
            "preprocess": list(data.preprocessing.chain),
            "splits": len(data.splits),
            "history": self._histories[trial.number],
        }
        if data.encoder is not None:
            metadata["columns"] = [column.to_json() for column in data.encoder.columns]
        if data.dialect:
            metadata["dialect"] = dict(data.dialect)
        arrays = self._networks.arrays(member)
        return checkpoint_files.save(self._folder, Snapshot(arrays, metadata))


def _settle(folder: Path) -> None:
    """Make the names of the checkpoints just saved durable."""
    try:
        atomic_files.sync_folder(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
