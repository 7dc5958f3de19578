"""The search without I/O: fake workers, lost ones, late reports, interruptions anywhere."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.config.search_config import SearchConfig
from hpsearch.narrowing.verdicts import Verdict
from hpsearch.search import events as ev
from hpsearch.search.progress import progress
from hpsearch.search.search import Search
from hpsearch.search.stage_sequence import PastStage
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import SearchSpace
from tests.support import a_checkpoint, kinds, states, tiny_config
from workers.messages import EpochReport, Pack, Trial

ENDED = ("complete", "pruned", "failed")
POISON = "ValueError: this trial raises, whoever trains it"


@dataclass(frozen=True)
class World:
    """What training comes to: each trial's fate follows from its number and nothing else."""

    every: int = 1
    metric: str = "val_accuracy"

    def poisoned(self, trial: int, epoch: int) -> bool:
        return trial % 8 == 3 and epoch == 2

    def report(self, trial: Trial, epoch: int) -> EpochReport:
        number = trial.number
        if number % 9 == 4 and epoch == 2:
            return EpochReport(number, trial.attempt, epoch, {}, 0.1, failure="became nan")
        score = ((number * 7919 + epoch * 104729) % 23) / 10
        if number % 11 == 5:
            score = math.nan
        stopped = "no better" if number % 7 == 2 and epoch == 3 else None
        last = stopped is not None or epoch == trial.epochs
        saved = None
        if math.isfinite(score) and (last or epoch % self.every == 0):
            saved = a_checkpoint(number, epoch, score)
        metrics = {self.metric: score, "train_loss": 1.0 / (epoch + number)}
        return EpochReport(number, trial.attempt, epoch, metrics, 0.1, saved, stopped=stopped)


@dataclass
class Store:
    """What is written down, as plain data; refuses what the real one would."""

    stages: dict[int, dict[str, Any]] = field(default_factory=dict)
    trials: dict[int, dict[str, Any]] = field(default_factory=dict)
    epochs: dict[tuple[int, int], EpochReport] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    disk: set[str] = field(default_factory=set)
    finished: bool = False

    def write(self, commands: Iterable[ev.Command]) -> None:
        for command in commands:
            match command:
                case ev.BeginStage(stage, _, space, first):
                    assert (stage, first) == (len(self.stages), len(self.trials))
                    assert all(s["verdicts"] is not None for s in self.stages.values())
                    self.stages[stage] = {"space": space, "verdicts": None, "first": first}
                case ev.EndStage(stage, verdicts):
                    mine = [t for t in self.trials.values() if t["stage"] == stage]
                    assert all(t["state"] in ENDED for t in mine)
                    self.stages[stage]["verdicts"] = verdicts
                case ev.Record(reports):
                    for report in reports:
                        self._record(report)
                case ev.RemoveCheckpoints(names):
                    gone = {int(name.split("/")[0]) for name in set(names) - self.disk}
                    assert all(self.trials[number]["state"] == "pruned" for number in gone)
                    self.disk -= set(names)
                    self.kept -= set(names)
                case ev.Finish():
                    assert not self.finished
                    self.finished = True
                case _:
                    self._write_trial(command)

    def _write_trial(self, command: ev.Command) -> None:
        match command:
            case ev.AddTrial(number, stage, params, epochs):
                assert number == len(self.trials)
                assert self.stages[stage]["verdicts"] is None
                trial = {"stage": stage, "params": params, "epochs": epochs, "state": "waiting"}
                self.trials[number] = trial | {"attempt": 0, "failures": 0, "reason": None}
            case ev.PromoteTrial(number, stage, epochs):
                assert self.trials[number]["state"] == "complete"
                assert (stage, epochs) > (self.trials[number]["stage"],)
                self.trials[number] |= {"stage": stage, "epochs": epochs, "state": "waiting"}
                self.trials[number]["reason"] = None
            case ev.StartTrial(number, attempt):
                assert self.trials[number]["state"] in ("waiting", "running")
                assert attempt > self.trials[number]["attempt"]
                self.trials[number] |= {"state": "running", "attempt": attempt}
            case ev.NoteFailure(number, attempt, _, _):
                assert self.trials[number]["state"] == "running"
                assert attempt == self.trials[number]["attempt"]
                self.trials[number]["state"] = "waiting"
                self.trials[number]["failures"] += 1
            case ev.EndTrial(number, state, reason):
                assert self.trials[number]["state"] in ("waiting", "running")
                self.trials[number] |= {"state": state, "reason": reason}

    def _record(self, report: EpochReport) -> None:
        trial = self.trials[report.trial]
        assert (report.trial, report.epoch) not in self.epochs, "an epoch counts once"
        assert (trial["state"], trial["attempt"]) == ("running", report.attempt)
        if report.failure is None:
            done = sum(number == report.trial for number, _ in self.epochs)
            assert report.epoch == done + 1, "epochs come without gaps"
            self.epochs[report.trial, report.epoch] = report
        if report.checkpoint is not None:
            assert report.checkpoint.name in self.disk
            self.kept.add(report.checkpoint.name)

    def restore(self, config: SearchConfig, search: Search) -> None:
        """Hand over what is written down, in the way the master does."""
        stages = [
            PastStage(
                SearchSpace.from_json(stage["space"]),
                None
                if stage["verdicts"] is None
                else tuple(map(Verdict.from_json, stage["verdicts"])),
                stage["first"],
            )
            for stage in self.stages.values()
        ]
        records = [
            TrialRecord(number=n, spec=config.spec(t["params"]), **t)
            for n, t in self.trials.items()
        ]
        reports = [self._kept(report) for _, report in sorted(self.epochs.items())]
        search.restore(stages, records, reports)

    def _kept(self, report: EpochReport) -> EpochReport:
        saved = report.checkpoint
        forgotten = saved is not None and saved.name not in self.kept
        return replace(report, checkpoint=None) if forgotten else report

    def table(self) -> Any:
        """Return all that may not depend on how the search went."""
        fates = [
            (n, t["stage"], t["params"], t["state"], t["reason"]) for n, t in self.trials.items()
        ]
        epochs = {key: repr(sorted(r.metrics.items())) for key, r in self.epochs.items()}
        return fates, epochs, self.kept, self.stages


