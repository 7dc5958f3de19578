"""A first stage of a part of an epoch: what it trains, and that nothing of it is lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.config.sections.data import DataConfig
from hpsearch.config.sections.pruners import PatienceRule
from hpsearch.data import datasets
from hpsearch.results.tables import Results
from hpsearch.sampling.pruners import StagePruner
from tests.support import run_here, tiny_config
from tests.workers.test_train import SPECS, Workshop, a_trial, untimed
from workers.data.dataset import Dataset
from workers.errors import InputError

BUDGETS = ("schedule cosine", "growing momentum")
"""What depends on the budget differs, as wherever trials go on with a greater one."""


@pytest.fixture(scope="module")
def data() -> Dataset:
    return datasets.load(DataConfig(source="iris"), seed=0).dataset


@pytest.fixture
def shop(tmp_path: Path, data: Dataset) -> Workshop:
    return Workshop(tmp_path, data)


@pytest.mark.parametrize("name", [name for name in SPECS if name not in BUDGETS])
def test_a_part_of_an_epoch_and_the_rest_are_an_epoch(shop: Workshop, name: str) -> None:
    trial = a_trial(7, **SPECS[name])
    whole = shop.train("whole", trial)
    ((part,),) = shop.train("parts", replace(trial, epochs=0.5))
    assert part.epoch == 0.5
    rest = shop.train("parts", replace(trial, start=part.checkpoint))
    told = [[untimed(r) for r in reports] for reports in (whole, rest)]
    if SPECS[name].get("batch_size") == "full" or SPECS[name].get("optimizer") == "lbfgs":
        for reports in told:  # the part has had the epoch's only mini-batch
            reports[0] = [replace(reports[0][0], layers=())]
    assert told[0] == told[1]
    files = shop.files("parts", 7)
    del files[0]
    assert files == shop.files("whole", 7)


def test_a_part_is_of_whole_mini_batches_and_at_least_one(shop: Workshop) -> None:
    """A part of 1/6 is one of iris's six mini-batches, whatever 6 / 6 is rounded to."""
    updates = {}
    for epochs in (1e-300, 1 / 6, 0.17, 0.5, 0.51, 0.999, 1):
        (report,) = shop.train(f"{epochs}", replace(a_trial(), epochs=epochs))[0]
        counters = shop.load(f"{epochs}", report.checkpoint).arrays["counters"]
        updates[epochs] = int(counters[0])
    assert [*updates.values()] == [1, 1, 2, 3, 4, 6, 6]


@pytest.mark.parametrize("repeats", [{"folds": 4}, {}])
def test_parts_are_the_same_in_a_pack_and_under_several_splits(
    tmp_path: Path, repeats: dict[str, Any]
) -> None:
    """Four folds of 150 rows differ in size, so the splits are several stacks."""
    validation = {} if repeats else {"validation": 0.2}
    config = DataConfig(source="iris", test=None, **validation, **repeats)
    shop = Workshop(tmp_path, datasets.load(config, seed=0).dataset)
    trials = [a_trial(k, 2, learning_rate=0.1 / (k + 1), dropout=0.2 * k) for k in range(3)]
    parts = shop.train("pack", *(replace(trial, epochs=0.4) for trial in trials))[0]
    starts = [part.checkpoint for part in parts]
    going = [replace(t, start=start) for t, start in zip(trials, starts, strict=True)]
    together = shop.train("pack", *going)
    for trial, reports in zip(trials, zip(*together, strict=True), strict=True):
        part = shop.train("alone", replace(trial, epochs=0.4))[0]
        assert untimed(part) == untimed((parts[trial.number],))
        straight = shop.train("straight", trial)
        assert [untimed((r,)) for r in reports] == [untimed(r) for r in straight]


def test_a_part_counts_for_no_rule_that_counts_epochs(shop: Workshop) -> None:
    """With a rate near 0 nothing gets better after the first epoch: 2 more, and it is over."""
    stuck = a_trial(0, 9, learning_rate=1e-30, patience=2, swa_fraction=1.0)
    ((part,),) = shop.train("run", replace(stuck, epochs=0.5))
    assert part.stopped is None
    assert not shop.load("run", part.checkpoint).metadata["averaged"]
    reports = shop.train("run", replace(stuck, start=part.checkpoint))
    assert [r[0].epoch for r in reports] == [1, 2, 3]


def test_a_part_is_no_epoch_to_a_pruner() -> None:
    decisions = []
    for history in ({}, {0.5: 0.9}):
        stage_pruner = StagePruner(
            PatienceRule(type="patience", patience=2), epochs=9, sign=1, seed=0
        )
        stage_pruner.add(0, history)
        scores = (0.5, 0.4, 0.3, 0.2, 0.1)
        decisions.append(
            [stage_pruner.judge(0, epoch, score) for epoch, score in enumerate(scores, 1)]
        )
    assert decisions[0] == decisions[1]
    assert True in decisions[0]


def test_what_diverges_in_a_part_says_where(shop: Workshop) -> None:
    ((report,),) = shop.train("run", replace(a_trial(learning_rate=1e30), epochs=0.5))
    assert report.failure is not None
    assert report.failure.endswith("in epoch 0.5")


def test_tables_have_the_part_among_their_epochs(tmp_path: Path) -> None:
    stages = [
        {"name": "coarse", "num_trials": 4, "epochs": 0.5},
        {"name": "fine", "num_trials": 1, "epochs": 2, "promote": 2},
    ]
    run, _ = run_here(tiny_config(stages=stages, study__diagnostics=True), tmp_path / "run")
    results = Results.load(run.path)
    assert sorted(results.trials["epochs"]) == [0.5, 0.5, 2, 2, 2]
    for number, epochs in results.epochs.groupby("trial")["epoch"]:
        done = results.trials.set_index("trial")["epochs"][number]
        expected = [epoch for epoch in (0.5, 1, 2) if epoch <= done]
        assert [*epochs] == (expected if number < 4 else [1, 2])
    parts = results.checkpoints[results.checkpoints["epoch"] == 0.5]
    assert len(parts) >= 1
    assert parts["name"].str.endswith("_epoch=0000.safetensors").all()
    assert set(results.layers["epoch"]) == {0.5, 1, 2}
    assert "0.5 of 0.5" in run.report.read_text()


@pytest.mark.parametrize("epochs", [0, -1, 0.0, 1.0, 2.5, "0.5", True, None])
def test_epochs_are_whole_or_a_part_of_the_first(epochs: Any) -> None:
    with pytest.raises(InputError, match="must be a whole number from 1 on, or below 1 a part"):
        tiny_config(stages=[{"name": "s", "num_trials": 1, "epochs": epochs}])


def test_only_the_first_stage_trains_a_part() -> None:
    assert tiny_config(stages__0__epochs=0.5).stages[0].epochs == 0.5
    with pytest.raises(InputError, match="only the first stage may have a part of one; got epochs"):
        tiny_config(stages__1__epochs=0.5)
