"""The search's database: nothing acknowledged is lost, nothing counts twice."""

import math
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import workers
from hpsearch.storage.sqlite import opening, schema
from hpsearch.storage.sqlite.rows import LayerRow
from hpsearch.storage.store import Store
from workers.checkpoints.checkpoint_files import file_name
from workers.errors import InputError, RunError
from workers.messages import Checkpoint, EpochReport
from workers.nn.layer_statistics import LayerStatistics

META = {"name": "digits", "metric": "val_accuracy", "direction": "maximize", "seed": 3}


def report(trial: int, epoch: int, score: float = 0.5, *, attempt: int = 1) -> EpochReport:
    checkpoint = None
    if math.isfinite(score):
        name = file_name("val_accuracy", score, trial, epoch)
        checkpoint = Checkpoint(name, trial, epoch, score, 100 + epoch, "ab" * 32)
    metrics = {"val_accuracy": score, "train_loss": 0.1 + 0.2}
    return EpochReport(trial, attempt, epoch, metrics, 0.25, checkpoint)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "search.db"


def begin(path: Path, trials: int = 2, **meta: object) -> Store:
    store = Store.create(path, META | meta)
    with store.transaction():
        store.begin_stage(0, "coarse", {"l2": {"type": "float", "low": 1e-7}})
        for number in range(trials):
            store.add_trial(number, 0, {"l2": 0.1, "activation": "relu", "deep": True}, 10)
            store.start_trial(number, 1)
    return store


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with begin(path) as store:
        yield store


def contents(store: Store) -> object:
    return (
        store.meta(),
        store.stages(),
        store.trials(),
        store.epochs(),
        store.layers(),
        store.failures(),
    )


def test_layers_are_written_with_their_epoch_and_only_with_it(store: Store) -> None:
    first = (LayerStatistics(1e-3, 0.1, 0.5, 1.25, dead=0.0), LayerStatistics(None, 0.0, 1.0, 2.0))
    store.record([replace(report(0, 1), layers=first), report(1, 1)])
    store.record([replace(report(0, 1), layers=first), replace(report(0, 3), layers=first)])
    assert store.layers() == (LayerRow(0, 1, 1, first[0]), LayerRow(0, 1, 2, first[1]))