class Cluster:
    """Fake workers that do as they are told, one thing at a time."""

    def __init__(
        self, config: SearchConfig, world: World, *, workers: int, size: int, deaf: bool = False
    ) -> None:
        self.config, self.world = config, world
        self.store = Store()
        self.workers, self.size, self.deaf = workers, size, deaf
        self.sent: list[tuple[int, tuple[EpochReport, ...]]] = []
        self.restart()

    def restart(self) -> None:
        """Begin with a new master and new workers from what is written down."""
        self.ready = list(range(self.workers))
        self.busy: dict[int, tuple[Pack, int, list[Trial]]] = {}
        self.search = Search(
            self.config, workers=self.workers, parameter_count=lambda spec: self.size
        )
        self.store.finished = False
        self.store.disk &= self.store.kept
        self.store.restore(self.config, self.search)
        self.perform(self.search.begin())

    def perform(self, commands: Sequence[ev.Command]) -> None:
        self.store.write(commands)
        for command in commands:
            match command:
                case ev.Dispatch(worker, pack):
                    assert worker not in self.busy
                    assert worker not in self.ready
                    self._check(pack)
                    start = pack.trials[0].start
                    epoch = start.epoch if start else 0
                    self.busy[worker] = (pack, epoch, list(pack.trials))
                case ev.StopTrials(worker, numbers) if not self.deaf:
                    pack, epoch, trials = self.busy[worker]
                    going = [trial for trial in trials if trial.number not in numbers]
                    self.busy[worker] = (pack, epoch, going)
                case ev.ReplaceWorker(worker):
                    self.ready.append(worker)

    def _check(self, pack: Pack) -> None:
        assert len({(t.start.epoch if t.start else 0, t.epochs) for t in pack.trials}) == 1
        assert len({t.spec.hidden for t in pack.trials}) == 1
        for trial in pack.trials:
            assert self.store.trials[trial.number]["attempt"] == trial.attempt
            assert self.store.trials[trial.number]["state"] == "running"
            assert trial.start is None or trial.start.name in self.store.kept

    def tell(self, event: ev.Event, *, forget: bool = False) -> None:
        """Hand an event to the search; with ``forget`` the master dies before it commits."""
        commands = self.search.handle(event)
        if forget:
            self.restart()
        else:
            self.perform(commands)

    def step(self, choice: int, *, forget: bool = False) -> None:
        """Let one of the workers do what it does next."""
        doers = [*self.ready, *self.busy]
        worker = doers[choice % len(doers)]
        if worker in self.ready:
            self.ready.remove(worker)
            self.tell(ev.WorkerReady(worker), forget=forget)
            return
        pack, epoch, trials = self.busy.pop(worker)
        if not trials or epoch == trials[0].epochs:
            self.tell(ev.WorkerReady(worker), forget=forget)
        elif any(self.world.poisoned(t.number, epoch + 1) for t in trials):
            self.tell(ev.WorkerLost(worker, POISON, retry=False), forget=forget)
        else:
            reports = tuple(self.world.report(t, epoch + 1) for t in trials)
            going = [
                t
                for t, r in zip(trials, reports, strict=True)
                if r.failure is None and r.stopped is None
            ]
            self.busy[worker] = (pack, epoch + 1, going)
            self.sent.append((worker, reports))
            self.store.disk |= {r.checkpoint.name for r in reports if r.checkpoint is not None}
            self.tell(ev.Reported(worker, reports), forget=forget)

    def lose(self, choice: int) -> None:
        """Let a worker die, be it idle, busy or about to start."""
        worker = choice % self.workers
        self.busy.pop(worker, None)
        if worker in self.ready:
            self.ready.remove(worker)
        self.tell(ev.WorkerLost(worker, "its node died"))

    def repeat(self, choice: int) -> None:
        """Let a report arrive again, as of a worker that was taken for dead."""
        if self.sent:
            worker, reports = self.sent[choice % len(self.sent)]
            self.tell(ev.Reported(worker, reports))

    def do(self, deed: str, choice: int) -> None:
        match deed:
            case "step":
                self.step(choice)
            case "forget":
                self.step(choice, forget=True)
            case "lose":
                self.lose(choice)
            case "repeat":
                self.repeat(choice)
            case "kill":
                self.restart()

    def finish(self) -> Any:
        for _ in range(5_000):
            if self.search.finished:
                return self.store.table()
            assert self.ready or self.busy, "the search waits for nobody"
            self.step(0)
        raise AssertionError("the search does not end")


