"""Which training rows are scored, and that the metrics are theirs."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import datasets
from hpsearch.ensembles import model
from hpsearch.ensembles.metrics import measure
from tests.workers.test_train import Workshop, a_trial
from workers.data import preprocessing
from workers.data.dataset import Dataset
from workers.nn.metrics.metrics import METRICS
from workers.training import scoring
from workers.training.scoring import ENOUGH, sample


def rows_of(*counts: int, validation: int = 10) -> Dataset:
    """Return rows sorted by class; the first of two features is a row's number."""
    y = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    x = np.stack([np.arange(len(y)), y], axis=1).astype(np.float32)
    names = tuple(f"c{k}" for k in range(len(counts)))
    few = np.arange(validation) % len(y)
    fitted = preprocessing.fit((), x)
    return Dataset("classification", x, y, x[few], y[few], names, ("n", "y"), "t", fitted)


def sorted_prices(rows: int) -> Dataset:
    data = rows_of(rows)
    return replace(data, task="regression", classes=(), y_train=data.x_train[:, :1])


def test_all_rows_where_they_are_few_or_no_more_than_validate() -> None:
    assert sample(rows_of(ENOUGH // 2, ENOUGH // 2), seed=0) is None
    assert sample(rows_of(1000, 500, validation=1500), seed=0) is None
    assert sample(rows_of(1000, 500, validation=1499), seed=0) is not None
    chosen = sample(rows_of(ENOUGH, 1), seed=0)
    assert chosen is not None
    assert len(chosen) == ENOUGH


@given(
    counts=st.lists(st.integers(1, 700), min_size=2, max_size=6).filter(lambda c: sum(c) > 700),
    validation=st.integers(1, 700),
    seed=st.integers(0, 2**32),
)
def test_each_class_has_its_share(counts: list[int], validation: int, seed: int) -> None:
    data = rows_of(*counts, validation=validation)
    chosen = sample(data, seed=seed)
    assert chosen is not None
    count = max(512, validation)
    assert len(set(chosen.tolist())) == len(chosen) == count
    assert (np.diff(chosen) > 0).all()
    found = np.bincount(data.y_train[chosen], minlength=len(counts))
    shares = count * np.array(counts) / sum(counts)
    assert (np.abs(found - shares) < 1).all()


def test_every_row_is_as_likely_as_the_others() -> None:
    for data in (rows_of(500, 1, 599), sorted_prices(1100)):
        hits = np.zeros(1100)
        for seed in range(400):
            hits[sample(data, seed=seed)] += 1
        share = 512 / 1100
        deviation = (400 * share * (1 - share)) ** 0.5
        assert abs(hits - 400 * share).max() < 5 * deviation
        assert hits.std() == pytest.approx(deviation, rel=0.15)


def test_seed_and_split_decide_and_nothing_else() -> None:
    data = rows_of(3000, 3000)
    first = sample(data, seed=3)
    assert first is not None
    # Runs on disk depend on these.
    assert first[:6].tolist() == [0, 15, 30, 40, 70, 75]
    np.testing.assert_array_equal(sample(data, seed=3, split=0), first)
    scaled = replace(data, x_train=-data.x_train)
    np.testing.assert_array_equal(sample(scaled, seed=3), first)
    for other in (sample(data, seed=4), sample(data, seed=3, split=1)):
        assert (other != first).any()


def test_a_file_sorted_by_class_tells_of_all_classes(tmp_path: Path) -> None:
    """A network that has learned nothing yet is right where a class is its favourite."""
    config = DataConfig(source="iris", validation=0.2, test=None, preprocess=())
    data = datasets.load(config, seed=0).dataset
    shop = Workshop(tmp_path, data)
    (report,) = shop.train("run", a_trial(0, 1, hidden=(), learning_rate=1e-6))[0]
    assert report.checkpoint is not None
    network = model.load(tmp_path / "run" / report.checkpoint.name, averaged=False)
    found = measure("classification", network.predict_proba(data.x_train), data.y_train)
    assert report.metrics["train_accuracy"] == found["accuracy"]


@pytest.mark.parametrize("copied", [scoring.COPIED, 0])
def test_each_split_has_a_sample_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: int
) -> None:
    """Two splits that train as one stack, on more rows than are scored, be these copied or not."""
    monkeypatch.setattr(scoring, "COPIED", copied)
    rng = np.random.default_rng(0)
    data = rows_of(300, 500)
    first, second = (
        replace(data, x_train=data.y_train[:, None] + rng.standard_normal((800, 2), np.float32))
        for _ in range(2)
    )
    shop = Workshop(tmp_path, replace(first, further=(second,)))
    shop.settings = replace(shop.settings, seed=9)
    trials = a_trial(0, 2), a_trial(1, 2, learning_rate=0.5)
    for report in shop.train("run", *trials)[-1]:
        assert report.checkpoint is not None
        both = model.load(tmp_path / "run" / report.checkpoint.name, averaged=False).networks
        scores = []
        for number, (network, data) in enumerate(zip(both, (first, second), strict=True)):
            rows = sample(data, seed=9, split=number)
            assert rows is not None
            predicted = network.predict_proba(data.x_train[rows])
            scores.append(measure("classification", predicted, data.y_train[rows])["accuracy"])
        assert report.metrics["train_accuracy"] == pytest.approx(fmean(scores), abs=1e-12)


def test_only_trials_that_average_tell_of_averages(tmp_path: Path) -> None:
    """Whoever else is in the pack, and wherever."""
    data = datasets.load(DataConfig(source="iris"), seed=0).dataset
    shop = Workshop(tmp_path, data)
    plain, averaging = a_trial(0, 2), a_trial(1, 2, swa_fraction=0.5)
    for pack in ((plain, averaging), (averaging, plain)):
        for reports in shop.train("run", *pack, ema_decay=0.0):
            told = {r.trial: any(n.startswith("ema_") for n in r.metrics) for r in reports}
            assert told == {0: False, 1: True}
    whole = shop.train("run", plain, averaging, ema_decay=0.0)
    alone = shop.train("run", averaging, ema_decay=0.0)
    assert [reports[1].metrics for reports in whole] == [r.metrics for (r,) in alone]


def test_a_metric_that_is_not_usual_is_told_where_it_is_pursued(tmp_path: Path) -> None:
    data = datasets.load(DataConfig(source="iris"), seed=0).dataset
    shop = Workshop(tmp_path, data)
    (usual,) = shop.train("usual", a_trial(0, 1))[0]
    (more,) = shop.train("more", a_trial(0, 1), metric="ema_val_roc_auc")[0]
    parts = ("train", "val", "ema_val")
    assert more.metrics.keys() - usual.metrics.keys() == {f"{part}_roc_auc" for part in parts}
    assert {name: more.metrics[name] for name in usual.metrics} == usual.metrics
    assert not any("roc_auc" in name for name in usual.metrics)


@pytest.mark.parametrize("name", [n for n, m in METRICS.items() if m.task == "classification"])
def test_a_pack_tells_the_metric_that_is_pursued_as_each_trial_alone(
    tmp_path: Path, name: str
) -> None:
    data = datasets.load(DataConfig(source="iris"), seed=0).dataset
    shop = Workshop(tmp_path, data)
    trials = [a_trial(number, 2, learning_rate=0.01 * (number + 1)) for number in range(3)]
    together = shop.train("pack", *trials, metric=f"ema_val_{name}")
    for number, trial in enumerate(trials):
        alone = shop.train("alone", trial, metric=f"ema_val_{name}")
        assert [r.metrics for (r,) in alone] == [reports[number].metrics for reports in together]
