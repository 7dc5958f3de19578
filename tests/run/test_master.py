"""The master: written first, done after; whoever dies, the tables come out the same."""

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hpsearch.config.search_config import SearchConfig
from hpsearch.data import datasets
from hpsearch.execution.cluster.machine import Memory
from hpsearch.run import memory_check
from hpsearch.run.master import Master, tidy
from hpsearch.run.restore import prepare
from hpsearch.search import events as ev
from hpsearch.search.events import Event, Reported, WorkerLost, WorkerReady
from hpsearch.search.search import Search
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from tests.support import tiny_config
from workers.checkpoints import checkpoint_files
from workers.data.dataset import Dataset
from workers.errors import RunError
from workers.messages import Checkpoint, EpochReport, Pack, Trial

CONFIG = tiny_config(study__max_failures=1000)


class CrashError(Exception):
    """The master's process is gone."""


class Puppets:
    """Workers that do not train: what they report follows from the trial and the epoch.

    Each call of :meth:`wait` lets one of them report, or, as ``faults`` has it, die, or
    say again what was said before, by a worker thought dead too.
    """

    def __init__(self, folder: RunFolder, *, rng: random.Random, faults: float) -> None:
        self.workers = 2
        self.submitted: list[Pack] = []
        self._folder = folder
        self._rng = rng
        self._faults = faults
        self._running: dict[int, Iterator[tuple[EpochReport, ...]]] = {}
        self._dead: list[Iterator[tuple[EpochReport, ...]]] = []
        self._said: list[tuple[EpochReport, ...]] = []
        self._events: list[Event] = [WorkerReady(0), WorkerReady(1)]

    def submit(self, worker: int, pack: Pack) -> None:
        assert worker not in self._running
        self.submitted.append(pack)
        self._running[worker] = self._train(pack)

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        raise NotImplementedError

    def replace(self, worker: int) -> None:
        assert worker not in self._running
        self._events.append(WorkerReady(worker))

    def wait(self, timeout_seconds: float) -> list[Event]:
        if self._events:
            return [self._events.pop()]
        worker = self._rng.choice(sorted(self._running))
        if self._rng.random() < self._faults:
            ghost = self._haunt() if self._rng.random() < 0.8 else None
            if ghost:
                return [Reported(worker, self._boast(ghost))]
            self._dead.append(self._running.pop(worker))
            return [WorkerLost(worker, "it died")]
        reports = next(self._running[worker], None)
        if reports is None:
            del self._running[worker]
            return [WorkerReady(worker)]
        self._said.append(reports)
        return [Reported(worker, reports)]

    def disconnect(self) -> None:
        self._running.clear()

    def close(self) -> None:
        self._running.clear()

    def _haunt(self) -> tuple[EpochReport, ...] | None:
        """Return what was said already, or what a dead worker has to say now."""
        if self._dead and self._rng.random() < 0.8:
            return next(self._rng.choice(self._dead), None)
        return self._rng.choice(self._said) if self._said else None

    def _boast(self, reports: tuple[EpochReport, ...]) -> tuple[EpochReport, ...]:
        return tuple(replace(r, metrics={**r.metrics, "val_accuracy": 0.9999}) for r in reports)

    def _train(self, pack: Pack) -> Iterator[tuple[EpochReport, ...]]:
        start = pack.trials[0].start
        for epoch in range(start.epoch + 1 if start else 1, pack.trials[0].epochs + 1):
            yield tuple(self._report(trial, epoch) for trial in pack.trials)

    def _report(self, trial: Trial, epoch: int) -> EpochReport:
        score = (trial.number * 37 + epoch * 11) % 97 / 100
        name = checkpoint_files.file_name("val_accuracy", score, trial.number, epoch)
        (self._folder.checkpoints / name).write_bytes(b"x")
        saved = Checkpoint(name, trial.number, epoch, score, 1, "ab" * 32)
        metrics = {"val_accuracy": score, "train_loss": 1.0}
        return EpochReport(trial.number, trial.attempt, epoch, metrics, 0.1, saved)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return datasets.load(CONFIG.data, seed=0).dataset


def make(path: Path, config: SearchConfig = CONFIG) -> RunFolder:
    folder = RunFolder(path)
    folder.create(config)
    meta = {"name": "tiny", "metric": "val_accuracy", "direction": "maximize", "seed": 3}
    Store.create(folder.database, meta).close()
    return folder


