"""A run interrupted anywhere and resumed comes to the same, to the last byte."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hpsearch.config.search_config import SearchConfig
from hpsearch.execution.backend import Backend
from hpsearch.execution.executors import SerialExecutor
from hpsearch.reporting import report
from hpsearch.results.tables import Results
from hpsearch.run import summary
from hpsearch.run.master import Watch
from hpsearch.run.session import Begin
from hpsearch.run.signals import SIGNALS, Interrupted
from hpsearch.search import trials
from hpsearch.search.search import Search
from hpsearch.storage.folder import RunFolder
from tests.support import run_here, tiny_config, write_colours
from workers import arithmetic
from workers.checkpoints.checkpoint_files import file_name
from workers.errors import InputError, RunError


class Stopped(Exception):
    """What ends a run in a test, where a process would have been killed."""


def stop_after(rounds: int) -> Begin:
    """Watch a run that ends without a word after so many rounds."""

    def begin(workers: int, backend: Backend) -> Watch:
        left = iter(range(rounds))

        def watch(search: Search) -> None:
            if next(left, None) is None:
                raise Stopped

        return watch

    return begin


def outcome(run: RunFolder) -> dict[str, Any]:
    """All that a run came to, but for times, attempts and the machine's own words."""
    results = Results.load(run.path)
    summary = {k: v for k, v in read_json(run.summary).items() if k != "seconds"}
    return {
        "trials": results.trials.drop(columns=["seconds", "failures"]).to_csv(),
        "epochs": results.epochs.drop(columns="seconds").to_csv(),
        "layers": results.layers.to_csv(),
        "checkpoints": results.checkpoints.drop(columns="path").to_csv(),
        "summary": summary,
        "files": contents(run.checkpoints) | contents(run.ensembles),
        "config": run.config.read_text(),
    }


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder.parent)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


SCENARIOS: dict[str, dict[str, Any]] = {
    "plain": {},
    "every other epoch": {
        "checkpoint__every": 2,
        "stages__0__epochs": 3,
        "study__diagnostics": True,
    },
    "structures": {
        "search_space__hidden": {"type": "categorical", "choices": [[], [6], [5, 4]]},
        "search_space__optimizer": {"type": "categorical", "choices": ["adam", "momentum"]},
        "network__batch_normalization": True,
        "study__metric": "ema_val_loss",
        "study__diagnostics": True,
        "ensemble__method": "greedy",
    },
    "promotion": {
        "stages": [
            {"name": "coarse", "num_trials": 6, "epochs": 2, "sampler": "tpe", "generation": 3},
            {
                "name": "fine",
                "num_trials": 2,
                "epochs": 4,
                "promote": 3,
                "generation": 2,
                "pruner": {"type": "median", "startup_trials": 1},
            },
        ],
        "rescore": {"top": 1, "seeds": 2},
        "checkpoint__every": 3,
        "study__diagnostics": True,
    },
    "part": {
        "stages": [
            {"name": "coarse", "num_trials": 5, "epochs": 0.4},
            {"name": "fine", "num_trials": 3, "epochs": 3, "promote": 3},
        ],
        "data": {"source": "iris", "folds": 4, "test": {"rows": [0, 7]}},
        "search_space__batch_normalization": {"type": "categorical", "choices": [True, False]},
        "study__diagnostics": True,
    },
    "auto": {
        "stages": [
            {"name": "coarse", "num_trials": 11, "sampler": "sobol"},
            {"name": "fine", "num_trials": 5, "epochs": 4, "promote": 4},
        ],
        "search_space__learning_rate": {"type": "float", "low": 1e-3, "high": 1e4, "log": True},
        "network__patience": 1,
    },
    "folds": {
        "data": {"source": "iris", "folds": 3, "repeats": 2, "test": {"rows": [0, 7]}},
        "study__diagnostics": True,
        "ensemble__method": "greedy",
    },
    "diverging": {
        "search_space__learning_rate": {"type": "float", "low": 1e-3, "high": 1e8, "log": True},
        "network__activation": "identity",
        "study__diagnostics": True,
    },
}


