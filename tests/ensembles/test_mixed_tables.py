"""Text, missing values and dates from the file to predictions, in one way everywhere."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpsearch.data import datasets
from hpsearch.ensembles import ensemble, model
from hpsearch.ensembles.metrics import measure
from hpsearch.results.tables import Results
from hpsearch.storage.folder import RunFolder
from tests.support import predict_all, run_here, tiny_config, write_mixed
from workers.errors import CheckpointError, InputError

STAGES = [{"name": "only", "num_trials": 3, "epochs": 3}]


def a_run(folder: Path, **changes: Any) -> tuple[Any, RunFolder]:
    source = write_mixed(folder / "animals.csv")
    data = {"source": str(source), "target": "animal"} | changes.pop("data", {})
    config = tiny_config(data=data, stages=STAGES, ensemble__size=2, **changes)
    return config, run_here(config, folder / "run")[0]


CHAINS = {"type": "categorical", "choices": [["standardize"], ["center", "pca"]]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"folds": 3}},
        {"data": {"repeats": 2, "categories": {"min_frequency": 1}}},
        {"data": {"preprocess": []}},
        {"data": {"preprocess": ["robust", "pca"]}, "network__batch_normalization": True},
        {"search_space__preprocess": CHAINS},
        {"data": {"columns": {"seen": "category", "weight": "drop"}}},
        {"data": {"features": ["home"]}},
        {"data": {"categories": {"one_hot_max_size": 0}}, "network__embedding_size": 2},
        {"data": {"folds": 3, "categories": {"min_frequency": 40, "one_hot_max_size": 1}}},
    ],
    ids=str,
)
def test_a_model_scores_what_the_run_recorded(tmp_path: Path, changes: dict[str, Any]) -> None:
    config, run = a_run(tmp_path, **changes)
    split = datasets.load(config.data, seed=config.study.seed, chains=config.chains)
    results = Results.load(run.path)
    epochs = results.epochs.set_index(["trial", "epoch"])
    for row in results.checkpoints.itertuples():
        loaded = model.load(run.checkpoints / str(row.name))
        found = measure(
            "classification", loaded.predict_held_out(split.x_validation), split.y_validation
        )
        if config.data.splits == 1:
            recorded = epochs.loc[(row.trial, row.epoch)]
            assert found["accuracy"] == pytest.approx(recorded["val_accuracy"])
            assert found["log_loss"] == pytest.approx(recorded["val_loss"], rel=1e-5)
        if config.data.preprocess:  # Seconds as they are can't be learned from.
            assert found["accuracy"] > 0.4  # Three classes.


def test_a_table_of_text_is_learned_and_predicted(tmp_path: Path) -> None:
    _, run = a_run(tmp_path)
    new = write_mixed(tmp_path / "new.csv", seed=1)
    frame = predict_all(run.path, new)
    wanted = pd.read_csv(new)["animal"]
    assert (frame["prediction"] == wanted).mean() > 0.8
    in_parquet = tmp_path / "new.parquet"
    pd.read_csv(new, parse_dates=["seen"]).to_parquet(in_parquet)
    pd.testing.assert_frame_equal(predict_all(run.path, in_parquet), frame)
    other = pd.read_csv(new)[["seen", "home", "weight"]]
    other.to_csv(tmp_path / "fewer.csv", index=False)
    pd.testing.assert_frame_equal(predict_all(run.path, tmp_path / "fewer.csv"), frame)


def test_the_same_rows_in_another_order_predict_the_same(tmp_path: Path) -> None:
    """The encoder's columns go by name, its values by text."""
    _, run = a_run(tmp_path)
    frame = pd.read_csv(write_mixed(tmp_path / "new.csv", seed=1))
    order = np.random.default_rng(0).permutation(len(frame))
    frame.iloc[order].to_csv(tmp_path / "shuffled.csv", index=False)
    plain, shuffled = (
        predict_all(run.path, tmp_path / "new.csv"),
        predict_all(run.path, tmp_path / "shuffled.csv"),
    )
    pd.testing.assert_frame_equal(plain.iloc[order].reset_index(drop=True), shuffled)


