"""The Ray actor that trains packs: it drains the training iterator, and nothing else."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import ray

from workers.data.dataset import Dataset
from workers.messages import EpochReport, Pack, RunSettings
from workers.training.train import train


class TrainingActor:
    """One worker of a run; ``data`` arrives through Ray's object store without a copy."""

    def __init__(self, data: Dataset, settings: RunSettings) -> None:
        self._data = data
        self._settings = settings
        self._stopped: set[int] = set()

    def ready(self) -> int:
        """Return the process's number, as a sign that it has started and holds its data."""
        return os.getpid()

    def train(self, pack: Pack) -> Iterator[tuple[EpochReport, ...]]:
        """Yield the reports of each epoch of ``pack``, as `train` does."""
        yield from train(pack, self._data, self._settings, stopped=self._stopped)

    def stop(self, trials: Sequence[int]) -> None:
        """Let these trials leave the pack before its next epoch; runs beside `train`."""
        self._stopped.update(trials)


def remote_actor(**options: Any) -> Any:
    """Return the actor class for Ray; the master owns retries, so Ray does none.

    One thread trains; the other one listens.
    """
    fixed: dict[str, Any] = {"max_restarts": 0, "max_task_retries": 0, "max_concurrency": 2}
    return ray.remote(**fixed, **options)(TrainingActor)