@pytest.fixture(scope="module", params=SCENARIOS)
def scenario(request: pytest.FixtureRequest, tmp_path_factory: Any) -> tuple[SearchConfig, Any]:
    """A config and what it comes to when nothing happens."""
    config = tiny_config(**SCENARIOS[request.param])
    run, _ = run_here(config, tmp_path_factory.mktemp("undisturbed") / "run")
    return config, outcome(run)


def test_interrupted_and_resumed_equals_undisturbed(
    scenario: tuple[SearchConfig, Any], tmp_path: Path
) -> None:
    """Ended after 0 rounds, resumed and ended after 1, after 2, and so on."""
    config, expected = scenario
    path, rounds = tmp_path / "run", 0
    while True:
        try:
            run, _ = run_here(config, path, begin=stop_after(rounds), resume=True)
            break
        except Stopped:
            rounds += 1
    assert rounds >= 3
    assert outcome(run) == expected


def test_what_nobody_acknowledged_is_cleared_away(
    scenario: tuple[SearchConfig, Any], tmp_path: Path
) -> None:
    """As of a master that was killed between a checkpoint's writing and its row."""
    config, expected = scenario
    run = RunFolder(tmp_path / "run")
    with pytest.raises(Stopped):
        run_here(config, run.path, begin=stop_after(1))
    metric = config.study.metric
    for name in (
        file_name(metric, 1.0, 0, 77),
        f".{file_name(metric, 1.0, 0, 78)}.0123456789abcdef.tmp",
    ):
        (run.checkpoints / name).write_bytes(b"half a checkpoint")
    (run.ensembles / ".top-3.new").mkdir()
    run_here(config, run.path, resume=True)
    assert outcome(run) == expected
    assert not list(run.path.rglob(".*"))


