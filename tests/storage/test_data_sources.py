"""A run finds its data where it was begun, where the command is given, or where the user says."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import hpsearch
from hpsearch.cli.main import main
from hpsearch.config.search_config import SearchConfig
from hpsearch.data.datasets import Split
from hpsearch.data.datasets import load as load_data
from hpsearch.storage import data_sources
from hpsearch.storage.folder import RunFolder
from tests.support import run_here, tiny_config, write_colours
from workers.errors import InputError


class Stopped(Exception):
    """What ends a run in a test."""


def call(*arguments: str | Path) -> Result:
    before = os.umask(0o077)
    try:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])
    finally:
        os.umask(before)


def read(config: SearchConfig) -> Split:
    return load_data(config.data, seed=config.study.seed)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with data and an interrupted run of them in ``results``."""
    folder = tmp_path / "begun"
    (folder / "data").mkdir(parents=True)
    monkeypatch.chdir(folder)
    write_colours(Path("data/colours.csv"))
    config = tiny_config(data__source="data/colours.csv", data__target="colour")
    epochs = iter(range(1000))

    def watch(search: Any) -> None:
        if next(epochs) > 3:
            raise Stopped

    with pytest.raises(Stopped):
        run_here(config, Path("results/tiny"), begin=lambda *_: watch)
    return folder


@pytest.fixture
def finished(begun: Path) -> Path:
    """The same once it is over."""
    result = call("resume", "results/tiny", "--in-process")
    assert result.exit_code == 0, result.output
    return begun


def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.chdir(folder)