NARROW = {"keep_top": 0.4}
SCENARIOS: dict[str, dict[str, Any]] = {
    "narrowing": {
        "stages": [
            {"name": "coarse", "num_trials": 8, "epochs": 2},
            {"name": "medium", "num_trials": 6, "epochs": 3, "narrow": NARROW},
            {"name": "fine", "num_trials": 4, "epochs": 5, "narrow": {"at_border": "extend"}},
        ],
    },
    "learning": {
        "stages": [
            {"name": "one", "num_trials": 10, "epochs": 2, "sampler": "tpe", "generation": 3},
            {"name": "two", "num_trials": 5, "epochs": 3, "sampler": "tpe", "generation": 2},
        ],
    },
    "pruning": {
        "stages": [
            {
                "name": "one",
                "num_trials": 10,
                "epochs": 6,
                "generation": 4,
                "pruner": {"type": "median", "startup_trials": 2},
            },
            {"name": "two", "num_trials": 4, "epochs": 6, "pruner": {"type": "asha"}},
        ],
    },
    "promoting": {
        "stages": [
            {"name": "one", "num_trials": 10, "epochs": 2},
            {"name": "two", "num_trials": 2, "epochs": 4, "promote": 4, "narrow": NARROW},
            {
                "name": "three",
                "num_trials": 0,
                "epochs": 7,
                "promote": 0.5,
                "pruner": {"type": "patience", "patience": 2},
            },
        ],
        "rescore": {"top": 2, "seeds": 2},
    },
}


