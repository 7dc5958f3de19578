"""`hpsearch init`: a config that fits the data, and runs."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from hpsearch.cli.main import main
from hpsearch.config import documents
from hpsearch.config.loading import build
from tests.support import blobs, run_here, write_colours, write_line, write_mixed


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["init", *map(str, arguments)])


def made(*arguments: object) -> Any:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    document = documents.parse(result.stdout, where="it")
    build(document)
    return document


def test_it_runs_as_it_is_and_learns(tmp_path: Path) -> None:
    document = made(write_mixed(tmp_path / "animals.csv"), "--target", "animal")
    config = build(document)
    assert (config.study.name, config.data.task, config.network.loss) == (
        *("animals", "classification", "softmax"),
    )
    for stage, epochs in zip(document["stages"], (2, 4, 6), strict=True):
        stage["epochs"] = epochs
    run, _ = run_here(build(document), tmp_path / "run")
    summary = json.loads(run.summary.read_text())
    assert summary["ensemble"]["test_accuracy"] > 0.7


def test_the_task_is_guessed_or_given(tmp_path: Path) -> None:
    line = write_line(tmp_path / "line.csv")
    guessed = made(line, "--target", "price")
    assert (guessed["study"]["metric"], guessed["network"]["loss"]) == ("val_mse", "squared_error")
    assert made("iris", "--target", "target")["data"]["task"] == "classification"
    assert made("diabetes", "--target", "target")["data"]["task"] == "regression"
    result = call(line, "--target", "price", "--task", "classification")
    assert "task: classification" in result.stdout


def test_sizes_follow_the_rows(tmp_path: Path) -> None:
    small = made(write_colours(tmp_path / "a.csv", 90), "--target", "colour")
    large = made(write_colours(tmp_path / "b.csv", 40_000), "--target", "colour")
    sizes = [document["network"]["batch_size"] for document in (small, large)]
    epochs = [document["stages"][-1]["epochs"] for document in (small, large)]
    assert sizes == [16, 128]
    assert epochs == [40, 30]


def test_how_the_file_is_read_is_written_along(tmp_path: Path) -> None:
    x, colours = blobs(30)
    lines = [";".join([*map(str, row), colour]) for row, colour in zip(x, colours, strict=True)]
    (tmp_path / "a: #b.data").write_text("\n".join(lines) + "\n")
    arguments = ["--target", "3", "--no-header", "--delimiter", ";"]
    data = made(tmp_path / "a: #b.data", *arguments)["data"]
    assert (data["header"], data["delimiter"], data["target"]) == (False, ";", 3)


def test_what_looks_odd_stands_above(tmp_path: Path) -> None:
    frame = "x,c,y\n" + "".join(f"{n * 0.7},1,{'ab'[n % 2]}\n" for n in range(50))
    (tmp_path / "a.csv").write_text(frame)
    text = call(tmp_path / "a.csv", "--target", "y").stdout
    assert "# Look: 'c' is the same in all rows: drop it.\n" in text
    assert yaml.safe_load(text)["data"]["target"] == "y"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.csv", "--target", "y"], "must be a built-in set or a readable file"),
        (["a.csv", "--target", "z"], "target must name a column of 'a.csv'"),
    ],
)
def test_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_mixed(Path("a.csv"))
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1
