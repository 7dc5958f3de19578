"""The command line: exit codes, one line for each mistake, data on stdout and nothing else."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

import hpsearch
from hpsearch.cli.main import main
from hpsearch.run import session
from hpsearch.run.signals import Interrupted
from hpsearch.storage.folder import RunFolder
from tests.support import blobs, tiny, write_colours
from workers.errors import RunError
from workers.nn.metrics.metrics import METRICS


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test in a folder of its own; the command line sets the umask for good."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = os.umask(0o022)
    yield
    os.umask(before)


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(document: Any, name: str = "tiny.yaml") -> str:
    Path(name).write_text(yaml.safe_dump(document, sort_keys=False))
    return name


def search(*arguments: str | Path) -> Result:
    return call("run", *arguments, "--in-process")


def refusal(result: Result, *, code: int = 2) -> str:
    """Return the one line on stderr that says what is wrong."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    (line,) = result.stderr.splitlines()
    assert line.startswith("hpsearch: ")
    return line


def everything() -> set[tuple[str, bytes | None]]:
    """Every path below the working folder, with its content."""
    return {
        (str(path), path.read_bytes() if path.is_file() else None)
        for path in sorted(Path().rglob("*"))
    }


def refused(config: str, *arguments: str, words: list[str]) -> None:
    """Assert that a search is refused in one line with these words and changes nothing."""
    before = everything()
    line = refusal(search(config, *arguments))
    assert all(word in line for word in words), line
    assert everything() == before


# --- a run, end to end