def a_config(
    scenario: str = "narrowing", *, every: int = 1, keep_top: int = 3, **changes: Any
) -> SearchConfig:
    values = {
        "study__max_failures": 1000,
        "checkpoint": {"every": every, "keep_top": keep_top},
        "ensemble": {"size": 1},
        "search_space__hidden": {"type": "categorical", "choices": [[4], [8]]},
    }
    return tiny_config(**(values | SCENARIOS[scenario] | changes))


@cache
def undisturbed(scenario: str, every: int, keep_top: int) -> Any:
    """What a search comes to whose one worker trains one trial after the other."""
    config = a_config(scenario, every=every, keep_top=keep_top)
    return Cluster(config, World(every), workers=1, size=1_000_000).finish()


# --- whatever happens


@pytest.mark.parametrize("scenario", SCENARIOS)
@settings(max_examples=20, deadline=None)
@given(
    every=st.integers(1, 3),
    keep_top=st.sampled_from([1, 3]),
    workers=st.integers(1, 4),
    size=st.sampled_from([1_000, 50_000, 1_000_000]),
    deaf=st.booleans(),
    before=st.integers(0, 80),
    script=st.lists(
        st.tuples(
            st.sampled_from(["step", "step", "step", "lose", "repeat", "kill", "forget"]),
            st.integers(0, 1_000),
        ),
        max_size=40,
    ),
)
def test_ends_the_same_whatever_is_lost_repeated_or_interrupted(
    scenario: str,
    every: int,
    keep_top: int,
    workers: int,
    size: int,
    deaf: bool,
    before: int,
    script: list[tuple[str, int]],
) -> None:
    config = a_config(scenario, every=every, keep_top=keep_top)
    cluster = Cluster(config, World(every), workers=workers, size=size, deaf=deaf)
    for deed, choice in [*[("step", 0)] * before, *script]:
        if cluster.search.finished:
            break
        cluster.do(deed, choice)
        assert progress(cluster.search).left >= 0
    assert cluster.finish() == undisturbed(scenario, every, keep_top)
    assert progress(cluster.search).left == 0
    cluster.restart()
    assert cluster.search.finished
    assert cluster.store.table() == undisturbed(scenario, every, keep_top)
    assert cluster.store.disk == cluster.store.kept


@pytest.mark.parametrize("deed", ["lose", "forget"])
@pytest.mark.parametrize(
    ("scenario", "every", "size"),
    [
        ("narrowing", 1, 1_000_000),
        ("narrowing", 2, 50_000),
        ("learning", 1, 1_000),
        ("pruning", 1, 1_000),
        ("promoting", 1, 1_000),
        ("promoting", 2, 1_000_000),
    ],
)
def test_ends_the_same_after_a_fault_at_any_instant(
    deed: str, scenario: str, every: int, size: int
) -> None:
    config = a_config(scenario, every=every, keep_top=1)
    for instant in range(200):
        cluster = Cluster(config, World(every), workers=1, size=size)
        for _ in range(instant):
            cluster.step(0)
        if cluster.search.finished:
            break
        cluster.do(deed, 0)
        assert cluster.finish() == undisturbed(scenario, every, 1), f"{deed} after {instant} steps"
    assert instant > 10


def best_files(cluster: Cluster) -> set[str]:
    """The best file of each of the best trials that completed, worked out anew."""
    best: dict[int, tuple[float, int, str]] = {}
    for (number, epoch), report in sorted(cluster.store.epochs.items()):
        if cluster.store.trials[number]["state"] == "complete" and report.checkpoint is not None:
            rank = (-report.checkpoint.score, epoch, report.checkpoint.name)
            best[number] = min(rank, best.get(number, rank))
    ranked = sorted((score, number, name) for number, (score, _, name) in best.items())
    return {name for _, _, name in ranked[: cluster.config.checkpoint.keep_top]}


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("keep_top", [1, 3, 100])
def test_the_best_files_of_the_best_trials_are_kept(
    scenario: str, every: int, keep_top: int
) -> None:
    config = a_config(scenario, every=every, keep_top=keep_top)
    cluster = Cluster(config, World(every), workers=2, size=50_000)
    cluster.finish()
    assert cluster.store.kept == best_files(cluster)