def go_on(
    folder: RunFolder,
    data: Dataset,
    *,
    seed: int,
    faults: float = 0.0,
    rounds: int | None = None,
    memory: float = math.inf,
) -> Puppets:
    """Search until the end, or until the master dies after so many rounds."""
    config = folder.load_config()
    puppets = Puppets(folder, rng=random.Random(seed), faults=faults)
    left = iter(range(10**6 if rounds is None else rounds))

    def watch(search: Search) -> None:
        if next(left, None) is None:
            raise CrashError

    with Store.open(folder.database) as store, closing(puppets):
        tidy(folder, store)
        search = prepare(config, store, data, workers=2)
        fits = partial(memory_check.check_grown, config, data, Memory(memory))
        Master(search, folder=folder, store=store, executor=puppets, check=fits).run(watch)
        assert search.finished
        tidy(folder, store)
    return puppets


def tables(folder: RunFolder) -> dict[str, Any]:
    """Return what the store and the folder hold, without the traces of misfortune."""
    with Store.read(folder.database) as store:
        return {
            "stages": store.stages(),
            "trials": [replace(row, attempt=0, failures=0) for row in store.trials()],
            "epochs": [replace(row, attempt=0) for row in store.epochs()],
            "kept": store.checkpoints(),
            "files": sorted(path.name for path in folder.checkpoints.iterdir()),
        }