def test_a_run_goes_on_from_another_folder(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("results", "uninterrupted")
    elsewhere(tmp_path / "other", monkeypatch)
    assert call("resume", begun / "uninterrupted/tiny", "--in-process").exit_code == 0
    result = call("resume", "../begun/results/tiny", "--in-process")
    assert result.exit_code == 0, result.output
    tables = [hpsearch.load(begun / n / "tiny").epochs for n in ("results", "uninterrupted")]
    tables = [table.drop(columns="seconds") for table in tables]
    pd.testing.assert_frame_equal(*tables)
    for method in ("top", "greedy"):
        made = call("ensemble", begun / "results/tiny", "--method", method, "--test")
        assert made.exit_code == 0, made.output
        assert "test_accuracy" in made.stdout


def test_every_command_works_on_a_copied_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("results/tiny", tmp_path / "far/tiny")
    shutil.copytree("data", tmp_path / "far/kept")
    x = pd.read_csv("data/colours.csv").drop(columns="colour")
    x.to_csv(tmp_path / "far/new.csv", index=False)
    shutil.rmtree(finished)
    for name in (tmp_path / "far", tmp_path / "far/tiny", tmp_path):
        monkeypatch.chdir(name)
        run = os.path.relpath(tmp_path / "far/tiny")
        new = os.path.relpath(tmp_path / "far/new.csv")
        asked: list[list[str]] = [
            *(["results", run], ["narrow", run], ["report", run], ["ensemble", run]),
            ["predict", run, new, "--output", os.path.relpath(tmp_path / "out.parquet")],
            ["resume", run, "--in-process"],
            *(
                ["ensemble", run, "--test", "--method", m, "--data", d]
                for m in ("top", "greedy")
                for d in (str(tmp_path / "far/kept/colours.csv"), str(tmp_path / "far/kept"))
            ),
        ]
        for arguments in asked:
            result = call(*arguments)
            assert result.exit_code == 0, (arguments, result.output)
        assert len(hpsearch.load(run).trials) == 10


def test_what_needs_the_data_says_where_it_looked(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("results/tiny", tmp_path / "tiny")
    shutil.rmtree(finished)
    elsewhere(tmp_path / "other", monkeypatch)
    for more in (["--test"], ["--method", "greedy"]):
        result = call("ensemble", "../tiny", *more)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        words = ["data/colours.csv", str(finished), str(Path.cwd()), "--data"]
        assert all(word in line for word in words), line
    result = call("ensemble", "../tiny")
    assert (result.exit_code, result.stdout) == (0, "")
    unscored, made = result.stderr.splitlines()
    assert unscored.startswith("not scored: ")
    assert "data/colours.csv" in unscored
    assert made == "4 models averaged in ../tiny/ensembles/top-10"


def test_the_digest_decides_between_places(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file of the same name, in the current folder or where it began, does not matter."""
    run = RunFolder(finished / "results/tiny")
    right = Path("data/colours.csv").read_bytes()
    elsewhere(tmp_path / "other", monkeypatch)
    Path("data").mkdir()
    for there, here in ((right, b"x,colour\n1,red\n"), (b"x,colour\n1,red\n", right)):
        (finished / "data/colours.csv").write_bytes(there)
        Path("data/colours.csv").write_bytes(here)
        split = data_sources.load(run.load_config(), run, read)
        assert split.x_test is not None
    changed = right.replace(b"red", b"rot")
    (finished / "data/colours.csv").write_bytes(changed)
    Path("data/colours.csv").write_bytes(changed)
    with pytest.raises(InputError, match="data that it began with") as caught:
        data_sources.load(run.load_config(), run, read)
    assert all(str(folder) in str(caught.value) for folder in (finished, Path.cwd()))


def test_a_run_of_before_knows_the_current_folder_only(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(finished / "results/tiny")
    with closing(sqlite3.connect(run.database)) as database, database:
        database.execute("DELETE FROM meta WHERE key = 'begun_in'")
    assert data_sources.load(run.load_config(), run, read)
    elsewhere(tmp_path / "other", monkeypatch)
    with pytest.raises(InputError, match=r"no data/colours\.csv in .*/other"):
        data_sources.load(run.load_config(), run, read)


def test_several_files_lie_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names tell which is which, below the folders between them or without these."""
    elsewhere(tmp_path / "begun", monkeypatch)
    Path("a").mkdir()
    whole = pd.read_csv(write_colours(tmp_path / "all.csv"))
    whole.iloc[:60].to_csv("a/train.csv", index=False)
    whole.iloc[60:].to_csv("test.csv", index=False)
    stages = [{"name": "one", "num_trials": 1, "epochs": 1}]
    data = {"source": "a/train.csv", "target": "colour", "test": {"source": "test.csv"}}
    run, _ = run_here(tiny_config(data=data, stages=stages), tmp_path / "run")
    elsewhere(tmp_path / "copy", monkeypatch)
    config, first = run.load_config(), data_sources.load(run.load_config(), run, read)
    for name, folder in (("a/train.csv", "deep"), ("train.csv", "flat")):
        (tmp_path / folder / name).parent.mkdir(parents=True)
        shutil.copy(tmp_path / "begun/a/train.csv", tmp_path / folder / name)
        shutil.copy(tmp_path / "begun/test.csv", tmp_path / folder)
    shutil.rmtree(tmp_path / "begun")
    for folder in ("deep", "flat"):
        split = data_sources.load(config, run, read, data=tmp_path / folder)
        assert first.x_test is not None
        assert split.x_test is not None
        assert np.array_equal(split.x_test, first.x_test)
    with pytest.raises(InputError, match=r"folder of a run's 2 files.*a/train\.csv, test\.csv"):
        data_sources.load(config, run, read, data=tmp_path / "flat/train.csv")


def test_a_built_in_set_is_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = [{"name": "one", "num_trials": 1, "epochs": 1}]
    run, _ = run_here(tiny_config(stages=stages), tmp_path / "run")
    elsewhere(tmp_path / "other", monkeypatch)
    assert "test_accuracy" in call("ensemble", run.path, "--test").stdout
    result = call("ensemble", run.path, "--data", tmp_path)
    assert result.exit_code == 2
    assert "built-in set iris" in result.stderr