def test_validation_and_test_files_know_the_values_of_the_source(tmp_path: Path) -> None:
    second, third = (write_mixed(tmp_path / f"{n}.csv", 40, seed=n) for n in (1, 2))
    text = second.read_text().replace("pond", "swamp")  # No training row has that.
    second.write_text(text)
    data = {"validation": {"source": str(second)}, "test": {"source": str(third)}}
    config, run = a_run(tmp_path, data=data)
    split = datasets.load(config.data, seed=config.study.seed)
    home = split.dataset.feature_names.index("home")
    assert (split.x_validation[0][:, home] == -1).sum() == text.count("swamp")
    assert split.x_test is not None
    assert not (split.x_test[:, home] == -1).any()
    assert json.loads(run.summary.read_text())["ensemble"]["test_accuracy"] > 0.6


def test_resuming_takes_the_same_columns(tmp_path: Path) -> None:
    config, run = a_run(tmp_path)
    split = datasets.load(config.data, seed=config.study.seed)
    assert split.digest == datasets.load(config.data, seed=config.study.seed).digest
    (tmp_path / "animals.csv").write_text(
        (tmp_path / "animals.csv").read_text().replace("cave", "den")
    )
    assert split.digest != datasets.load(config.data, seed=config.study.seed).digest
    run.summary.unlink()
    with pytest.raises(InputError, match="data"):
        run_here(config, run.path, resume=True)


def test_a_frame_predicts_as_its_file(tmp_path: Path) -> None:
    _, run = a_run(tmp_path)
    new = write_mixed(tmp_path / "new.csv", seed=1)
    frame = predict_all(run.path, new)
    names = [f"probability_{name}" for name in ensemble.load(run.path).classes]
    wanted = frame[names].to_numpy()
    rows = pd.read_csv(new, parse_dates=["seen"])[["home", "seen", "id", "weight"]]
    chosen = ensemble.load(run.path)
    for given in (rows, rows.astype({"home": "category"}), rows.astype(object)):
        np.testing.assert_allclose(chosen.predict_proba(given), wanted, rtol=1e-6)
    by_position = rows[["weight", "home", "seen"]].astype(object).to_numpy()
    np.testing.assert_allclose(chosen.predict_proba(by_position), wanted, rtol=1e-6)
    with pytest.raises(InputError, match="a frame without 'home'"):
        chosen.predict_proba(rows.drop(columns="home"))
    with pytest.raises(InputError, match="must be numbers; got 'heavy' in row 0"):
        chosen.predict_proba(rows.assign(weight="heavy"))


def test_values_that_the_model_does_not_know_are_counted(tmp_path: Path) -> None:
    _, run = a_run(tmp_path)
    new = write_mixed(tmp_path / "new.csv", seed=1)
    told: list[str] = []
    predict_all(run.path, new, note=told.append)
    assert told == []
    text = new.read_text()
    new.write_text(text.replace("pond", "swamp"))
    predict_all(run.path, new, note=told.append)
    assert told == [f"{text.count('pond')} values of 'home' unknown, taken as rare ones"]


def test_a_column_of_another_kind_is_refused(tmp_path: Path) -> None:
    _, run = a_run(tmp_path)
    frame = pd.read_csv(write_mixed(tmp_path / "new.csv"))
    frame.assign(weight="heavy").to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(InputError, match=r"must be numbers; got 'heavy' in row 0 .*'weight'"):
        predict_all(run.path, tmp_path / "bad.csv")


def test_a_run_says_what_it_makes_of_its_columns(tmp_path: Path) -> None:
    config, _ = a_run(tmp_path)
    line, left_out = datasets.load(config.data, seed=0).notes
    assert line.startswith("3 columns: 1 number, 1 category (3 values), 1 date; ")
    assert line.endswith(" missing values filled")
    assert left_out == "column left out: id: as many values as rows, an identifier"


@pytest.mark.parametrize("columns", [[], [{"name": "x", "kind": "number"}], "x", [{}]])
def test_damaged_columns_are_told(tmp_path: Path, columns: Any) -> None:
    _, run = a_run(tmp_path)
    (path, *_) = run.checkpoints.iterdir()
    loaded = model.load(path)
    snapshot = loaded.snapshot
    metadata = {**snapshot.metadata, "columns": columns}
    broken = model.Model(type(snapshot)(snapshot.arrays, metadata), averaged=False)
    with pytest.raises(CheckpointError, match="columns"):
        broken.check()


def test_members_of_one_ensemble_agree(tmp_path: Path) -> None:
    _, run = a_run(tmp_path)
    chosen = ensemble.load(run.path)
    assert {member.columns for member in chosen.members} == {chosen.members[0].columns}