def first_version(path: Path) -> None:
    """Turn a file without layers into what the first version wrote."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE layers")
        connection.execute("PRAGMA user_version = 1")


def test_a_file_of_the_first_version_is_read_without_a_trace_and_upgraded(path: Path) -> None:
    with begin(path) as store:
        store.record([report(0, 1)])
    first_version(path)
    before = path.read_bytes()
    with Store.read(path) as store:
        assert store.layers() == ()
        assert len(store.epochs()) == 1
    assert path.read_bytes() == before
    with Store.open(path) as store:
        store.record([replace(report(0, 2), layers=(LayerStatistics(0.5, 0.5, 0.5, 0.5),))])
        with Store.read(path) as beside:
            assert [row.epoch for row in beside.layers()] == [2]
    with Store.open(path) as store:
        assert len(store.layers()) == 1


def test_a_file_with_the_tables_of_another_version_is_damaged(path: Path) -> None:
    begin(path).close()
    for version in (0, 1, -1):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        for door in (Store.open, Store.read):
            with pytest.raises(InputError, match="its tables are not those of a search"):
                door(path)


def files(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        item.name: (item.read_bytes(), item.stat().st_mtime_ns, item.stat().st_mode)
        for item in folder.iterdir()
    }


# What is written is read


def test_a_trial_from_start_to_end(store: Store) -> None:
    reports = [report(0, 1, 0.5), report(1, 1, 0.4), report(0, 2, 0.75)]
    assert store.record(reports) == tuple(reports)
    store.note_failure(1, 1, 1, "its worker died")
    store.start_trial(1, 2)
    store.end_trial(0, "complete")
    store.end_trial(1, "failed", "loss became nan")
    store.end_stage(0, [{"name": "l2", "border": "low"}])
    first, second = store.trials()
    assert (first.state, first.epochs_done, first.best_epoch, first.best_score) == (
        *("complete", 2, 2, 0.75),
    )
    assert (second.state, second.reason, second.failures, second.attempt) == (
        *("failed", "loss became nan", 1, 2),
    )
    assert first.params == {"l2": 0.1, "activation": "relu", "deep": True}
    assert [(e.trial, e.epoch, e.attempt) for e in store.epochs()] == [
        (0, 1, 1),
        (0, 2, 1),
        (1, 1, 1),
    ]
    assert store.epochs()[0].metrics == reports[0].metrics
    assert store.epochs()[0].seconds == 0.25
    assert store.checkpoints() == tuple(r.checkpoint for r in (reports[0], reports[2], reports[1]))
    assert store.failures()[0].cause == "its worker died"
    assert store.stages()[0].verdicts == ({"name": "l2", "border": "low"},)
    assert store.stages()[0].state == "complete"
    assert store.meta() == META


def test_everything_is_there_after_opening_again(path: Path) -> None:
    with begin(path) as store:
        store.record([report(0, 1, 0.1 + 0.2)])
        before = contents(store)
    with Store.open(path) as store:
        assert contents(store) == before
    with Store.read(path) as store:
        assert contents(store) == before


@pytest.mark.parametrize(("direction", "best"), [("maximize", 3), ("minimize", 2)])
def test_best_epoch(path: Path, direction: str, best: int) -> None:
    """Ties go to the earlier epoch; NaN and infinities are never best."""
    scores = [math.nan, -0.5, 0.75, -0.5, 0.75, math.inf, -math.inf]
    with begin(path, direction=direction) as store:
        store.record([report(0, epoch, score) for epoch, score in enumerate(scores, 1)])
        trial = store.trials()[0]
        assert (trial.best_epoch, trial.best_score) == (best, scores[best - 1])
        found = [row.metrics["val_accuracy"] for row in store.epochs()]
        assert [math.isfinite(value) for value in found] == [math.isfinite(s) for s in scores]


def test_forgotten_checkpoints(store: Store) -> None:
    reports = [report(0, 1), report(0, 2)]
    store.record(reports)
    name = file_name("val_accuracy", 0.5, 0, 1)
    store.forget_checkpoints([name, name, "unknown"])
    assert store.checkpoints() == (reports[1].checkpoint,)
    assert [row.checkpoint for row in store.epochs()] == [None, reports[1].checkpoint]


# The fence


def test_no_epoch_counts_twice(store: Store) -> None:
    assert store.record([report(0, 1, 0.5), report(0, 1, 0.9)]) == (report(0, 1, 0.5),)
    assert store.record([report(0, 1, 0.9)]) == ()
    assert [row.metrics["val_accuracy"] for row in store.epochs()] == [0.5]
    assert store.trials()[0].best_score == 0.5


def test_old_attempts_are_fenced_off(store: Store) -> None:
    store.record([report(0, 1)])
    store.start_trial(0, 5)
    assert store.record([report(0, 2, attempt=1), report(0, 2, attempt=6)]) == ()
    assert store.record([report(0, 2, attempt=5)]) == (report(0, 2, attempt=5),)
    for attempt in (1, 4, 5):
        with pytest.raises(RunError):
            store.start_trial(0, attempt)


def test_no_epoch_is_left_out(store: Store) -> None:
    assert store.record([report(0, 2)]) == ()
    assert store.record([report(7, 1)]) == ()
    assert store.epochs() == ()


def test_nothing_after_the_end(store: Store) -> None:
    store.end_trial(0, "complete")
    assert store.record([report(0, 1)]) == ()
    for late in (
        lambda: store.end_trial(0, "failed", "twice"),
        lambda: store.start_trial(0, 9),
        lambda: store.note_failure(0, 1, 0, "late"),
    ):
        with pytest.raises(RunError):
            late()
    assert store.trials()[0].state == "complete"
    assert store.failures() == ()


def test_reported_failures_are_fenced_and_write_no_epoch(store: Store) -> None:
    failed = EpochReport(0, 1, 1, {}, 0.1, failure="loss became nan")
    stale = EpochReport(1, 0, 1, {}, 0.1, failure="loss became nan")
    assert store.record([failed, stale]) == (failed,)
    assert store.epochs() == ()
    assert store.trials()[0].epochs_done == 0


# Transactions


@pytest.mark.usefixtures("interruptible")
def test_all_or_nothing(store: Store) -> None:
    before = contents(store)

    def write(then: Callable[[], object]) -> None:
        with store.transaction():
            store.record([report(0, 1)])
            then()

    with pytest.raises(KeyboardInterrupt):
        write(lambda: signal.raise_signal(signal.SIGINT))
    assert contents(store) == before
    with pytest.raises(RunError):
        write(lambda: store.add_trial(1, 0, {}, 1))
    assert contents(store) == before
    store.record([report(0, 1)])


def test_params_must_be_json_numbers(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.add_trial(9, 0, {"l2": math.nan}, 1)


def add_many(store: Store) -> None:
    with store.transaction():
        for number in range(2, 3000):
            store.add_trial(number, 0, {"l2": 0.1}, 1)


def test_full_disk_is_one_line_and_nothing_is_lost(path: Path) -> None:
    with begin(path) as store:
        store.record([report(0, 1)])
        before = contents(store)
        connection = store._database._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RunError, match="full") as caught:
            add_many(store)
        assert len(str(caught.value).splitlines()) == 1
        assert contents(store) == before
        connection.execute("PRAGMA max_page_count = 1000000")
        store.record([report(0, 2)])
    with Store.open(path) as store:
        assert len(store.epochs()) == 2


def test_error_at_commit_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with begin(path) as store:
        before = contents(store)
        monkeypatch.setenv("HPSEARCH_FAILPOINT", "store.before_commit=EIO@1+")
        with pytest.raises(RunError):
            store.record([report(0, 1)])
        monkeypatch.delenv("HPSEARCH_FAILPOINT")
        assert contents(store) == before
        assert len(store.record([report(0, 1)])) == 1


CHILD = """
import sys
from pathlib import Path
from hpsearch.storage.store import Store
from workers.messages import EpochReport
with Store.open(Path(sys.argv[1])) as store:
    for epoch in range(len(store.epochs()) + 1, 10**6):
        store.record([EpochReport(0, 1, epoch, {"val_accuracy": 0.5}, 0.1)])
        print(epoch, flush=True)
