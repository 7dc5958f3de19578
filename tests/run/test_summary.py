"""What a run comes to: its summary, its ensembles, and the one look at the test set."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.data import datasets
from hpsearch.ensembles import ensemble, metrics, model
from hpsearch.ensembles.run_ensembles import make_ensemble
from hpsearch.results.tables import Results
from hpsearch.run import summary
from hpsearch.search import trials
from hpsearch.search.search import Search
from hpsearch.storage.folder import RunFolder
from tests.support import run_here, tiny_config
from workers.errors import InputError, RunError
from workers.nn.metrics.metrics import METRICS


def summary_of(run: RunFolder) -> dict[str, Any]:
    return json.loads(run.summary.read_text())


@pytest.fixture(params=["colours_run", "line_run"])
def run(request: pytest.FixtureRequest) -> RunFolder:
    return request.getfixturevalue(request.param)


def test_the_best_is_the_best_completed_trial(run: RunFolder) -> None:
    results, best = Results.load(run.path), summary_of(run)["best"]
    frame = results.trials[results.trials["state"] == "complete"].set_index("trial")
    column = frame[results.metric]
    first = column.idxmin() if results.direction == "minimize" else column.idxmax()
    assert best["trial"] == first
    assert best["epoch"] == frame.loc[first, "best_epoch"]
    assert best[results.metric] == pytest.approx(column[first])
    for name, value in best["params"].items():
        assert value == frame.loc[first, name]
    assert (run.path / best["checkpoint"]).is_file()


def test_scores_are_those_of_the_saved_models_on_the_split(run: RunFolder) -> None:
    config, summary = run.load_config(), summary_of(run)
    split = datasets.load(config.data, seed=config.study.seed)
    assert split.x_test is not None
    assert split.y_test is not None
    models = {
        "best": model.load(run.path / summary["best"]["checkpoint"]),
        "ensemble": ensemble.load(run.path / summary["ensemble"]["path"]),
    }
    parts = {
        "val": (split.x_validation[0], split.y_validation),
        "test": (split.x_test, split.y_test),
    }
    for name, predictor in models.items():
        for part, (x, y) in parts.items():
            found = metrics.measure(config.data.task, predictor.predict_proba(x), y)
            for metric, value in found.items():
                assert summary[name][f"{part}_{metric}"] == pytest.approx(value)


def test_the_summary_says_what_was_searched(run: RunFolder) -> None:
    summary = summary_of(run)
    assert (summary["name"], summary["seed"]) == ("tiny", 3)
    assert (summary["trials"], summary["failed"]) == (10, 0)
    borders = [(border["stage"], border["name"]) for border in summary["borders"]]
    names = ["learning_rate", "dropout"]
    assert borders == [(stage, name) for stage in ("coarse", "fine") for name in names]
    assert all(border["text"] for border in summary["borders"])
    assert summary["ensemble"]["size"] == 3


# --- ensembles afterwards


class Stopped(Exception):
    """What ends a run in a test."""


def stop_when_complete(count: int) -> Any:
    """Watch a run that ends without a word once so many trials are complete."""

    def watch(search: Search) -> None:
        if sum(record.state == "complete" for record in search.trials.values()) >= count:
            raise Stopped

    return lambda workers, backend: watch


def copied(run: RunFolder, folder: Path) -> RunFolder:
    shutil.copytree(run.path, folder)
    return RunFolder(folder)


def make(run: RunFolder, **values: Any) -> Any:
    options = {"method": "top", "size": 2, "averaged": None, "test": False}
    return make_ensemble(run.path, **(options | values))


def test_an_ensemble_is_made_of_what_the_run_left(run: RunFolder, tmp_path: Path) -> None:
    copy = copied(run, tmp_path / "copy")
    made = make(copy, size=3, test=True)
    before = summary_of(run)["ensemble"]
    assert {k: v for k, v in made.items() if k.startswith(("val_", "test_"))} == {
        k: pytest.approx(v) for k, v in before.items() if k.startswith(("val_", "test_"))
    }
    assert made["path"] == str(copy.ensembles / "top-3")


def test_each_kind_has_a_folder_of_its_own(colours_run: RunFolder, tmp_path: Path) -> None:
    copy = copied(colours_run, tmp_path / "copy")
    for values in ({}, {"method": "greedy"}, {"averaged": True}, {"averaged": False}):
        make(copy, **values)
    assert {path.name for path in copy.ensembles.iterdir()} == {
        *("top-3", "top-2", "greedy-2", "top-2-averaged", "top-2-raw"),
    }


def test_the_test_set_is_looked_at_when_asked_for(colours_run: RunFolder, tmp_path: Path) -> None:
    copy = copied(colours_run, tmp_path / "copy")
    assert not [key for key in make(copy) if key.startswith("test_")]
    assert [key for key in make(copy, test=True) if key.startswith("test_")]


def test_more_members_than_there_are_files_are_as_many_as_there_are(
    colours_run: RunFolder, tmp_path: Path
) -> None:
    assert make(copied(colours_run, tmp_path / "copy"), size=50)["size"] == 4


def test_members_are_completed_trials_each_once(colours_run: RunFolder, tmp_path: Path) -> None:
    copy = copied(colours_run, tmp_path / "copy")
    kept = list(Results.load(copy.path).checkpoints["trial"])
    with sqlite3.connect(copy.database) as connection:
        connection.execute("UPDATE trials SET state = 'running' WHERE number = ?", [kept[0]])
    connection.close()
    made = make(copy, size=10)
    members = ensemble.load(Path(made["path"])).members
    assert [member.metadata["trial"] for member in members] == kept[1:]


def test_a_trial_that_may_go_on_is_a_member_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials that wait for their promotion have two files: their best and their last."""
    monkeypatch.setattr(trials, "PACK_SIZES", ((10**9, 1),))
    stages = [
        {"name": "one", "num_trials": 6, "epochs": 3},
        {"name": "two", "num_trials": 0, "epochs": 4, "promote": 6},
    ]
    run_, config = RunFolder(tmp_path / "run"), tiny_config(stages=stages)
    with pytest.raises(Stopped):
        run_here(config, run_.path, begin=stop_when_complete(5))
    kept = list(Results.load(run_.path).checkpoints["trial"])
    assert len(kept) > len(set(kept)), "or this proves nothing"
    made = make(run_, size=20)
    members = [m.metadata["trial"] for m in ensemble.load(Path(made["path"])).members]
    assert len(members) == len(set(members)) == 5


