"""Trials of several splits: a network each, one report, one checkpoint, one model."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import datasets
from hpsearch.data.datasets import Split
from hpsearch.ensembles import model
from hpsearch.ensembles.metrics import measure
from hpsearch.ensembles.model import Model
from tests.support import write_line
from tests.workers.test_train import Workshop, a_trial, untimed
from workers.checkpoints import checkpoint_files
from workers.data.dataset import Dataset
from workers.errors import CheckpointError
from workers.nn.spec import NetworkSpec
from workers.training import cross_validation


@pytest.fixture(scope="module")
def split() -> Split:
    """Four folds of 150 rows: two of 37 rows and two of 38, so two stacks."""
    return datasets.load(DataConfig(source="iris", folds=4, test=None), seed=0)


@pytest.fixture
def shop(tmp_path: Path, split: Split) -> Workshop:
    return Workshop(tmp_path, split.dataset)


def arrays_of(shop: Workshop, folder: str, trial: int, epoch: int) -> list[dict[str, Any]]:
    """Return the arrays of each of a trial's networks."""
    found = [p for p in (shop.path / folder).iterdir() if f"_trial={trial:05d}_" in p.name]
    snapshot = checkpoint_files.load(next(p for p in found if f"_epoch={epoch:04d}." in p.name))
    return cross_validation.part(snapshot.arrays, snapshot.metadata["splits"])


def test_the_folds_have_two_sizes(split: Split) -> None:
    sizes = [len(data.x_validation) for data in split.dataset.splits]
    assert sorted(sizes) == [37, 37, 38, 38]
    groups = cross_validation.stacks(split.dataset, NetworkSpec())
    assert sorted(sorted(sizes[number] for number in group) for group in groups) == [
        [37, 37],
        [38, 38],
    ]
    assert len(cross_validation.stacks(split.dataset, NetworkSpec(hidden=(20_000,)))) == 4


SPECS: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "batch normalization": {"batch_normalization": True, "swa_fraction": 0.5},
    "stall": {"schedule": "stall", "stall_epochs": 1, "learning_rate": 1e-8},
    "patience": {"patience": 5, "learning_rate": 1e-9},
    "adam": {"optimizer": "adam", "hidden": (6, 5)},
    "lbfgs": {"optimizer": "lbfgs", "batch_size": "full", "lbfgs_iterations": 3},
}


@pytest.mark.parametrize("name", SPECS)
def test_three_epochs_and_three_more_are_six(shop: Workshop, name: str) -> None:
    trial = a_trial(7, **SPECS[name])
    whole = shop.train("whole", trial)
    running = shop.start("parts", trial)
    first = [next(running) for _ in range(3)]
    rest = shop.train("parts", replace(trial, start=first[-1][0].checkpoint))
    assert [untimed(r) for r in whole[3:]] == [untimed(r) for r in rest]
    assert shop.files("whole", 7) == shop.files("parts", 7)
    assert len(shop.files("whole", 7)) == 6


def test_a_pack_equals_its_trials_alone(shop: Workshop) -> None:
    trials = [
        a_trial(0, 3, learning_rate=0.1),
        a_trial(1, 3, learning_rate=1e9),
        a_trial(2, 3, l2=0.1, dropout=0.3),
    ]
    together = shop.train("pack", *trials)
    for number, trial in enumerate(trials):
        alone = shop.train("alone", trial)
        told = [untimed((r,)) for epoch in together for r in epoch if r.trial == number]
        assert told == [untimed(r) for r in alone]
        assert shop.files("pack", number) == shop.files("alone", number)
    assert shop.files("pack", 1) == {}