"""


def acknowledged(path: Path, *, failpoint: str | None, lines: int | None) -> int:
    """Run a master, kill it, and return the last epoch that it acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ({"HPSEARCH_FAILPOINT": failpoint} if failpoint else {}),
        cwd=Path(workers.__file__).parents[1],
    )
    with child:
        assert child.stdout is not None
        seen = []
        for line in child.stdout:
            seen.append(int(line))
            if len(seen) == lines:
                child.kill()
        assert child.wait(60) == -signal.SIGKILL
    return seen[-1] if seen else 0


@pytest.mark.parametrize(
    ("failpoint", "ahead"), [("store.before_commit=kill@20", 0), ("store.after_commit=kill@20", 1)]
)
def test_kill_around_the_commit(path: Path, failpoint: str, ahead: int) -> None:
    begin(path).close()
    last = acknowledged(path, failpoint=failpoint, lines=None)
    assert last == 18  # The first commit counted the master.
    with Store.read(path) as store:
        assert len(store.epochs()) == last + ahead


def test_kill_at_random_moments(path: Path) -> None:
    begin(path).close()
    draw = random.Random(0)
    for _ in range(5):
        last = acknowledged(path, failpoint=None, lines=draw.randint(1, 60))
        with Store.open(path) as store:
            found = [row.epoch for row in store.epochs()]
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= last


# Readers


def test_reading_at_rest_changes_nothing(path: Path) -> None:
    with begin(path) as store:
        store.record([report(0, 1)])
    before = files(path.parent)
    assert list(before) == ["search.db"]
    with Store.read(path) as store:
        assert len(store.epochs()) == 1
        assert files(path.parent) == before
    assert files(path.parent) == before


def test_reading_beside_the_master(path: Path) -> None:
    with begin(path) as store:
        store.record([report(0, 1)])
        with Store.read(path) as reader, reader.transaction():
            assert len(reader.epochs()) == 1
            store.record([report(0, 2)])
            assert len(reader.epochs()) == 1, "a transaction sees one state"
        with Store.read(path) as reader:
            assert len(reader.epochs()) == 2
        store.record([report(0, 3)])


@pytest.mark.parametrize("suffixes", [["", "-wal"], ["", "-wal", "-shm"]])
def test_reading_a_copy_of_a_crashed_run(path: Path, tmp_path: Path, suffixes: list[str]) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with begin(path) as store:
        store.record([report(0, 1)])
        for suffix in suffixes:
            shutil.copyfile(f"{path}{suffix}", copy / f"search.db{suffix}")
    before = files(copy)
    with Store.read(copy / "search.db") as reader:
        assert len(reader.epochs()) == 1
    after = files(copy)
    assert after.keys() == before.keys()
    for name in before.keys() - {"search.db-shm"}:
        assert after[name] == before[name]


def test_readers_can_not_write(path: Path) -> None:
    begin(path).close()
    with Store.read(path) as store, pytest.raises(RunError, match="readonly"):
        store.end_trial(0, "complete")