@pytest.fixture(scope="module")
def undisturbed(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = make(tmp_path_factory.mktemp("undisturbed") / "tiny")
    go_on(folder, data, seed=0)
    return tables(folder)


def test_an_undisturbed_search(undisturbed: dict[str, Any]) -> None:
    trials, stages = undisturbed["trials"], undisturbed["stages"]
    assert [(row.stage, row.state, row.epochs) for row in trials] == [(0, "complete", 2)] * 6 + [
        (1, "complete", 4)
    ] * 4
    assert [stage.state for stage in stages] == ["complete", "complete"]
    assert len(undisturbed["epochs"]) == 6 * 2 + 4 * 4
    kept = sorted((c.score for c in undisturbed["kept"]), reverse=True)
    best = {(t.number): 0.0 for t in trials}
    for row in undisturbed["epochs"]:
        best[row.trial] = max(best[row.trial], row.metrics["val_accuracy"])
    assert kept == sorted(best.values(), reverse=True)[:4]
    assert undisturbed["files"] == sorted(c.name for c in undisturbed["kept"])


@pytest.mark.parametrize("seed", range(6))
def test_deaths_delays_and_ghosts_change_nothing(
    data: Dataset, undisturbed: dict[str, Any], tmp_path: Path, seed: int
) -> None:
    folder = make(tmp_path / "tiny")
    puppets = go_on(folder, data, seed=seed, faults=0.6)
    assert tables(folder) == undisturbed
    attempts = [(trial.number, trial.attempt) for p in puppets.submitted for trial in p.trials]
    assert len(set(attempts)) == len(attempts)
    assert any(attempt > 1 for _, attempt in attempts)


@pytest.mark.parametrize("seed", range(6))
def test_masters_that_die_change_nothing(
    data: Dataset, undisturbed: dict[str, Any], tmp_path: Path, seed: int
) -> None:
    folder = make(tmp_path / "tiny")
    rng = random.Random(seed)
    crashes = 0
    while crashes < 20:
        try:
            go_on(folder, data, seed=rng.getrandbits(32), faults=0.1, rounds=rng.randrange(12))
        except CrashError:
            crashes += 1
        else:
            break
    go_on(folder, data, seed=seed)
    assert crashes > 2
    assert tables(folder) == undisturbed


def test_a_new_attempt_begins_after_the_last_acknowledged_epoch(
    data: Dataset, tmp_path: Path
) -> None:
    folder = make(tmp_path / "tiny")
    with pytest.raises(CrashError):
        go_on(folder, data, seed=1, rounds=12)
    with Store.read(folder.database) as store:
        done = {row.number: row.epochs_done for row in store.trials() if row.state == "running"}
    assert set(done.values()) - {0}
    again = [t for p in go_on(folder, data, seed=2).submitted for t in p.trials if t.number in done]
    assert {t.number: t.start.epoch if t.start else 0 for t in again} == done
    assert {t.attempt for t in again} == {2}


UNITS = 4, 6, 8, 5, 3, 2
"""Hidden units by trial: the third is the best, at the border."""

ROOM = 4 * ((4 * 8 + 8 + 8 * 3 + 3) * 5 + 2 * 16 * (8 + 3))
"""Bytes of 8 units: parameters, gradient, velocity, the average (twice as long numbers), a
mini-batch and its gradient."""


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    """A run whose only range ends at 8 units, and grows beyond after the first stage."""
    config = tiny_config(
        search_space={"hidden_units": {"type": "int", "low": 2, "high": 8}},
        stages=[
            {"name": "coarse", "num_trials": 6, "epochs": 2},
            {
                "name": "fine",
                "num_trials": 4,
                "epochs": 4,
                "narrow": {"keep_top": 0.5, "at_border": "extend"},
            },
        ],
        enqueue=[{"hidden_units": units} for units in UNITS],
    )
    make(tmp_path / "small", config)
    make(tmp_path / "large", config)
    return tmp_path


def test_ranges_that_outgrow_the_memory_end_the_search_where_it_can_go_on(
    data: Dataset, growing: Path
) -> None:
    small, large = RunFolder(growing / "small"), RunFolder(growing / "large")
    go_on(large, data, seed=0)
    for seed in range(2):
        with pytest.raises(RunError, match=r"at_border: extend.*hidden \[11\].*resume where"):
            go_on(small, data, seed=seed, memory=ROOM)
        found = tables(small)
        assert [stage.state for stage in found["stages"]] == ["complete"]
        assert [row.state for row in found["trials"]] == ["complete"] * 6
    go_on(small, data, seed=2)
    assert tables(small) == tables(large)
    assert tables(large)["stages"][1].space["hidden_units"]["high"] == 11


def test_a_stage_that_has_grown_elsewhere_is_not_gone_on_with_where_it_does_not_fit(
    data: Dataset, growing: Path
) -> None:
    small, large = RunFolder(growing / "small"), RunFolder(growing / "large")
    go_on(large, data, seed=0)
    rounds = 0
    while len(tables(small)["stages"]) < 2:
        rounds += 1
        with pytest.raises(CrashError):
            go_on(small, data, seed=0, rounds=rounds)
    before = tables(small)
    with pytest.raises(RunError, match="at_border: extend"):
        go_on(small, data, seed=1, memory=ROOM)
    assert tables(small) == before
    go_on(small, data, seed=1)
    assert tables(small) == tables(large)


class Rig:
    """A master at the beginning of its search, whose commands a test gives."""

    def __init__(self, folder: RunFolder, store: Store, data: Dataset) -> None:
        self.folder = folder
        self.store = store
        self.puppets = Puppets(folder, rng=random.Random(0), faults=0.0)
        search = prepare(CONFIG, store, data, workers=2)
        self.master = Master(
            search, folder=folder, store=store, executor=self.puppets, check=lambda space: None
        )
        self.file = folder.checkpoints / "file"
        self.file.write_bytes(b"x")
        self.pack = Pack(0, (Trial(0, CONFIG.spec({}), 2),))


@pytest.fixture
def rig(data: Dataset, tmp_path: Path) -> Iterator[Rig]:
    folder = make(tmp_path / "tiny")
    with Store.open(folder.database) as store:
        yield Rig(folder, store, data)


def test_nothing_is_done_that_could_not_be_written(rig: Rig) -> None:
    impossible = ev.EndTrial(99, "complete", None)
    rig.store.begin_stage(0, "coarse", {}, 0)
    with pytest.raises(RunError):
        rig.master._perform(
            [
                ev.AddTrial(0, 0, {}, 2),
                ev.Dispatch(0, rig.pack),
                ev.RemoveCheckpoints(("file",)),
                impossible,
            ]
        )
    assert rig.puppets.submitted == []
    assert rig.file.exists()
    assert rig.store.trials() == ()


def test_what_is_written_is_written_before_anything_is_done(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever trains could report at once: the trial must be known by then."""

    def submit(worker: int, pack: Pack) -> None:
        with Store.read(rig.folder.database) as reader:
            seen.append([(row.number, row.state, row.attempt) for row in reader.trials()])

    seen: list[Any] = []
    monkeypatch.setattr(rig.puppets, "submit", submit)
    rig.store.begin_stage(0, "coarse", {}, 0)
    rig.master._perform([ev.Dispatch(0, rig.pack), ev.AddTrial(0, 0, {}, 2), ev.StartTrial(0, 1)])
    assert seen == [[(0, "running", 1)]]


def test_a_checkpoint_that_is_gone_already_is_no_trouble(rig: Rig) -> None:
    rig.master._perform([ev.RemoveCheckpoints(("file", "never_was"))])
    assert not rig.file.exists()


def test_tidying_removes_what_nobody_acknowledged(rig: Rig) -> None:
    names = {
        "unknown": checkpoint_files.file_name("val_accuracy", 0.5, 3, 1),
        "working": f".{checkpoint_files.file_name('val_accuracy', 0.5, 3, 2)}.0123456789abcdef.tmp",
        "foreign": "notes.txt",
    }
    for name in names.values():
        (rig.folder.checkpoints / name).write_bytes(b"x")
    (rig.folder.ensembles / ".top-3.new").mkdir()
    (rig.folder.ensembles / "top-3").mkdir()
    tidy(rig.folder, rig.store)
    assert {path.name for path in rig.folder.checkpoints.iterdir()} == {"file", names["foreign"]}
    assert [path.name for path in rig.folder.ensembles.iterdir()] == ["top-3"]