def test_large_networks_train_one_by_one_to_the_same_numbers(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [a_trial(0, 2, dropout=0.2), a_trial(1, 2)]
    shop.train("together", *trials)
    monkeypatch.setattr(cross_validation, "STACKED", 0)
    shop.train("apart", *trials)
    for number in range(2):
        assert shop.files("together", number) == shop.files("apart", number)


def test_stalls_are_counted_by_the_mean_score(shop: Workshop) -> None:
    trial = a_trial(0, 4, schedule="stall", stall_epochs=1, learning_rate=1e-12)
    scores = [report.metrics["val_loss"] for (report,) in shop.train("run", trial)]
    for arrays in arrays_of(shop, "run", 0, 4):
        assert arrays["best"].tolist() == [-min(scores)]
        worse = sum(scores[k] >= min(scores[:k]) for k in range(1, 4))
        assert arrays["counters"][3] == worse


def test_the_first_split_is_trained_as_a_single_one(shop: Workshop, split: Split) -> None:
    trial = a_trial(3, 2, dropout=0.2)
    shop.train("folds", trial)
    single = Workshop(shop.path, split.dataset.splits[0])
    single.data = replace(single.data, further=())
    single.train("single", trial)
    first, second, *_ = arrays_of(shop, "folds", 3, 2)
    (alone,) = arrays_of(shop, "single", 3, 2)
    for name, array in alone.items():
        # The scores that are counted are the trial's, so their mean.
        assert name in ("best", "counters") or (array == first[name]).all(), name
    assert (first["parameters"] != second["parameters"]).any()


def test_one_split_that_diverges_ends_its_trial_alone(tmp_path: Path, split: Split) -> None:
    """A trial with small enough steps survives the outlier in one split's training rows."""
    last = split.dataset.splits[-1]
    x = last.x_train.copy()
    x[0] = 1e30
    outlier = replace(last, x_train=x)
    data = replace(split.dataset, further=(*split.dataset.further[:-1], outlier))
    shop = Workshop(tmp_path, data)
    wild, calm = a_trial(0, 2), a_trial(1, 2, learning_rate=1e-38)
    together = shop.train("pack", wild, calm)
    assert together[0][0].failure is not None
    assert [report.trial for report in together[1]] == [1]
    alone = shop.train("alone", calm)
    assert [untimed((epoch[-1],)) for epoch in together] == [untimed(epoch) for epoch in alone]
    clean = Workshop(tmp_path, split.dataset).train("clean", wild)
    assert [report.failure for epoch in clean for report in epoch] == [None, None]


def loaded(shop: Workshop, folder: str, report: Any, averaged: bool) -> Model:
    return model.load(shop.path / folder / report.checkpoint.name, averaged=averaged)


@pytest.mark.parametrize(("prefix", "averaged"), [("val", False), ("ema_val", True)])
def test_metrics_are_means_over_the_splits(
    shop: Workshop, split: Split, prefix: str, averaged: bool
) -> None:
    (report,) = shop.train("run", a_trial(0, 2, batch_normalization=True))[-1]
    each = loaded(shop, "run", report, averaged).networks
    assert len(each) == 4
    found = [
        measure("classification", network.predict_proba(x), data.y_validation)
        for network, x, data in zip(each, split.x_validation, split.dataset.splits, strict=True)
    ]
    for name, told in (("accuracy", "accuracy"), ("loss", "log_loss")):
        values = [one[told] for one in found]
        assert report.metrics[f"{prefix}_{name}"] == pytest.approx(fmean(values), rel=1e-5)
        spread = report.metrics[f"{prefix}_{name}_std"]
        assert spread == pytest.approx(stdev(values), rel=1e-4)
        assert spread > 0


def test_a_single_split_has_no_spread(tmp_path: Path, split: Split) -> None:
    shop = Workshop(tmp_path, replace(split.dataset, further=()))
    (report,) = shop.train("run", a_trial(0, 1))[0]
    assert not [name for name in report.metrics if name.endswith("_std")]
    (path,) = (tmp_path / "run").iterdir()
    assert "parameters" in checkpoint_files.load(path).arrays


def test_a_model_predicts_the_mean_and_held_out_rows_by_who_has_not_seen_them(
    shop: Workshop, split: Split
) -> None:
    (report,) = shop.train("run", a_trial(0, 2))[-1]
    one = loaded(shop, "run", report, averaged=False)
    x = np.concatenate(split.x_validation)
    each = [network.predict_proba(x) for network in one.networks]
    np.testing.assert_allclose(one.predict_proba(x), sum(each) / 4, rtol=1e-5)
    starts = np.cumsum([0, *(len(rows) for rows in split.x_validation)])
    expected = [each[k][starts[k] : starts[k + 1]] for k in range(4)]
    np.testing.assert_array_equal(
        one.predict_held_out(split.x_validation), np.concatenate(expected)
    )


def test_directions_that_one_split_lacks(tmp_path: Path) -> None:
    """With pca a column that varies in one row only is a direction of most splits."""
    x = np.random.default_rng(0).standard_normal((40, 3))
    x[:, 2] = np.arange(40) == 7
    np.savez(tmp_path / "a.npz", x=x, y=x[:, :1] - x[:, 1:2])
    config = DataConfig(
        source=str(tmp_path / "a.npz"),
        folds=4,
        test=None,
        task="regression",
        preprocess=("pca",),
    )
    split = datasets.load(config, seed=0)
    assert sorted(data.features for data in split.dataset.splits) == [2, 3, 3, 3]
    shop = Workshop(tmp_path, split.dataset)
    line = a_trial(0, 40, loss="squared_error", hidden=(), learning_rate=0.3)
    (report,) = shop.train("run", line, metric="val_mse")[-1]
    assert report.metrics["val_mse"] < 0.01
    one = loaded(shop, "run", report, averaged=False)
    y = split.y_validation
    found = measure("regression", one.predict_held_out(split.x_validation), y)
    assert found["mse"] == pytest.approx(report.metrics["val_mse"], rel=1e-4)


def test_a_checkpoint_of_other_splits_is_refused(
    shop: Workshop, split: Split, tmp_path: Path
) -> None:
    trial = a_trial(0, 2)
    start = next(shop.start("run", trial))[0].checkpoint
    single = Workshop(tmp_path, replace(split.dataset, further=()))
    with pytest.raises(CheckpointError, match="4 splits where the run has 1"):
        single.train("run", replace(trial, start=start))


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (0, ["a"]),
        (101, ["a"]),
        (True, ["a"]),
        ("2", ["a"]),
        (None, ["a"]),
        (2, ["a"]),
        (2, ["split.0.a", "split.2.a"]),
        (2, ["split.0.a", "split.01.a"]),
        (2, ["split.0.a", "split.1"]),
        (2, ["split.0.a", "split.1."]),
        (2, ["split"]),
    ],
)
def test_arrays_of_no_splits(count: Any, names: list[str]) -> None:
    with pytest.raises(CheckpointError):
        cross_validation.part({name: np.zeros(1) for name in names}, count)


def test_regression(tmp_path: Path) -> None:
    path = write_line(tmp_path / "line.csv")
    config = DataConfig(source=str(path), target="price", task="regression", repeats=3)
    data: Dataset = datasets.load(config, seed=0).dataset
    shop = Workshop(tmp_path, data)
    line = a_trial(0, 40, hidden=(), loss="squared_error", learning_rate=0.05)
    (report,) = shop.train("run", line, metric="val_mse")[-1]
    assert report.metrics["val_mse"] < 1e-3
    assert report.metrics["val_r2"] > 0.999
    assert 0 < report.metrics["val_r2_std"] < 1e-3
