"""A checkpoint as a model: it gives what the run recorded of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score

from hpsearch.data import datasets
from hpsearch.ensembles import ensemble, model
from hpsearch.ensembles.metrics import measure
from hpsearch.results.tables import Results
from hpsearch.storage.folder import RunFolder
from tests.support import run_here, tiny_config
from workers.checkpoints import checkpoint_files
from workers.errors import CheckpointError, InputError
from workers.nn.metrics.metrics import told

TWO = {"data__source": "breast_cancer"}
LINE = {
    "study__metric": "val_mse",
    "data__source": "diabetes",
    "data__task": "regression",
    "network__loss": "squared_error",
    "search_space__learning_rate": {"type": "float", "low": 1e-6, "high": 1e-4, "log": True},
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"network__hidden": []},
        {"network__hidden": [6, 5], "network__activation": "maxout"},
        {"network__batch_normalization": True},
        {"network__batch_normalization": True, "network__hidden": []},
        {"study__metric": "ema_val_accuracy"},
        {"study__metric": "ema_val_loss", "network__batch_normalization": True},
        {"study__metric": "ema_val_loss", "network__swa_fraction": 0.5},
        {"network__swa_fraction": 0.5},
        {
            "network__swa_fraction": 0.9,
            "checkpoint__ema_decay": 0,
            "network__batch_normalization": True,
        },
        {"search_space__swa_fraction": {"type": "categorical", "choices": [0.0, 0.5]}},
        {"data__preprocess": ["standardize", "whiten"]},
        {"data__preprocess": []},
        {"data__preprocess": ["robust"]},
        {"search_space__preprocess": {"type": "categorical", "choices": [[], ["center", "pca"]]}},
        {
            "search_space__preprocess": {
                "type": "categorical",
                "choices": [["quantile", "pca"], ["robust", "whiten"], ["scale", "quantile"]],
            }
        },
        TWO | {"network__loss": "logistic", "network__batch_normalization": True},
        TWO | {"network__loss": "max_margin"},
        {"network__loss": "hinge"},
        LINE,
        LINE | {"study__metric": "val_r2", "network__batch_normalization": True},
        LINE | {"study__metric": "ema_val_mse"},
    ],
    ids=str,
)
def test_it_scores_what_the_run_recorded(tmp_path: Path, changes: dict[str, Any]) -> None:
    stages = [{"name": "only", "num_trials": 3, "epochs": 2}]
    config = tiny_config(**({"stages": stages} | changes))
    run, _ = run_here(config, tmp_path / "run")
    split = datasets.load(config.data, seed=config.study.seed)
    task, y = split.dataset.task, split.y_validation
    results = Results.load(run.path)
    epochs = results.epochs.set_index(["trial", "epoch"])
    assert len(results.checkpoints) == 3
    by_default = "ema_val_" if config.study.metric.startswith("ema_") else "val_"
    weights = {None: by_default, True: "ema_val_", False: "val_"}
    if "swa_fraction" in str(changes):
        del weights[False]  # Where the average has begun, the last weights have no scores.
    for row in results.checkpoints.itertuples():
        recorded = epochs.loc[row.trial, row.epoch]
        for averaged, prefix in weights.items():
            loaded = model.load(run.checkpoints / row.name, averaged=averaged)
            found = measure(task, loaded.predict_proba(split.x_validation[0]), y)
            if config.network.loss in ("softmax", "logistic"):  # Else the loss is another one.
                assert found["log_loss"] == pytest.approx(recorded[prefix + "loss"], rel=1e-5)
            for name in told(task, config.study.metric):
                assert found[name] == pytest.approx(recorded[prefix + name], rel=1e-5), name


@pytest.mark.parametrize(
    ("metric", "averaged"), [("val_accuracy", False), ("ema_val_accuracy", True)]
)
def test_the_metric_chooses_the_parameters(tmp_path: Path, metric: str, averaged: bool) -> None:
    stages = [{"name": "only", "num_trials": 3, "epochs": 2}]
    config = tiny_config(study__metric=metric, stages=stages)
    run, _ = run_here(config, tmp_path / "run")
    path = run.checkpoints / str(Results.load(run.path).checkpoints["name"][0])
    x = np.zeros((1, 4))
    by_metric = model.load(path).predict_proba(x)
    assert (by_metric == model.load(path, averaged=averaged).predict_proba(x)).all()
    assert (by_metric != model.load(path, averaged=not averaged).predict_proba(x)).any()
    before = checkpoint_files.load(path)
    said = {key: value for key, value in before.metadata.items() if key != "averaged"}
    (tmp_path / "old").mkdir()
    old = checkpoint_files.save(tmp_path / "old", checkpoint_files.Snapshot(before.arrays, said))
    assert (by_metric == model.load(tmp_path / "old" / old.name).predict_proba(x)).all()


@pytest.mark.parametrize("chain", [["standardize"], ["robust"], ["quantile"], ["quantile", "pca"]])
def test_an_infinite_feature_is_refused_in_one_line(tmp_path: Path, chain: list[str]) -> None:
    run, _ = run_here(tiny_config(data__preprocess=chain), tmp_path / "run")
    loaded = model.load(next(run.checkpoints.iterdir()))
    x = np.array([[5.0, 3.0, 4.0, 1.0], [5.0, np.inf, 4.0, 1.0]])
    with pytest.raises(InputError, match=r"must be finite.* row 1 [^\n]*\Z"):
        loaded.predict_proba(x)


def test_without_an_average_there_is_none_to_predict_with(tmp_path: Path) -> None:
    config = tiny_config(checkpoint__ema_decay=0)
    run, _ = run_here(config, tmp_path / "run")
    loaded = model.load(next(run.checkpoints.iterdir()), averaged=True)
    with pytest.raises(InputError, match=r"--weights raw"):
        loaded.predict_proba(np.zeros((1, 4)))


def changed(run: RunFolder, folder: Path, arrays: Any, metadata: Any) -> Path:
    """A checkpoint of ``run`` with other content, as somebody else may have made it."""
    snapshot = checkpoint_files.load(next(run.checkpoints.iterdir()))
    folder.mkdir(exist_ok=True)
    other = checkpoint_files.Snapshot(
        {**snapshot.arrays, **arrays}, {**snapshot.metadata, **metadata}
    )
    return folder / checkpoint_files.save(folder, other).name


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [
        ({}, {"spec": {"hidden": 3}}),
        ({}, {"spec": {"hiden": [3]}}),
        ({}, {"spec": {"activation": "rellu"}}),
        ({}, {"spec": {"loss": "squared_error"}}),
        ({}, {"spec": {"loss": "logistic"}}),
        ({}, {"spec": {"dropout": [0.1, 0.1]}}),
        ({}, {"spec": {"batch_normalization": True, "hidden": [8]}}),
        ({}, {"averaged": 1}),
        ({}, {"outputs": 4}),
        ({}, {"outputs": 0}),
        ({}, {"features": 4}),
        ({}, {"features": -3}),
        ({}, {"task": "ranking"}),
        ({"parameters": np.zeros(7, np.float32)}, {}),
        ({"parameters": np.zeros((59, 1), np.float32)}, {}),
        ({"parameters": np.zeros(59, np.int64)}, {}),
        ({"parameters": np.full(59, np.nan, np.float32)}, {}),
        ({"statistics": np.zeros(8, np.float32)}, {}),
        ({}, {"classes": ["a", "b"]}),
        ({"preprocessing.0.standardize.shift": np.zeros(2)}, {}),
        ({"preprocessing.1.standardize.shift": np.zeros(3)}, {}),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_no_network_is_refused(
    colours_run: RunFolder, tmp_path: Path, arrays: Any, metadata: Any
) -> None:
    assert model.load(changed(colours_run, tmp_path / "good", {}, {})).predict_proba(
        np.zeros((2, 3))
    ).shape == (2, 3)
    path = changed(colours_run, tmp_path / "bad", arrays, metadata)
    with pytest.raises(CheckpointError):
        model.load(path).predict_proba(np.zeros((2, 3)))


# --- measures, against scikit-learn's


def test_rows_have_the_columns_of_the_source_whatever_becomes_of_them(tmp_path: Path) -> None:
    data = {"source": "digits", "preprocess": ["standardize", "pca"]}  # Pixels that never vary go.
    stages = [{"name": "only", "num_trials": 1, "epochs": 1}]
    run, _ = run_here(tiny_config(data=data, stages=stages, ensemble__size=1), tmp_path / "run")
    x = load_digits().data[:2]
    assert ensemble.load(run.path).predict_proba(x).shape == (2, 10)
    with pytest.raises(InputError, match=r"an array \(rows, 64\) or a frame; got \(2, 61\)"):
        ensemble.load(run.path).predict_proba(x[:, :61])


@pytest.mark.parametrize(
    "x", [np.zeros((2, 1)), np.zeros((2, 4)), np.zeros(3), [["a", "b", "c"]], np.zeros((1, 3, 1))]
)
def test_rows_of_another_shape_are_refused(colours_run: RunFolder, x: Any) -> None:
    chosen = ensemble.load(colours_run.path)
    assert chosen.predict_proba([[0.0, 1.0, 2.0]]).shape == (1, 3)
    with pytest.raises(
        InputError, match=r"an array \(rows, 3\) or a frame; got \(|be numbers; got"
    ):
        chosen.predict_proba(x)


def test_measures_of_a_classification() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(4), 50)
    y = rng.integers(0, 4, 50)
    found = measure("classification", shares, y)
    assert found["accuracy"] == accuracy_score(y, shares.argmax(axis=1))
    assert found["log_loss"] == pytest.approx(log_loss(y, shares, labels=range(4)))


def test_a_wrong_certainty_costs_much_but_not_infinitely() -> None:
    shares, y = np.array([[1.0, 0.0]]), np.array([1])
    found = measure("classification", shares, y)["log_loss"]
    assert found == pytest.approx(log_loss(y, shares, labels=[0, 1]))
    assert 30 < found < 1e3


@pytest.mark.parametrize("outputs", [1, 3])
def test_measures_of_a_regression(outputs: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((50, outputs)).astype(np.float32)
    guess = y + 0.5 * rng.standard_normal((50, outputs))
    found = measure("regression", guess, y)
    assert found["mse"] == pytest.approx(mean_squared_error(y, guess))
    assert found["r2"] == pytest.approx(r2_score(y, guess))


@pytest.mark.parametrize("guess", [2.0, 4.0])
@pytest.mark.parametrize("outputs", [1, 2])
def test_r2_of_a_target_that_never_varies(guess: float, outputs: int) -> None:
    y = np.array([[2.0, 0.0], [2.0, 1.0], [2.0, 2.5]])[:, :outputs]
    given = np.array([[guess, 0.5]] * 3)[:, :outputs]
    found = measure("regression", given, y)["r2"]
    assert found == pytest.approx(r2_score(y, given))
