"""Training: to the bit the same alone, in a pack, and after any interruption."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import datasets
from tests.support import write_line
from workers.checkpoints import atomic_files, checkpoint_files
from workers.data.dataset import Dataset
from workers.errors import CheckpointError, RunError
from workers.messages import Checkpoint, EpochReport, Pack, RunSettings, Trial
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.families.schedules import SCHEDULES
from workers.nn.spec import NetworkSpec
from workers.training.train import train

Reports = list[tuple[EpochReport, ...]]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return datasets.load(DataConfig(source="iris"), seed=0).dataset


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = write_line(tmp_path_factory.mktemp("line") / "line.csv")
    config = DataConfig(source=str(path), target="price", task="regression")
    return datasets.load(config, seed=0).dataset


class Workshop:
    """Trains trials into folders below one, and reads what they left."""

    def __init__(self, path: Path, data: Dataset) -> None:
        self.path = path
        self.data = data
        self.settings = RunSettings(5, "val_loss", "minimize", "", 1, 0.9, diagnostics=True)

    def start(
        self, folder: str, *trials: Trial, **changes: Any
    ) -> Iterator[tuple[EpochReport, ...]]:
        place = self.path / folder
        place.mkdir(exist_ok=True)
        settings = replace(self.settings, folder=str(place), **changes)
        return train(Pack(0, trials), self.data, settings)

    def train(self, folder: str, *trials: Trial, **changes: Any) -> Reports:
        return list(self.start(folder, *trials, **changes))

    def files(self, folder: str, trial: int) -> dict[int, bytes]:
        """Return the bytes of a trial's checkpoints by epoch."""
        found = {}
        for path in (self.path / folder).iterdir():
            _, _, number, epoch = checkpoint_files.parse_name(path.name)
            if number == trial:
                found[epoch] = path.read_bytes()
        return found

    def load(self, folder: str, checkpoint: Checkpoint | None) -> checkpoint_files.Snapshot:
        assert checkpoint is not None
        return checkpoint_files.load(self.path / folder / checkpoint.name, expected=checkpoint)


@pytest.fixture
def shop(tmp_path: Path, data: Dataset) -> Workshop:
    return Workshop(tmp_path, data)


def a_trial(number: int = 0, epochs: int = 6, **spec: Any) -> Trial:
    defaults = {"hidden": (6,), "batch_size": 16, "learning_rate": 0.01}
    return Trial(number, NetworkSpec(**(defaults | spec)), epochs)