def test_rollback_journal_on_a_shared_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_file_system", lambda path: "nfs4")
    with begin(path) as store:
        store.record([report(0, 1)])
        assert files(path.parent).keys() == {"search.db"}
        with Store.read(path) as reader:
            assert len(reader.epochs()) == 1
        store.record([report(0, 2)])
    before = files(path.parent)
    with Store.read(path) as reader:
        assert len(reader.epochs()) == 2
    assert files(path.parent) == before


def test_durability_settings(store: Store) -> None:
    connection = store._database._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_file_is_private(path: Path) -> None:
    before = os.umask(0)
    try:
        with begin(path):
            modes = {stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


# Files that can't be used


def refused(path: Path, match: str) -> None:
    for way in (Store.open, Store.read):
        before = files(path.parent) if path.is_file() else None
        with pytest.raises(InputError, match=match) as caught:
            way(path)
        assert len(str(caught.value).splitlines()) == 1
        if before is not None:
            assert files(path.parent) == before


def test_existing_files_are_not_created_anew(path: Path) -> None:
    begin(path).close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="resume"):
        Store.create(path, META)
    assert path.read_bytes() == before


def test_missing_and_irregular_files(tmp_path: Path) -> None:
    refused(tmp_path / "search.db", "no such file")
    refused(tmp_path, "no such file")
    refused(tmp_path / "a\0b", "no such file")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError):
        Store.read(tmp_path / "fifo")


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0", bytes(4096), b"text " * 999])
def test_not_a_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, "must be the database of a search")


def test_another_programs_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trials (number INTEGER)")
    connection.close()
    refused(path, "another program")


def altered(path: Path, *statements: str) -> None:
    begin(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_newer_version(path: Path) -> None:
    altered(path, f"PRAGMA user_version = {schema.VERSION + 1}")
    refused(path, "newer hpsearch")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE epochs",
        "ALTER TABLE trials ADD COLUMN extra",
        "CREATE TRIGGER t AFTER INSERT ON epochs BEGIN DELETE FROM epochs; END",
        "DELETE FROM meta",
        "UPDATE meta SET value = '\"up\"' WHERE key = 'direction'",
        "UPDATE meta SET value = '{' WHERE key = 'direction'",
    ],
)
def test_tables_of_another_kind(path: Path, statement: str) -> None:
    altered(path, statement)
    refused(path, "must be the database of a search")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials SET params = '[]'",
        "UPDATE trials SET params = '{'",
        "UPDATE trials SET state = 'lost'",
        "UPDATE trials SET epochs_done = 'many'",
        "UPDATE trials SET best_score = x'00'",
        "UPDATE stages SET verdicts = '{}'",
        "INSERT INTO epochs VALUES (0, 1, 1, '{}', 'long', NULL, NULL, NULL, NULL, 0)",
        "INSERT INTO epochs VALUES (0, 1, 1, '{\"a\": []}', 1, NULL, NULL, NULL, NULL, 0)",
        "INSERT INTO epochs VALUES (0, 1, 1, '{}', 1, '../../etc/passwd', 1, 1, '', 1)",
        f"INSERT INTO epochs VALUES (0, 1, 1, '{{}}', 1, '{file_name('a', 1, 5, 1)}', 1, 1, '', 1)",
        "INSERT INTO failures VALUES (0, 1, 1, x'ff')",
    ],
)
def test_rows_that_no_master_wrote(path: Path, statement: str) -> None:
    altered(path, statement)
    with Store.read(path) as store, pytest.raises(InputError, match="must be the database"):
        contents(store)


def test_damage_anywhere_is_an_input_error_or_harmless(path: Path) -> None:
    """Overwritten, cut and shuffled files: an error of ours, never another."""
    with begin(path, trials=20) as store:
        store.record([report(number, 1) for number in range(20)])
    good = path.read_bytes()
    draw = random.Random(1)
    refusals = 0
    for _ in range(300):
        damaged = bytearray(good)
        place = draw.randrange(len(good))
        length = draw.choice([1, 4, 100, 4096])
        damaged[place : place + length] = draw.randbytes(length)
        path.write_bytes(damaged[: draw.choice([None, None, place])])
        for way in (Store.open, Store.read):
            try:
                with way(path) as store:
                    contents(store)
            except (InputError, RunError) as error:
                refusals += 1
                assert len(str(error).splitlines()) == 1  # noqa: PT017
            for item in path.parent.iterdir():
                if item != path:
                    item.unlink()
    assert refusals > 50