def test_from_a_csv_with_text_labels_to_predictions() -> None:
    write_colours(Path("colours.csv"))
    config = write(tiny(data={"source": "colours.csv", "target": "colour"}))
    result = search(config, "--name", "mine", "--set", "study.seed=5")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.splitlines()[0] == "mine: 10 trials in 2 stages, 1 worker in this process"
    assert "everything is in results/mine" in result.stdout
    summary = json.loads(Path("results/mine/summary.json").read_text())
    assert summary["seed"] == 5
    for part in ("best", "ensemble"):
        assert summary[part]["test_accuracy"] > 0.8
        assert 0 <= summary[part]["val_accuracy"] <= 1
    assert summary["seconds"] > 0
    assert {border["name"] for border in summary["borders"]} == {"learning_rate", "dropout"}

    x, colours = blobs(20, seed=4)
    pd.DataFrame(x[:, ::-1], columns=["z", "y", "x"]).to_csv("new.csv", index=False)
    result = call("predict", "results/mine", "new.csv", "--output", "out.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "20 predictions in out.csv\n"
    assert (pd.read_csv("out.csv")["prediction"] == colours).mean() > 0.8
    result = call("predict", "results/mine", "new.csv", "--output", "-")
    assert (result.exit_code, result.stdout) == (0, Path("out.csv").read_text())
    assert "must end in" in refusal(call("predict", "a", "new.csv", "--output", "out.txt"))


def test_a_built_in_regression() -> None:
    changes = {
        "study__metric": "val_r2",
        "data": {"source": "diabetes", "task": "regression"},
        "network__loss": "squared_error",
        "search_space__learning_rate": {"type": "float", "low": 1e-5, "high": 1e-3, "log": True},
        "stages__1__epochs": 20,
    }
    result = search(write(tiny(**changes)))
    assert result.exit_code == 0, result.output
    summary = json.loads(Path("results/tiny/summary.json").read_text())
    assert summary["ensemble"]["test_r2"] > 0.2
    assert set(summary["best"]) >= {"val_mse", "val_r2", "test_mse", "test_r2"}
    assert "val_r2" in result.stdout


def test_an_empty_search_space_draws_other_initial_weights_only() -> None:
    result = search(write(tiny(search_space={})))
    assert result.exit_code == 0, result.output
    trials = hpsearch.load("results/tiny").trials
    assert len(trials) == 10
    assert trials["train_loss"].nunique() > 1


def test_a_run_without_a_test_set() -> None:
    document = tiny()
    document["data"]["test"] = None
    result = search(write(document))
    assert result.exit_code == 0, result.output
    assert "test_" not in result.stdout
    summary = json.loads(Path("results/tiny/summary.json").read_text())
    assert not [key for key in summary["ensemble"] if key.startswith("test_")]


def test_resumed_or_repeated_it_shows_the_same_end() -> None:
    config = write(tiny())
    first = search(config)
    assert first.exit_code == 0
    for again in (search(config, "--resume"), call("resume", "results/tiny", "--in-process")):
        assert again.exit_code == 0, again.output
        assert again.stdout == first.stdout[first.stdout.index("\nLeaderboard") :]


def test_a_range_that_looks_odd_is_warned_of_on_stderr() -> None:
    space = {"learning_rate": {"type": "float", "low": 1e-5, "high": 1.0}}
    result = search(write(tiny(search_space=space)))
    assert result.exit_code == 0, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: search_space.learning_rate: ")
    assert "did you mean log: true?" in line


def test_targets_too_large_for_the_learning_rates_are_warned_of() -> None:
    rows = [f"{n % 7},{n % 5},{100_000 * (n % 7) - 20_000 * (n % 5)}" for n in range(60)]
    Path("houses.csv").write_text("\n".join(["rooms,age,price", *rows]))
    data = {"source": "houses.csv", "target": "price", "task": "regression"}
    data["scale_targets"] = False
    regression = {"study__metric": "val_r2", "network__loss": "squared_error"}
    config = write(tiny(data=data, **regression))
    for result in (search(config), call("check", config)):
        line = result.stderr.splitlines()[0]
        assert line.startswith("warning: data.target: "), result.output
        assert "learning rates up to 1 may diverge; set data.scale_targets: true" in line


def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise Interrupted(15)

    config = write(tiny())
    with monkeypatch.context() as patch:
        patch.setattr(session, "run", interrupt)
        result = search(config)
        assert (result.exit_code, result.stdout) == (143, "")
        assert result.stderr == "interrupted before anything was written\n"
        Path("results/tiny").mkdir(parents=True)
        result = search(config)
        assert result.exit_code == 143
        assert result.stderr == "interrupted; go on with: hpsearch resume results/tiny\n"


def test_a_failure_of_the_run_has_exit_code_1() -> None:
    space = {"learning_rate": {"type": "float", "low": 1e7, "high": 1e9, "log": True}}
    result = search(write(tiny(search_space=space, network__activation="identity")))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("hpsearch: 10 of 10 trials")
    assert "learning_rate" in line


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RunError("no cluster"), 1, "hpsearch: no cluster"),
        (MemoryError(), 1, "hpsearch: not enough memory"),
        (KeyboardInterrupt(), 130, "hpsearch: interrupted"),
        (OSError(28, "No space left on device", "x.db"), 1, "No space left on device: 'x.db'"),
    ],
)
def test_every_failure_has_one_line(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(session, "run", fail)
    assert line in refusal(search(write(tiny())), code=code)


LETTERS = Path(__file__).parents[2] / "configs" / "letters.yaml"


def write_letters(path: Path, rows: int) -> list[str]:
    """Write a file of the UCI letters' form: a letter, then 16 whole numbers from 0 to 15."""
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 16, (26, 16))
    letters = rng.permutation(rows) % 26
    x = np.clip(centres[letters] + rng.integers(-3, 4, (rows, 16)), 0, 15)
    lines = [",".join([chr(65 + k), *map(str, row)]) for k, row in zip(letters, x, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return lines


def test_the_config_for_letters_with_a_small_file_of_their_form() -> None:
    rows = write_letters(Path("letters.data"), 1300)
    short = {
        "data.source": "letters.data",
        "data.test.rows": "[1040, 1300]",
        "stages.coarse.num_trials": 3,
        "stages.coarse.epochs": 1,
        "stages.medium.num_trials": 2,
        "stages.medium.epochs": 3,
        "stages.fine.num_trials": 2,
        "stages.fine.epochs": 6,
    }
    changes = [word for key, value in short.items() for word in ("--set", f"{key}={value}")]
    result = search(LETTERS, *changes)
    assert result.exit_code == 0, result.output
    table = hpsearch.load("results/letters").trials
    # Of the first three trials two go on, and two of the four that are then there.
    assert table["stage"].value_counts().to_dict() == {"coarse": 1, "medium": 2, "fine": 4}
    # The last fifth has not been trained on: its letters are told, most of them rightly.
    Path("new.data").write_text("".join(f"{row}\n" for row in rows[1040:]))
    predict = ["predict", "results/letters", "new.data", "--output", "out.csv"]
    refused = call(*predict, "--header")
    assert refused.exit_code == 2
    assert "or give --no-header if the first line is no header" in refused.stderr
    result = call(*predict)  # The model knows that there is none.
    assert result.exit_code == 0, result.output
    predicted = pd.read_csv("out.csv")["prediction"]
    right = float((predicted == [row[0] for row in rows[1040:]]).mean())
    assert right > 0.8
    ensemble = json.loads(Path("results/letters/summary.json").read_text())["ensemble"]
    assert ensemble["test_accuracy"] == right


# --- bad input: exit code 2, one line, nothing left on disk


def table(rows: str) -> str:
    Path("data.csv").write_text("a,b,kind\n" + rows)
    return "data.csv"


GOOD = "".join(f"{n % 5},{n % 3},{'xy'[n % 2]}\n" for n in range(30))

BAD_DATA: list[tuple[str, str, list[str]]] = [
    ("missing", "", ["data source", "nowhere.csv"]),
    ("no rows", "", ["must have rows"]),
    ("one class", GOOD.replace("y", "x"), ["two", "'x'"]),
    ("a class once", GOOD + "1,1,z\n", ["at least 2 rows", "'z'"]),
    ("infinity", GOOD + "inf,1,x\n", ["finite", "inf", "row 30"]),
    ("text", GOOD + "red,1,x\n", ["numbers", "'red'", "row 30"]),
    ("no label", GOOD + "1,1,\n", ["class label", "row 30"]),
    ("ragged", GOOD + "1,x\n", ["3 columns", "row 30"]),
    ("too few rows", GOOD[:18], ["rows"]),
    ("constant", re.sub(r"(?m)^\d,\d", "1,1", GOOD), ["vary"]),
]


@pytest.mark.parametrize(("what", "rows", "words"), BAD_DATA, ids=[what for what, _, _ in BAD_DATA])
def test_bad_data(what: str, rows: str, words: list[str]) -> None:
    source = "nowhere.csv" if what == "missing" else table(rows)
    config = write(tiny(data={"source": source, "target": "kind"}))
    refused(config, words=words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "colour"}, ["target", "'colour'", "'kind'"]),
        ({"target": 7}, ["target", "'7'"]),
        ({"target": None}, ["target", "none"]),
        ({"delimiter": ";"}, ["target", "kind"]),
        ({"task": "regression"}, ["val_accuracy and regression"]),
        ({"format": "npz"}, ["NPZ"]),
        ({"labels": "l.gz"}, ["labels"]),
        ({"source": "."}, ["file"]),
        ({"source": "x" * 300 + ".csv"}, ["readable"]),
        ({"source": "data.bin"}, ["readable"]),
        ({"test": {"rows": [20, 50]}}, ["30 rows", "[20, 50]"]),
        ({"test": {"rows": [0, 30]}}, ["rows to train"]),
        ({"test": {"source": "data.csv"}}, ["another file"]),
        ({"validation": 0.99}, ["rows to train", "0.99"]),
        ({"validation": 0.95}, ["row for each class"]),
    ],
)
def test_a_data_section_that_does_not_fit_the_file(
    changes: dict[str, Any], words: list[str]
) -> None:
    data = {"source": table(GOOD), "target": "kind", **changes}
    config = write(tiny(data={k: v for k, v in data.items() if v is not None}))
    refused(config, words=words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "study.sed=1"], ["study.sed", "'seed'"]),
        (["--set", "network.hidden=wide"], ["network.hidden", "list", "'wide'"]),
        (["--set", "stages.medium.epochs=1"], ["stages.medium.epochs", "coarse, fine"]),
        (["--set", "search_space.dropout.high=0.0"], ["low must be below high"]),
        (["--set", "search_space.learning_rate.low=0"], ["above 0 on a log scale"]),
        (["--set", "search_space.learning_rate.low=-6"], ["not exponents", "1e-06"]),
        (["--set", "network.loss=logistic"], ["two classes", "3 classes"]),
        (["--set", "network.loss=squared_error"], ["classification", "squared_error"]),
        (["--set", "network.dropout=[0.1, 0.1]"], ["dropout", "2 rates for 1 hidden"]),
        (["--set", "network.optimizer=lbfgs"], ["lbfgs", "full"]),
        (["--set", "network.hidden=[1000000, 1000000]"], ["memory", "1,000,009,000,003"]),
        (["--set", "no-equals"], ["KEY=VALUE"]),
        (["--name", "../up"], ["study.name", "'../up'"]),
        (["--name", "a" * 300], ["study.name"]),
        (["--name", ""], ["study.name"]),
        (["--results", "tiny.yaml"], ["--results", "tiny.yaml"]),
        (["--results", "tiny.yaml/x"], ["--results"]),
        (["--results", "a" * 300], ["--results"]),
        (["--results", "/proc/nowhere"], ["--results"]),
        (["--results", "new/" + "a" * 300], ["--results"]),
        (["--results", "/".join(["new", *["a" * 200] * 19])], ["--results", "bytes long"]),
        (["--results", "new/" + "a" * 300, "--overwrite"], ["--results"]),
        (["--results", "new/" + "a" * 300, "--resume"], ["--results"]),
        (["--warm-start", "nowhere"], ["search.db", "nowhere"]),
    ],
)
def test_bad_arguments(arguments: list[str], words: list[str]) -> None:
    config = write(tiny())
    refused(config, *arguments, words=words)