def test_what_a_worker_writes_as_it_ends_is_cleared_away(
    colours_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers end while the run is concluded, which waits for them."""
    run = RunFolder(tmp_path / "tiny")
    last = run.checkpoints / file_name("val_accuracy", 1.0, 0, 77)

    ended = threading.Event()

    def close(self: SerialExecutor) -> None:
        if not ended.is_set():
            time.sleep(0.5)
            last.write_bytes(b"half a checkpoint")
            ended.set()

    monkeypatch.setattr(SerialExecutor, "close", close)
    run_here(colours_run.load_config(), run.path)
    assert ended.wait(10)
    assert not last.exists()


def test_signals_are_answered_again_once_the_cluster_is_left(
    colours_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray sets their handlers back."""

    def disconnect(self: SerialExecutor) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def summarize(*arguments: Any, **options: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("it went on")

    monkeypatch.setattr(SerialExecutor, "disconnect", disconnect)
    monkeypatch.setattr(summary, "summarize", summarize)
    with pytest.raises(Interrupted):
        run_here(colours_run.load_config(), tmp_path / "tiny")


def test_a_run_killed_before_its_report_has_one_after_a_resume(
    colours_run: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "tiny")
    shutil.copytree(colours_run.path, run.path)
    summary, page = read_json(run.summary), report.write(run.path).read_bytes()
    run.report.unlink()
    half = run.path / ".report.html.0123456789abcdef.tmp"
    half.write_text("half a report")
    with run.lock():
        assert run_here(run.load_config(), run.path, resume=True)[1].summary == summary
        assert not run.report.exists()
    assert run_here(run.load_config(), run.path, resume=True)[1].summary == summary
    assert run.report.read_bytes() == page
    assert not half.exists()
    assert run.summary.read_bytes() == colours_run.summary.read_bytes()


@pytest.mark.parametrize(("workers", "sizes"), [(3, None), (2, ((10**9, 1),)), (1, ((10**9, 2),))])
def test_workers_and_packs_make_no_difference(
    scenario: tuple[SearchConfig, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    sizes: Any,
) -> None:
    config, expected = scenario
    if sizes is not None:
        monkeypatch.setattr(trials, "PACK_SIZES", sizes)
    run, _ = run_here(config, tmp_path / "run", workers=workers)
    assert outcome(run) == expected


def test_another_seed_makes_a_difference(tmp_path: Path) -> None:
    runs = [run_here(tiny_config(study__seed=seed), tmp_path / str(seed))[0] for seed in (3, 4)]
    one, other = (outcome(run) for run in runs)
    assert one["trials"] != other["trials"]


def test_diverged_trials_are_failed_and_never_best(tmp_path: Path) -> None:
    run, outcome = run_here(tiny_config(**SCENARIOS["diverging"]), tmp_path / "run")
    frame = Results.load(run.path).trials.set_index("trial")
    failed = frame[frame["state"] == "failed"]
    assert 0 < len(failed) < len(frame)
    assert failed["reason"].str.contains(r"became (?:nan|-?inf) in epoch \d").all()
    assert outcome.summary["failed"] == len(failed)
    assert frame.loc[outcome.summary["best"]["trial"], "state"] == "complete"
    kept = Results.load(run.path).checkpoints
    assert not set(kept["trial"]) & set(failed.index)


def test_a_run_in_which_all_diverge_ends_with_a_useful_line(tmp_path: Path) -> None:
    space = {"learning_rate": {"type": "float", "low": 1e7, "high": 1e9, "log": True}}
    config = tiny_config(search_space=space, network__activation="identity")
    with pytest.raises(RunError) as caught:
        run_here(config, tmp_path / "run")
    line = str(caught.value)
    assert "10 of 10 trials" in line
    assert "learning_rate" in line
    assert "\n" not in line
    with pytest.raises(RunError, match="10 of 10"):
        run_here(config, tmp_path / "run", resume=True)


# --- folders


def test_everything_is_the_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run, _ = run_here(tiny_config(), tmp_path / "a" / "b" / "run")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in run.path.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_a_run_leaves_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    run, _ = run_here(tiny_config(), tmp_path / "run")
    assert {path.name for path in run.path.iterdir()} == {
        *("config.yaml", "search.db", "checkpoints", "ensembles", "summary.json"),
        *("master.log", "lock", "report.html"),
    }
    assert len(list(run.checkpoints.iterdir())) == 4
    assert [path.name for path in run.ensembles.iterdir()] == ["top-3"]
    assert list(tmp_path.iterdir()) == [run.path]
    assert run.log.read_text().count("machine code is kept ") == 1


def test_a_name_that_exists_says_both_ways_out(tmp_path: Path) -> None:
    run, _ = run_here(tiny_config(), tmp_path / "run")
    before = contents(run.path)
    with pytest.raises(InputError, match=r"(?s)--resume.*--overwrite"):
        run_here(tiny_config(), tmp_path / "run")
    assert contents(run.path) == before


def test_overwriting_begins_anew(tmp_path: Path) -> None:
    run_here(tiny_config(), tmp_path / "run")
    run, outcome = run_here(tiny_config(study__seed=9), tmp_path / "run", overwrite=True)
    assert outcome.summary["seed"] == 9
    assert Results.load(run.path).seed == 9
    assert list(tmp_path.iterdir()) == [run.path]


def test_only_a_run_is_overwritten(tmp_path: Path) -> None:
    precious = tmp_path / "run" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(InputError):
        run_here(tiny_config(), tmp_path / "run", overwrite=True)
    assert precious.read_text() == "years of work"


def test_bad_data_leave_the_run_to_be_overwritten_alone(tmp_path: Path) -> None:
    run, _ = run_here(tiny_config(), tmp_path / "run")
    before = contents(run.path)
    with pytest.raises(InputError):
        run_here(tiny_config(data__source="nowhere.csv"), run.path, overwrite=True)
    assert contents(run.path) == before


def test_a_finished_run_is_resumed_without_another_look_at_the_test_set(tmp_path: Path) -> None:
    run, first = run_here(tiny_config(), tmp_path / "run")
    before = contents(run.path)
    _, second = run_here(tiny_config(), tmp_path / "run", resume=True)
    assert second.summary == json.loads(json.dumps(first.summary))
    assert contents(run.path) == before


def test_a_run_goes_on_under_the_arithmetic_it_began_with_only(tmp_path: Path) -> None:
    """One of before the generations were counted is read, not resumed, unless it is over."""
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        run_here(tiny_config(), path, begin=stop_after(3))
    began_under(path, None)
    before = contents(path)
    with pytest.raises(InputError, match=r"arithmetic.*hpsearch 0\.1, where .*resume it with"):
        run_here(tiny_config(), path, resume=True)
    assert contents(path) == before
    assert len(Results.load(path).trials)
    began_under(path, 99)
    with pytest.raises(InputError, match="that of a later hpsearch"):
        run_here(tiny_config(), path, resume=True)
    began_under(path, arithmetic.GENERATION)
    _, outcome = run_here(tiny_config(), path, resume=True)
    began_under(path, None)
    again = run_here(tiny_config(), path, resume=True)[1].summary
    assert again == json.loads(json.dumps(outcome.summary))


def began_under(run: Path, generation: int | None) -> None:
    """Let a run say that it began under a generation of the arithmetic, or say nothing."""
    with closing(sqlite3.connect(run / "search.db")) as database, database:
        database.execute("DELETE FROM meta WHERE key = 'arithmetic'")
        if generation is not None:
            database.execute("INSERT INTO meta VALUES ('arithmetic', ?)", (str(generation),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"study__seed": 9}, ["changes in study", "--name"]),
        ({"stages__1__epochs": 9, "checkpoint__every": 2}, ["changes in checkpoint, stages"]),
    ],
)
def test_a_run_goes_on_with_its_own_config(
    tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(Stopped):
        run_here(tiny_config(), tmp_path / "run", begin=stop_after(1))
    before = contents(tmp_path / "run")
    with pytest.raises(InputError) as caught:
        run_here(tiny_config(**changes), tmp_path / "run", resume=True)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("row", [0, 45, 89])
def test_a_run_goes_on_with_its_own_data(tmp_path: Path, row: int) -> None:
    """Whatever split the changed row is in."""
    data = write_colours(tmp_path / "colours.csv")
    config = tiny_config(data__source=str(data), data__target="colour")
    with pytest.raises(Stopped):
        run_here(config, tmp_path / "run", begin=stop_after(1))
    lines = data.read_text().splitlines()
    lines[row + 1] = "0.25" + lines[row + 1][lines[row + 1].index(",") :]
    data.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="data that it began with"):
        run_here(config, tmp_path / "run", resume=True)


def test_one_master_a_run(tmp_path: Path) -> None:
    def begin(workers: int, backend: Backend) -> Watch:
        def watch(search: Search) -> None:
            for options in ({"resume": True}, {"overwrite": True}):
                with pytest.raises(RunError, match="process"):
                    run_here(tiny_config(), tmp_path / "run", **options)
            raise Stopped

        return watch

    with pytest.raises(Stopped):
        run_here(tiny_config(), tmp_path / "run", begin=begin)
    run_here(tiny_config(), tmp_path / "run", resume=True)


def test_a_half_deleted_run_is_told(tmp_path: Path) -> None:
    run, _ = run_here(tiny_config(), tmp_path / "run")
    for name in ("search.db", "config.yaml"):
        file = run.path / name
        content = file.read_bytes()
        file.unlink()
        with pytest.raises(InputError, match=r"search\.db"):
            run_here(tiny_config(), run.path, resume=True)
        file.write_bytes(content)


@pytest.mark.parametrize("rounds", [0, 2])
def test_a_signal_stops_the_run_between_two_rounds(tmp_path: Path, rounds: int) -> None:
    def begin(workers: int, backend: Backend) -> Watch:
        left: Iterator[int] = iter(range(rounds))

        def watch(search: Search) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), 15)

        return watch

    with pytest.raises(Interrupted) as caught:
        run_here(tiny_config(), tmp_path / "run", begin=begin)
    assert caught.value.number == 15
    run, _ = run_here(tiny_config(), tmp_path / "run", resume=True)
    assert len(Results.load(run.path).trials) == 10