def fates(cluster: Cluster) -> set[tuple[str, str | None]]:
    return {(state, reason) for _, state, reason in states(cluster.search)}


def test_the_undisturbed_search_meets_every_fate() -> None:
    """What the properties above rest on: there is something to lose."""
    cluster = Cluster(a_config(), World(), workers=2, size=1_000)
    _, epochs, kept, stages = cluster.finish()
    assert fates(cluster) == {
        *(("complete", None), ("complete", "no better")),
        *(("failed", "became nan"), ("failed", POISON)),
    }
    assert (len(stages), len(kept), progress(cluster.search).left) == (3, 3, 0)
    assert len(epochs) > 40
    nan = [r for r in cluster.search.trials.values() if r.number % 11 == 5]
    assert nan
    assert all(record.score is None for record in nan)
    for scenario in ("pruning", "promoting"):
        other = Cluster(a_config(scenario), World(), workers=2, size=1_000)
        other.finish()
        assert any(state == "pruned" for state, _ in fates(other))
    assert max(record.stage for record in other.search.trials.values() if record.number < 10) == 2


# --- by hand


def begun(**changes: Any) -> tuple[Search, list[ev.Command]]:
    """A search of 6 small networks in the first stage, and its first commands."""
    search = Search(tiny_config(**changes), workers=2, parameter_count=lambda spec: 1_000)
    return search, search.begin()


def reports(pack: Pack, epoch: int, *, score: float = 0.5, **values: Any) -> ev.Reported:
    world = World()
    found = (replace(world.report(t, epoch), failure=None) for t in pack.trials)
    metrics = {"val_accuracy": score}
    return ev.Reported(0, tuple(replace(r, metrics=metrics, **values) for r in found))


def test_writes_before_it_dispatches() -> None:
    search, commands = begun()
    assert kinds(commands) == ["BeginStage", *["AddTrial"] * 6]
    commands = search.handle(ev.WorkerReady(1))
    assert kinds(commands) == [*["StartTrial"] * 3, "Dispatch"]
    assert isinstance(commands[-1], ev.Dispatch)
    assert (commands[-1].worker, [t.number for t in commands[-1].pack.trials]) == (1, [0, 1, 2])


def test_trials_are_asked_for_a_little_ahead_only() -> None:
    stages = [{"name": "one", "num_trials": 1_000, "epochs": 1}]
    search, commands = begun(stages=stages)
    assert kinds(commands) == ["BeginStage", *["AddTrial"] * 128]
    commands = search.handle(ev.WorkerReady(0))
    assert kinds(commands) == [*["StartTrial"] * 64, *["AddTrial"] * 64, "Dispatch"]


def test_a_stale_attempt_changes_nothing() -> None:
    search, _ = begun()
    dispatch = search.handle(ev.WorkerReady(0))[-1]
    assert isinstance(dispatch, ev.Dispatch)
    search.handle(ev.WorkerLost(0, "its node died"))
    again = search.handle(ev.WorkerReady(0))
    assert [c.attempt for c in again if isinstance(c, ev.StartTrial)] == [2]
    assert search.handle(reports(dispatch.pack, 1)) == []


def test_an_epoch_reported_twice_counts_once() -> None:
    search, _ = begun()
    dispatch = search.handle(ev.WorkerReady(0))[-1]
    assert isinstance(dispatch, ev.Dispatch)
    assert kinds(search.handle(reports(dispatch.pack, 1))) == ["Record"]
    assert search.handle(reports(dispatch.pack, 1)) == []