@pytest.mark.parametrize("text", [b"", b"- 1\n", b"a: \xff", b"study: *x\n", b"study: [\n"])
def test_bad_config_files(text: bytes) -> None:
    Path("bad.yaml").write_bytes(text)
    before = everything()
    refusal(search("bad.yaml"))
    refusal(search("nowhere.yaml"))
    refusal(search("."))
    refusal(search("a" * 300))
    assert everything() == before


def test_a_name_that_exists_says_both_ways_out() -> None:
    Path("results/tiny").mkdir(parents=True)
    config = write(tiny())
    before = everything()
    line = refusal(search(config))
    assert "results/tiny" in line
    assert "--resume" in line
    assert "--overwrite" in line
    assert everything() == before
    assert search(config, "--resume", "--overwrite").exit_code == 2
    refusal(search(config, "--overwrite"))
    refusal(search(config, "--resume"))
    assert everything() == before


def test_an_unfinished_run_has_no_model_and_is_not_resumed_with_other_words(
    colours_run: RunFolder,
) -> None:
    shutil.copytree(colours_run.path, "results/tiny")
    Path("results/tiny/summary.json").unlink()
    Path("new.csv").write_text("x,y,z\n1,2,3\n")
    before = everything()
    line = refusal(call("predict", "results/tiny", "new.csv", "--output", "out.csv"))
    assert "finish it" in line
    line = refusal(search(write(tiny(study__seed=9), "../other.yaml"), "--resume"))
    assert "changes in data, study" in line
    assert everything() == before


