"""A run's tables: typed columns, the right best epoch, sorted the right way round."""

import math
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hpsearch
from hpsearch.results.tables import Results
from hpsearch.storage.store import Store
from workers.checkpoints.checkpoint_files import file_name
from workers.errors import InputError
from workers.messages import Checkpoint, EpochReport
from workers.nn.layer_statistics import STATISTICS, LayerStatistics


def start(folder: Path, *, metric: str = "val_accuracy", direction: str = "maximize") -> Store:
    meta = {"name": "digits", "metric": metric, "direction": direction, "seed": 7}
    store = Store.create(folder / "search.db", meta)
    store.begin_stage(0, "coarse", {})
    store.begin_stage(1, "fine", {})
    return store


def add(
    store: Store, number: int, params: dict[str, Any], scores: list[float], stage: int = 0
) -> None:
    """Add a trial whose epoch e has the given score, ``val_loss`` e and took 0.5 s."""
    metric = store.meta()["metric"]
    store.add_trial(number, stage, params, 10)
    store.start_trial(number, 1)
    for epoch, score in enumerate(scores, 1):
        saved = None
        if math.isfinite(score):
            name = file_name(metric, score, number, epoch)
            saved = Checkpoint(name, number, epoch, score, 10 * epoch, "cd" * 32)
        metrics = {"val_loss": float(epoch), metric: score}
        store.record([EpochReport(number, 1, epoch, metrics, 0.5, saved)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Four trials: the best in the middle of it, a tie, one that failed, one that waits."""
    with start(tmp_path) as store:
        add(store, 0, {"l2": 0.1, "units": 8}, [0.5, 0.75, 0.75, 0.25])
        add(store, 1, {"l2": 0.2, "units": 16}, [0.75], stage=1)
        add(store, 2, {"l2": 1.0}, [0.0, math.nan])
        store.add_trial(3, 1, {"l2": 0.5, "units": 4}, 10)
        store.end_trial(0, "complete")
        store.note_failure(1, 1, 1, "its worker died")
        store.end_trial(2, "failed", "train_loss became nan in epoch 2")
    return tmp_path


def test_layers(tmp_path: Path) -> None:
    layers = (LayerStatistics(1e-3, 0.5, 0.25, 1.0, dead=0.5), LayerStatistics(None, 2.0, 0.0, 1.0))
    with start(tmp_path) as store:
        store.add_trial(4, 0, {}, 10)
        store.start_trial(4, 1)
        store.record([EpochReport(4, 1, 1, {"val_accuracy": 0.5}, 0.5, layers=layers)])
    frame = Results.load(tmp_path).layers
    assert list(frame.columns) == ["trial", "epoch", "layer", *STATISTICS]
    assert frame[["trial", "epoch", "layer"]].to_numpy().tolist() == [[4, 1, 1], [4, 1, 2]]
    assert list(frame["dead"].fillna(-1)) == [0.5, -1]
    assert list(frame["update_ratio"].fillna(-1)) == [1e-3, -1]
    assert set(map(str, frame.dtypes[3:])) == {"float64"}


def test_without_diagnostics_the_layers_are_an_empty_table(run: Path) -> None:
    frame = Results.load(run).layers
    assert frame.empty
    assert str(frame.dtypes["layer"]) == "int64"


def test_trials(run: Path) -> None:
    frame = Results.load(run).trials
    assert frame.to_dict("list")["trial"] == [0, 1, 2, 3]
    assert list(frame["stage"]) == ["coarse", "fine", "coarse", "fine"]
    assert list(frame["state"]) == ["complete", "waiting", "failed", "waiting"]
    assert list(frame["epochs"]) == [4, 1, 2, 0]
    assert list(frame["val_accuracy"][:3]) == [0.75, 0.75, 0.0]
    assert list(frame["best_epoch"][:3]) == [2, 1, 1]
    assert list(frame["val_loss"][:3]) == [2.0, 1.0, 1.0]
    assert frame.loc[3, ["val_accuracy", "best_epoch", "val_loss"]].isna().all()
    assert list(frame["failures"]) == [0, 1, 0, 0]
    assert list(frame["reason"].dropna()) == ["train_loss became nan in epoch 2"]
    assert list(frame["seconds"]) == [2.0, 0.5, 1.0, 0.0]
    assert list(frame.columns) == [
        *("trial", "stage", "state", "epochs", "val_accuracy", "best_epoch", "val_loss"),
        *("l2", "units", "reason", "failures", "seconds"),
    ]


def test_column_types(run: Path) -> None:
    types = {name: str(kind) for name, kind in Results.load(run).trials.dtypes.items()}
    integers = {"trial", "epochs", "failures"}
    assert {name for name, kind in types.items() if kind == "int64"} == integers
    assert {name for name, kind in types.items() if kind == "Int64"} == {"best_epoch", "units"}
    assert {name for name, kind in types.items() if kind == "string"} == {
        *("stage", "state", "reason"),
    }
    rest = {"val_accuracy", "val_loss", "l2", "seconds"}
    assert {name for name, kind in types.items() if kind == "float64"} == rest


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([0.5, 2], "float64", [0.5, 2.0]),
        ([3, None], "Int64", [3, pd.NA]),
        ([2**60 + 1, None], "Int64", [2**60 + 1, pd.NA]),
        ([True, False], "boolean", [True, False]),
        (["relu", None], "string", ["relu", pd.NA]),
        ([[64, 32], [64]], "object", [(64, 32), (64,)]),
        ([1, "1"], "object", [1, "1"]),
        ([True, 1], "object", [True, 1]),
        ([10**30, 1], "object", [10**30, 1]),
    ],
)
def test_hyperparameters_of_all_types(
    tmp_path: Path, values: list[Any], kind: str, expected: list[Any]
) -> None:
    with start(tmp_path) as store:
        for number, value in enumerate(values):
            add(store, number, {} if value is None else {"x": value}, [])
    column = Results.load(tmp_path).trials["x"]
    assert str(column.dtype) == kind
    assert [type(value) for value in column.tolist()] == [type(value) for value in expected]
    assert column.dropna().tolist() == [value for value in expected if value is not pd.NA]


def test_epochs(run: Path) -> None:
    frame = Results.load(run).epochs
    assert list(zip(frame["trial"], frame["epoch"], strict=True)) == [
        *((0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (2, 1), (2, 2)),
    ]
    assert list(frame["stage"]) == ["coarse"] * 4 + ["fine"] + ["coarse"] * 2
    assert frame["val_accuracy"].isna().tolist() == [False] * 6 + [True]
    assert frame["checkpoint"].isna().tolist() == [False] * 6 + [True]
    assert frame["checkpoint"][1] == "val_accuracy=0.7500_trial=00000_epoch=0002.safetensors"
    assert frame["seconds"].sum() == 3.5


def test_checkpoints_best_first_and_only_those_kept(run: Path) -> None:
    with Store.open(run / "search.db") as store:
        store.forget_checkpoints([file_name("val_accuracy", 0.75, 0, 3)])
    results = Results.load(run)
    frame = results.checkpoints
    assert list(zip(frame["trial"], frame["epoch"], strict=True)) == [
        *((0, 2), (1, 1), (0, 1), (0, 4), (2, 1)),
    ]
    assert frame["path"][0] == str(run / "checkpoints" / frame["name"][0])
    assert list(frame["score"]) == [0.75, 0.75, 0.5, 0.25, 0.0]
    assert frame["size"][0] == 20
    assert pd.isna(results.epochs["checkpoint"][2])


def test_minimized_metric(tmp_path: Path) -> None:
    with start(tmp_path, metric="val_rank_loss", direction="minimize") as store:
        add(store, 0, {}, [3.0, 2.0, 2.0])
        add(store, 1, {}, [-math.inf, math.nan, 1.5])
        add(store, 2, {}, [math.inf])
    results = Results.load(tmp_path)
    assert list(results.trials["best_epoch"][:2]) == [2, 3]
    assert list(results.top()["trial"]) == [1, 0, 2]
    assert list(results.checkpoints["score"]) == [1.5, 2.0, 2.0, 3.0]


def test_top(run: Path) -> None:
    results = Results.load(run)
    assert list(results.top()["trial"]) == [0, 1, 2, 3]
    assert list(results.top(2, stage="coarse")["trial"]) == [0, 2]
    assert list(results.top(sort="l2")["trial"]) == [2, 3, 1, 0]
    assert list(results.top(sort="-l2")["trial"]) == [0, 1, 3, 2]
    assert list(results.top(sort="-val_accuracy")["trial"]) == [2, 0, 1, 3]
    assert list(results.top(sort="val_loss")["trial"]) == [1, 2, 0, 3]
    assert list(results.top(sort="units")["trial"]) == [1, 0, 3, 2]
    assert list(results.top(sort="state")["trial"]) == [1, 3, 2, 0]
    assert list(results.top(1).index) == [0]


@pytest.mark.parametrize(("metric", "first"), [("val_mse", 1), ("ema_val_r2", 0)])
def test_any_metric_is_sorted_its_own_way(tmp_path: Path, metric: str, first: int) -> None:
    with start(tmp_path, metric=metric, direction="maximize") as store:
        add(store, 0, {}, [2.0])
        add(store, 1, {}, [1.0])
    results = replace(Results.load(tmp_path), metric="val_accuracy")
    assert results.top(sort=metric)["trial"][0] == first


def test_sorting_mixed_values(tmp_path: Path) -> None:
    with start(tmp_path) as store:
        for number, value in enumerate(["b", 1, [2, 3]]):
            add(store, number, {"x": value}, [])
    assert sorted(Results.load(tmp_path).top(sort="x")["trial"]) == [0, 1, 2]


def test_unknown_column_or_stage(run: Path) -> None:
    results = Results.load(run)
    with pytest.raises(InputError, match="--sort takes one of trial, stage"):
        results.top(sort="accuracy")
    with pytest.raises(InputError, match="--stage takes one of coarse, fine"):
        results.top(stage="medium")


def test_empty_run_has_typed_columns(tmp_path: Path) -> None:
    with start(tmp_path):
        results = hpsearch.load(str(tmp_path))
    assert (len(results.trials), len(results.epochs), len(results.checkpoints)) == (0, 0, 0)
    assert results.trials["val_accuracy"].dtype == "float64"
    assert results.trials["trial"].dtype == "int64"
    assert results.epochs["checkpoint"].dtype == "string"
    assert results.checkpoints["score"].dtype == "float64"
    assert results.top(5).empty
    assert (results.name, results.seed, results.direction) == ("digits", 7, "maximize")


def test_run_in_progress(tmp_path: Path) -> None:
    with start(tmp_path) as store:
        add(store, 0, {"l2": 0.1}, [0.5])
        assert list(Results.load(tmp_path).trials["state"]) == ["running"]
        store.end_trial(0, "complete")
        assert list(Results.load(tmp_path).trials["state"]) == ["complete"]


def test_a_parameter_never_hides_a_column(tmp_path: Path) -> None:
    with start(tmp_path) as store:
        add(store, 0, {"epochs": 99, "val_loss": 99, "reason": "x"}, [0.5])
    frame = Results.load(tmp_path).trials
    assert frame.columns.is_unique
    assert (frame["epochs"][0], frame["val_loss"][0]) == (1, 1.0)


def test_not_a_run(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", tmp_path / "a\0b"):
        with pytest.raises(InputError, match="name the folder of a run"):
            Results.load(path)


def test_rows_that_refer_to_nothing(run: Path) -> None:
    connection = sqlite3.connect(run / "search.db")
    with connection:
        connection.execute("DELETE FROM trials WHERE number = 0")
    connection.close()
    with pytest.raises(InputError, match="trials that are not there"):
        Results.load(run)