@pytest.mark.parametrize("most", [0, 1, 3])
def test_a_trial_is_tried_again_so_many_times(most: int) -> None:
    search, _ = begun(
        study__max_failures=most, stages=[{"name": "a", "num_trials": 1, "epochs": 1}]
    )
    for attempt in range(1, most + 2):
        commands = search.handle(ev.WorkerReady(0))
        assert commands[0] == ev.StartTrial(0, attempt)
        commands = search.handle(ev.WorkerLost(0, f"crash {attempt}"))
        assert commands[0] == ev.NoteFailure(0, attempt, 0, f"crash {attempt}")
        assert ("EndTrial" in kinds(commands)) == (attempt == most + 1)
    assert list(states(search)) == [(0, "failed", f"crash {most + 1}")]
    assert search.finished


def test_a_pack_that_was_left_early_is_given_away_again() -> None:
    search, _ = begun(stages=[{"name": "a", "num_trials": 1, "epochs": 2}])
    search.handle(ev.WorkerReady(0))
    commands = search.handle(ev.WorkerReady(0))
    assert kinds(commands) == ["NoteFailure", "StartTrial", "Dispatch"]


@pytest.mark.parametrize("most", [0, 3])
def test_an_error_that_would_come_again_ends_the_culprit_alone(most: int) -> None:
    config = tiny_config(
        study__max_failures=most, stages=[{"name": "a", "num_trials": 12, "epochs": 2}]
    )
    cluster = Cluster(config, World(), workers=1, size=1_000)
    cluster.finish()
    poisoned = {n for n, _, reason in states(cluster.search) if reason == POISON}
    assert poisoned == {3, 11}
    assert {n for n, state, _ in states(cluster.search) if state == "failed"} == {3, 4, 11}


def test_a_fatal_border_ends_the_search_at_its_stage() -> None:
    config = tiny_config(
        search_space={"dropout": {"type": "float", "low": 0.1, "high": 0.6}},
        stages=[
            {"name": "coarse", "num_trials": 50, "epochs": 1},
            {"name": "fine", "num_trials": 3, "epochs": 1, "narrow": {"at_border": "error"}},
        ],
    )
    search = Search(config, workers=1, parameter_count=lambda spec: 1_000)
    search.begin()
    dispatch = search.handle(ev.WorkerReady(0))[-1]
    assert isinstance(dispatch, ev.Dispatch)
    told = [
        replace(World().report(t, 1), failure=None, metrics={"val_accuracy": 1 - t.spec.dropout})
        for t in dispatch.pack.trials
    ]
    commands = search.handle(ev.Reported(0, tuple(told)))
    assert kinds(commands)[-2:] == ["EndStage", "Finish"]
    assert isinstance(commands[-1], ev.Finish)
    assert "dropout" in (commands[-1].reason or "")
    assert "at_border: error" in (commands[-1].reason or "")
    assert len(search.trials) == 50
    assert search.handle(ev.WorkerReady(0)) == []


def test_a_search_in_which_every_trial_fails_ends_all_the_same() -> None:
    search, _ = begun()
    commands = search.handle(ev.WorkerReady(0))
    while not search.finished:
        pack = next(c.pack for c in commands if isinstance(c, ev.Dispatch))
        failed = [
            EpochReport(t.number, t.attempt, 1, {}, 0.1, failure="became nan") for t in pack.trials
        ]
        commands = search.handle(ev.Reported(0, tuple(failed)))
        commands = search.handle(ev.WorkerReady(0))
    assert {(state, reason) for _, state, reason in states(search)} == {("failed", "became nan")}
    assert progress(search).best is None
    first, second = (stage.space for stage in search.stages)
    assert first == second


def test_lower_is_better_where_the_metric_says_so() -> None:
    config = tiny_config(study__metric="val_loss")
    cluster = Cluster(config, World(metric="val_loss"), workers=1, size=1_000)
    cluster.finish()
    best = progress(cluster.search).best
    assert best is not None
    scores = [
        r.metrics["val_loss"]
        for (n, _), r in cluster.store.epochs.items()
        if cluster.store.trials[n]["state"] == "complete"
    ]
    assert best.score == min(s for s in scores if not math.isnan(s))