@pytest.mark.parametrize(
    "command",
    [
        ["results"],
        ["narrow"],
        ["report"],
        ["ensemble"],
        ["resume"],
        ["predict", "DATA"],
    ],
)
@pytest.mark.parametrize("run", ["nowhere", ".", "tiny.yaml", "a" * 300])
def test_what_is_no_run(command: list[str], run: str) -> None:
    write(tiny())
    Path("new.csv").write_text("x\n1\n")
    rest = ["new.csv", "--output", "out.csv"] if command[0] == "predict" else []
    before = everything()
    result = call(command[0], run, *rest)
    line = refusal(result, code=1 if run == "tiny.yaml" and rest else 2)
    assert run[:50] in line
    assert everything() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["results", "--top", "0"],
        ["results", "--format", "xml"],
        ["ensemble", "--top", "101"],
        ["ensemble", "--method", "best"],
        ["predict", "new.csv"],
        ["nothing"],
        ["run", "--workers", "0"],
    ],
)
def test_wrong_options(arguments: list[str]) -> None:
    result = call(arguments[0], "here", *arguments[1:])
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert result.stdout == ""


# --- results


def rows_of(result: Result) -> list[dict[str, str]]:
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_results_as_csv(colours_run: RunFolder) -> None:
    columns = "trial,stage,state,epochs,val_accuracy,learning_rate"
    rows = rows_of(call("results", colours_run.path, "--format", "csv", "--columns", columns))
    assert list(rows[0]) == columns.split(",")
    frame = hpsearch.load(colours_run.path).top()
    assert [int(row["trial"]) for row in rows] == list(frame["trial"])
    assert [float(row["learning_rate"]) for row in rows] == list(frame["learning_rate"])


def test_results_are_chosen_and_sorted(colours_run: RunFolder) -> None:
    path, as_csv = colours_run.path, ["--format", "csv"]
    rows = rows_of(call("results", path, *as_csv, "--top", "3", "--sort", "-trial"))
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    rows = rows_of(call("results", path, *as_csv, "--stage", "fine", "--sort", "dropout"))
    assert [row["stage"] for row in rows] == ["fine"] * 4
    values = [float(row["dropout"]) for row in rows]
    assert values == sorted(values, reverse=True)


def test_results_as_json_and_table(colours_run: RunFolder) -> None:
    result = call("results", colours_run.path, "--format", "json", "--top", "2")
    best = hpsearch.load(colours_run.path).top(2)
    assert [record["trial"] for record in json.loads(result.stdout)] == list(best["trial"])
    result = call("results", colours_run.path, "--top", "2", "--columns", "trial,stage")
    assert result.stdout.split()[:2] == ["trial", "stage"]
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--columns", "trial,nothing"], ["--columns", "nothing", "val_accuracy"]),
        (["--sort", "nothing"], ["--sort", "'nothing'", "val_accuracy"]),
        (["--stage", "nothing"], ["--stage", "'nothing'", "coarse"]),
        (["--columns", ","], ["--columns"]),
    ],
)
def test_results_that_are_not_there(
    colours_run: RunFolder, arguments: list[str], words: list[str]
) -> None:
    line = refusal(call("results", colours_run.path, *arguments))
    assert all(word in line for word in words), line