def untimed(reports: tuple[EpochReport, ...]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


def test_diagnostics_describe_each_layer_and_change_nothing_else(shop: Workshop) -> None:
    trials = a_trial(0, 2, hidden=(6, 5)), a_trial(1, 2, hidden=(6, 5), learning_rate=0.1)
    watched = shop.train("watched", *trials)
    plain = shop.train("plain", *trials, diagnostics=False)
    for seen, unseen in zip(chain(*watched), chain(*plain), strict=True):
        assert len(seen.layers) == 3
        assert replace(seen, layers=(), seconds=0.0) == replace(unseen, seconds=0.0)
    assert shop.files("watched", 0) == shop.files("plain", 0)
    assert watched[0][0].layers != watched[0][1].layers


SPECS: dict[str, dict[str, Any]] = {
    **{f"optimizer {name}": {"optimizer": name, "dropout": 0.3} for name in OPTIMIZERS},
    **{f"schedule {name}": {"schedule": name, "decay_epochs": 2.0} for name in SCHEDULES},
    "stall at once": {"schedule": "stall", "stall_epochs": 1, "learning_rate": 1e-8},
    "batch normalization": {"batch_normalization": True, "hidden": (6, 5), "input_dropout": 0.1},
    "stochastic average": {"swa_fraction": 0.5, "optimizer": "adam"},
    "growing momentum": {"momentum_start": 0.1, "warmup_epochs": 2.5, "max_norm": 1.0, "l1": 1e-3},
    "patience": {"patience": 5, "learning_rate": 1e-9},
    "clipped full batch": {"batch_size": "full", "clip_norm": 0.1, "hidden": ()},
}


@pytest.mark.parametrize("name", SPECS)
def test_three_epochs_and_three_more_are_six(shop: Workshop, name: str) -> None:
    trial = a_trial(7, **SPECS[name])
    whole = shop.train("whole", trial)
    first = list(islice(shop.start("parts", trial), 3))
    again = replace(trial, attempt=2, start=first[-1][0].checkpoint)
    rest = shop.train("parts", again)
    assert [untimed(r) for r in whole[3:]] == [
        [replace(r[0], attempt=1, seconds=0.0)] for r in rest
    ]
    assert shop.files("whole", 7) == shop.files("parts", 7)
    assert len(shop.files("whole", 7)) == 6


def test_an_interruption_in_a_pack_changes_nothing(shop: Workshop) -> None:
    trials = [a_trial(k, learning_rate=0.1 / (k + 1), dropout=0.2) for k in range(3)]
    shop.train("whole", *trials)
    reports = list(islice(shop.start("parts", *trials), 2))
    going_on = [replace(t, start=r.checkpoint) for t, r in zip(trials, reports[-1], strict=True)]
    shop.train("parts", *going_on[::-1])
    for number in range(3):
        assert shop.files("whole", number) == shop.files("parts", number)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_pack_equals_its_members_alone(shop: Workshop, optimizer: str) -> None:
    trials = [
        a_trial(k, 3, optimizer=optimizer, learning_rate=rate, l2=l2, dropout=p)
        for k, (rate, l2, p) in enumerate([(0.1, 0.0, 0.0), (0.01, 0.01, 0.3), (0.001, 0.1, 0.5)])
    ]
    together = shop.train("pack", *trials)
    for number, trial in enumerate(trials):
        alone = shop.train("alone", trial)
        assert [untimed((r[number],)) for r in together] == [untimed(r) for r in alone]
        assert shop.files("pack", number) == shop.files("alone", number)


def test_who_diverges_leaves_the_others_alone(shop: Workshop) -> None:
    calm = [a_trial(k, 4, dropout=0.1 * k) for k in range(2)]
    wild = a_trial(2, 4, learning_rate=1e9, hidden=(6,))
    reports = shop.train("pack", calm[0], wild, calm[1])
    failed = [r for epoch in reports for r in epoch if r.failure is not None]
    assert [r.trial for r in failed] == [2]
    assert failed[0].metrics == {}
    assert failed[0].checkpoint is None
    assert failed[0].failure is not None
    assert f"in epoch {failed[0].epoch}" in failed[0].failure
    assert "nan" in failed[0].failure or "inf" in failed[0].failure
    assert sum(r.trial == 2 for epoch in reports for r in epoch) == failed[0].epoch
    for trial in calm:
        shop.train("alone", trial)
        assert shop.files("pack", trial.number) == shop.files("alone", trial.number)


def test_a_pack_ends_when_all_have_failed(shop: Workshop) -> None:
    reports = shop.train("pack", *(a_trial(k, 50, learning_rate=1e9) for k in range(2)))
    assert len(reports) < 50
    last = {r.trial: r for epoch in reports for r in epoch}
    assert all(report.failure for report in last.values())


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_patience_counts_epochs_without_a_better_score(shop: Workshop, direction: str) -> None:
    """With a rate near 0 no score is better than the first: 2 more epochs, and it is over."""
    metric = "val_loss" if direction == "minimize" else "val_accuracy"
    stuck = a_trial(0, 9, learning_rate=1e-30, patience=2)
    steady = a_trial(1, 9)
    reports = shop.train("pack", stuck, steady, metric=metric, direction=direction)
    ends = {r.trial: r for epoch in reports for r in epoch}
    assert (ends[0].epoch, ends[0].stopped) == (3, "no better score for 2 epochs")
    assert (ends[1].epoch, ends[1].stopped) == (9, None)
    assert ends[0].checkpoint is not None
    assert [r.stopped for epoch in reports[:2] for r in epoch] == [None] * 4


def test_patience_is_not_lost_while_the_score_improves(shop: Workshop) -> None:
    reports = shop.train("run", a_trial(0, 6, patience=1, optimizer="momentum"))
    losses = [r[0].metrics["val_loss"] for r in reports]
    worse = [k for k in range(1, len(losses)) if losses[k] >= min(losses[:k])]
    assert len(reports) == (worse[0] + 1 if worse else 6)


@pytest.mark.parametrize(
    ("every", "epochs", "expected"),
    [(1, 3, {1, 2, 3}), (4, 6, {4, 6}), (2, 4, {2, 4}), (9, 4, {4})],
)
def test_checkpoints_come_every_so_often_and_at_the_end(
    shop: Workshop, every: int, epochs: int, expected: set[int]
) -> None:
    reports = shop.train("run", a_trial(0, epochs), checkpoint_every=every)
    assert shop.files("run", 0).keys() == expected
    assert {r[0].epoch for r in reports if r[0].checkpoint is not None} == expected
    assert [r[0].epoch for r in reports] == list(range(1, epochs + 1))


def test_the_folder_is_synced_once_an_epoch_after_all_names_and_before_the_reports(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    present: list[int] = []
    real = atomic_files.sync_folder

    def sync_folder(folder: Path) -> None:
        present.append(len(list(folder.iterdir())))
        real(folder)

    monkeypatch.setattr(atomic_files, "sync_folder", sync_folder)
    for epoch, _ in enumerate(shop.start("some", *(a_trial(n, 2) for n in range(3))), 1):
        assert present == [3 * e for e in range(1, epoch + 1)]


def test_a_failed_sync_of_the_folder_is_no_success(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPSEARCH_FAILPOINT", "file.before_sync_folder=EIO@1+")
    for _ in range(2):
        with pytest.raises(RunError, match="mend it and resume"):
            shop.train("failing", a_trial(epochs=1))
    monkeypatch.delenv("HPSEARCH_FAILPOINT")
    ((report,),) = shop.train("failing", a_trial(epochs=1))
    assert report.checkpoint is not None
    checkpoint_files.load(
        shop.path / "failing" / report.checkpoint.name, expected=report.checkpoint
    )


def test_an_early_stop_leaves_a_checkpoint(shop: Workshop) -> None:
    shop.train("run", a_trial(0, 9, learning_rate=1e-30, patience=2), checkpoint_every=5)
    assert shop.files("run", 0).keys() == {3}


def test_the_running_average_has_no_bias_at_the_start(shop: Workshop) -> None:
    """Nearly constant parameters have themselves as average, from the first step on."""
    shop.settings = replace(shop.settings, ema_decay=0.995)
    reports = shop.train("run", a_trial(0, 2, learning_rate=1e-9, batch_size="full"))
    for (report,) in reports:
        assert report.metrics["ema_val_loss"] == pytest.approx(report.metrics["val_loss"], rel=1e-5)


def test_the_running_average_by_hand(shop: Workshop) -> None:
    """One step an epoch: the average after two is (d x1 + x2) / (d + 1)."""
    decay = 0.9
    reports = shop.train("run", a_trial(0, 2, batch_size="full", learning_rate=0.5))
    first, second = (shop.load("run", r[0].checkpoint).arrays for r in reports)
    assert np.abs(first["parameters"] - second["parameters"]).max() > 1e-3
    expected = (decay * first["parameters"] + second["parameters"]) / (decay + 1)
    np.testing.assert_allclose(second["averaged"], expected, rtol=1e-5, atol=1e-7)


def test_no_average_is_scored_if_none_is_kept(shop: Workshop) -> None:
    (report,) = shop.train("run", a_trial(0, 1), ema_decay=0.0)[0]
    assert not [name for name in report.metrics if name.startswith("ema_")]
    assert {"train_loss", "train_accuracy", "val_loss", "val_accuracy"} <= report.metrics.keys()


def test_a_checkpoint_tells_the_whole_history(shop: Workshop) -> None:
    trial = a_trial(3, 5)
    reports = shop.train("run", trial)
    told = [dict(r[0].metrics) for r in reports]
    for epoch, (report,) in enumerate(reports, 1):
        metadata = shop.load("run", report.checkpoint).metadata
        assert metadata["history"] == told[:epoch]
        assert (metadata["trial"], metadata["epoch"]) == (3, epoch)
        assert metadata["score"] == report.metrics["val_loss"]
        assert report.checkpoint is not None
        assert report.checkpoint.score == report.metrics["val_loss"]


def test_a_checkpoint_says_nothing_of_attempt_or_pack(shop: Workshop) -> None:
    trial = a_trial(3, 2)
    shop.train("first", trial)
    shop.train("second", a_trial(1, 2), replace(trial, attempt=4), a_trial(9, 2))
    assert shop.files("first", 3) == shop.files("second", 3)


def test_reports_carry_the_attempt(shop: Workshop) -> None:
    reports = shop.train("run", replace(a_trial(0, 1), attempt=4), a_trial(1, 1))
    assert [r.attempt for r in reports[0]] == [4, 1]
    assert all(r.seconds > 0 for r in reports[0])


def test_trials_and_seeds_start_from_weights_of_their_own(shop: Workshop) -> None:
    one, other = shop.train("run", a_trial(0, 1), a_trial(1, 1))[0]
    reseeded = shop.train("reseeded", a_trial(0, 1), seed=6)[0][0]
    losses = {r.metrics["val_loss"] for r in (one, other, reseeded)}
    assert len(losses) == 3


def test_a_finished_trial_has_nothing_to_do(shop: Workshop) -> None:
    trial = a_trial(0, 2)
    last = shop.train("run", trial)[-1][0].checkpoint
    assert shop.train("run", replace(trial, start=last)) == []


def test_regression(tmp_path: Path, prices: Dataset) -> None:
    """The targets are a linear function: a linear model learns all of it."""
    shop = Workshop(tmp_path, prices)
    line = a_trial(0, 40, hidden=(), loss="squared_error", learning_rate=0.05)
    (report,) = shop.train("run", line, metric="val_mse")[-1]
    assert report.metrics["val_mse"] < 1e-3
    assert report.metrics["val_r2"] > 0.999


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def replace_by_other(path: Path) -> None:
    path.write_bytes(b"not a checkpoint")


@pytest.mark.parametrize("break_it", [damage, replace_by_other, Path.unlink])
def test_a_start_that_is_not_the_recorded_one_is_refused(shop: Workshop, break_it: Any) -> None:
    trial = a_trial(0, 3)
    start = next(shop.start("run", trial))[0].checkpoint
    assert start is not None
    break_it(shop.path / "run" / start.name)
    with pytest.raises(CheckpointError, match="trial=00000"):
        shop.train("run", replace(trial, start=start))


def test_a_foreign_file_in_the_way_is_not_overwritten(shop: Workshop) -> None:
    trial = a_trial(0, 2)
    name = shop.train("first", trial)[0][0].checkpoint
    assert name is not None
    shop.start("second", trial)
    foreign = shop.path / "second" / name.name
    foreign.write_bytes(b"somebody else's")
    with pytest.raises(CheckpointError, match="exists with other content"):
        shop.train("second", trial)
    assert foreign.read_bytes() == b"somebody else's"