def test_a_run_without_a_completed_trial_has_no_ensemble(
    colours_run: RunFolder, tmp_path: Path
) -> None:
    copy = copied(colours_run, tmp_path / "copy")
    with sqlite3.connect(copy.database) as connection:
        connection.execute("UPDATE trials SET state = 'running'")
    connection.close()
    with pytest.raises(InputError, match="completed trial"):
        make(copy)


def test_other_data_make_no_ensemble(data_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "colours.csv"
    shutil.copy(data_folder / "colours.csv", data)
    config = tiny_config(data__source=str(data), data__target="colour")
    run_, _ = run_here(config, tmp_path / "run")
    data.write_text(data.read_text().replace("red", "purple"))
    for asked in ({"method": "greedy"}, {"test": True}, {"data": data}):
        with pytest.raises(InputError, match="data that it began with"):
            make(run_, **asked)
    assert "data that it began with" in make(run_)["unscored"]


# --- summaries read again


def test_a_summary_is_read_as_it_was_written(run: RunFolder) -> None:
    again = summary.reload(run)
    assert again.summary == summary_of(run)
    assert [v.to_json() for v in again.verdicts] == [
        {k: tuple(x) if isinstance(x, list) else x for k, x in border.items()}
        for border in again.summary["borders"]
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"borders": 5}', '{"borders": [{}]}'])
def test_a_damaged_summary_is_told(colours_run: RunFolder, tmp_path: Path, text: str) -> None:
    copy = copied(colours_run, tmp_path / "copy")
    copy.summary.write_text(text)
    with pytest.raises(RunError, match="remove it and resume"):
        summary.reload(copy)


def test_a_summary_holds_no_numbers_that_json_has_not(run: RunFolder) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(run.summary.read_text(), parse_constant=refuse)


def test_an_ensembles_loss_is_at_most_the_mean_of_its_members(colours_run: RunFolder) -> None:
    """The average's log loss is at most the members' mean: the logarithm is concave."""
    config = colours_run.load_config()
    split = datasets.load(config.data, seed=config.study.seed)
    whole = ensemble.load(colours_run.path)
    y = split.dataset.y_validation
    losses = [
        metrics.measure("classification", member.predict_proba(split.x_validation[0]), y)[
            "log_loss"
        ]
        for member in whole.members
    ]
    together = metrics.measure("classification", whole.predict_proba(split.x_validation[0]), y)
    assert together["log_loss"] <= np.mean(losses) + 1e-6


@pytest.mark.parametrize(
    "changes",
    [
        {"network__loss": "hinge"},
        {},
        {
            "network__loss": "squared_error",
            "data__task": "regression",
            "data__source": "diabetes",
        },
    ],
)
def test_a_name_has_one_meaning(tmp_path: Path, changes: dict[str, Any]) -> None:
    """What the summary and the tables both tell of a model is the same number."""
    config = tiny_config(study__metric="val_loss", ensemble__method="greedy", **changes)
    run, found = run_here(config, tmp_path / "run")
    summary = found.summary
    told = {name for name, metric in METRICS.items() if metric.task == config.data.task}
    for key in ("best", "ensemble"):
        scores = {name for name in summary[key] if name.startswith(("val_", "test_"))}
        assert scores == {f"{part}_{name}" for part in ("val", "test") for name in told}
    best = summary["best"]
    epochs = Results.load(run.path).epochs.set_index(["trial", "epoch"])
    recorded = epochs.loc[best["trial"], best["epoch"]]
    for name in told & {"accuracy", "mse", "r2"}:
        assert best[f"val_{name}"] == pytest.approx(recorded[f"val_{name}"], rel=1e-5)


def test_a_summary_of_before_is_shown_with_the_names_of_now(colours_run: RunFolder) -> None:
    now = json.loads(colours_run.summary.read_text())
    before = json.dumps(now).replace("_log_loss", "_loss")
    try:
        colours_run.summary.write_text(before)
        assert summary.reload(colours_run).summary == now
    finally:
        colours_run.summary.write_text(json.dumps(now, indent=2) + "\n")