# --- ensembles and predictions


def test_an_ensemble_of_a_finished_run(colours_run: RunFolder) -> None:
    shutil.copytree(colours_run.path, "run")
    result = call("ensemble", "run", "--top", "2", "--method", "greedy", "--test")
    assert result.exit_code == 0, result.output
    scores = dict(line.split() for line in result.stdout.splitlines())
    names = [name for name, metric in METRICS.items() if metric.task == "classification"]
    assert list(scores) == [f"{part}_{name}" for part in ("val", "test") for name in names]
    assert re.fullmatch(r"\d models? averaged in run/ensembles/greedy-2\n", result.stderr)
    assert "test_accuracy" not in call("ensemble", "run", "--top", "2").stdout
    averaged = call("ensemble", "run", "--top", "2", "--weights", "averaged")
    assert "top-2-averaged" in averaged.stderr
    Path("new.csv").write_text("x,y,z\n5,0,0\n")
    for model in ("run", "run/ensembles/greedy-2", next(Path("run/checkpoints").iterdir())):
        result = call("predict", model, "new.csv", "--output", "out.csv")
        assert result.exit_code == 0, result.output
        assert pd.read_csv("out.csv")["prediction"][0] == "green"


def test_an_ensemble_takes_completed_trials_once(colours_run: RunFolder) -> None:
    """Of an interrupted run too, whose running trials have files of their own."""
    shutil.copytree(colours_run.path, "run")
    import sqlite3

    with sqlite3.connect("run/search.db") as connection:
        kept = "SELECT trial FROM epochs WHERE kept ORDER BY trial"
        first, *others = [row[0] for row in connection.execute(kept)]
        connection.execute("UPDATE trials SET state = 'running' WHERE number = ?", [first])
    connection.close()
    result = call("ensemble", "run", "--top", "10")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith(f"{len(others)} models averaged")
    assert call("ensemble", "run", "--top", "1").stderr.startswith("1 model averaged")


def test_averaged_weights_that_are_not_there() -> None:
    config = write(tiny(checkpoint__ema_decay=0))
    assert search(config).exit_code == 0
    before = everything()
    line = refusal(call("ensemble", "results/tiny", "--weights", "averaged"))
    assert "--weights raw" in line
    assert everything() == before


# --- help


@pytest.mark.parametrize("command", [[], *[[name] for name in main.commands]])
def test_help(command: list[str]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: main ")


def test_help_names_what_a_config_may_choose_from() -> None:
    text = call("run", "--help").stdout
    assert all(word in text for word in ("maxout", "nesterov", "cosine", "standardize", "tpe"))


# --- as a process of its own


def process(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("hpsearch")), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **(pipes | options))


def test_a_mistake_in_a_process_of_its_own() -> None:
    config = write(tiny(network__hiden=[3]))
    with process("run", config, "--in-process") as child:
        out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (2, "")
    assert err == "hpsearch: there is no key network.hiden; got 'hiden'; did you mean 'hidden'?\n"
    assert os.listdir() == [config]  # noqa: PTH208


def test_a_current_folder_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    refused = CliRunner().invoke(main, ["check", str(tmp_path / "config.yaml")])
    assert refused.exit_code == 2
    assert refused.stderr == (
        "hpsearch: the current folder must exist; got one that was removed; "
        "change to another folder\n"
    )


def test_a_closed_pipe_is_no_error(colours_run: RunFolder) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with process("results", str(colours_run.path), stdout=write_end) as child:
        os.close(write_end)
        _, err = child.communicate(timeout=120)
    assert err == ""


@pytest.mark.usefixtures("interruptible")
def test_a_signal_ends_it_and_keeps_what_was_acknowledged() -> None:
    stages = [{"name": "long", "num_trials": 2, "epochs": 100_000}]
    config = write(tiny(stages=stages, ensemble={"size": 1}))
    with process("run", config, "--in-process") as child:
        database = Path("results/tiny/search.db")
        until = time.monotonic() + 120
        while not database.exists() or hpsearch.load("results/tiny").epochs.empty:
            assert child.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err == "interrupted; go on with: hpsearch resume results/tiny\n"
    assert out.startswith("tiny: 2 trials in 1 stage, 1 worker in this process\n")
    assert len(hpsearch.load("results/tiny").epochs) > 0
