"""The executor of this process: events as from any other, an epoch at a time."""

from pathlib import Path

import pytest

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import datasets
from hpsearch.execution.executors import SerialExecutor
from hpsearch.search.events import Reported, WorkerLost, WorkerReady
from workers.data.dataset import Dataset
from workers.errors import RunError
from workers.messages import Pack, RunSettings, Trial
from workers.nn.spec import NetworkSpec


@pytest.fixture(scope="module")
def data() -> Dataset:
    return datasets.load(DataConfig(source="iris"), seed=0).dataset


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    return RunSettings(5, "val_loss", "minimize", str(tmp_path), 1, ema_decay=0.9)


def a_pack(*trials: int, epochs: int = 2) -> Pack:
    spec = NetworkSpec(hidden=(4,), batch_size=32)
    return Pack(0, tuple(Trial(number, spec, epochs) for number in trials))


def test_workers_are_ready_at_once_and_then_there_is_nothing(
    data: Dataset, settings: RunSettings
) -> None:
    executor = SerialExecutor(data, settings, workers=3)
    assert executor.workers == 3
    assert executor.wait(1.0) == [WorkerReady(0), WorkerReady(1), WorkerReady(2)]
    assert executor.wait(1.0) == []


def test_workers_take_turns(data: Dataset, settings: RunSettings) -> None:
    executor = SerialExecutor(data, settings, workers=2)
    executor.wait(1.0)
    executor.submit(0, a_pack(0, 1, epochs=2))
    executor.submit(1, a_pack(2, epochs=1))
    seen = []
    while events := executor.wait(1.0):
        (event,) = events
        trials = [(r.trial, r.epoch) for r in event.reports] if isinstance(event, Reported) else []
        seen.append((event.worker, type(event), trials))
    assert seen == [
        (0, Reported, [(0, 1), (1, 1)]),
        (1, Reported, [(2, 1)]),
        (0, Reported, [(0, 2), (1, 2)]),
        (1, WorkerReady, []),
        (0, WorkerReady, []),
    ]


def test_a_trial_is_stopped_before_its_next_epoch(data: Dataset, settings: RunSettings) -> None:
    executor = SerialExecutor(data, settings)
    executor.wait(1.0)
    executor.submit(0, a_pack(0, 1, epochs=5))
    executor.wait(1.0)
    executor.stop(0, [1])
    (event,) = executor.wait(1.0)
    assert isinstance(event, Reported)
    assert [(r.trial, r.epoch) for r in event.reports] == [(0, 2)]
    executor.stop(0, [0])
    assert executor.wait(1.0) == [WorkerReady(0)]


def test_an_error_of_the_pack_loses_the_worker_for_good_reason(
    data: Dataset, settings: RunSettings, tmp_path: Path
) -> None:
    executor = SerialExecutor(data, settings)
    executor.wait(1.0)
    executor.submit(0, a_pack(0))
    executor.wait(1.0)
    for path in tmp_path.iterdir():
        path.write_bytes(b"foreign")
    executor.submit(0, a_pack(0))
    (event,) = executor.wait(1.0)
    assert isinstance(event, WorkerLost)
    assert not event.retry
    assert event.cause.startswith("CheckpointError: ")
    assert executor.wait(1.0) == []
    executor.replace(0)
    assert executor.wait(1.0) == [WorkerReady(0)]


def test_a_failing_disk_is_no_fault_of_the_pack(
    data: Dataset, settings: RunSettings, tmp_path: Path
) -> None:
    executor = SerialExecutor(data, settings)
    executor.wait(1.0)
    tmp_path.rename(tmp_path.with_name("gone"))
    executor.submit(0, a_pack(0))
    with pytest.raises(RunError, match="mend it and resume"):
        executor.wait(1.0)


def test_closing_drops_the_packs(data: Dataset, settings: RunSettings) -> None:
    executor = SerialExecutor(data, settings)
    executor.wait(1.0)
    executor.submit(0, a_pack(0))
    executor.close()
    assert executor.wait(1.0) == []
