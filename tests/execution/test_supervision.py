"""Hung workers are replaced, by the watcher's own clock; the lost ones wait for their turn."""

from collections.abc import Sequence

import pytest

from hpsearch.execution.supervision import SupervisedExecutor
from hpsearch.execution.timeouts import WorkerTimeouts
from hpsearch.search.events import Event, Reported, WorkerLost, WorkerReady
from workers.errors import RunError
from workers.messages import Pack


class Silent:
    """Workers that say only what they are told to."""

    def __init__(self) -> None:
        self.workers = 2
        self.news: list[Event] = []
        self.replaced: list[int] = []
        self.dismissed: list[int] = []

    def submit(self, worker: int, pack: Pack) -> None:
        pass

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        pass

    def dismiss(self, worker: int) -> None:
        self.dismissed.append(worker)

    def replace(self, worker: int) -> None:
        self.replaced.append(worker)

    def wait(self, timeout_seconds: float) -> list[Event]:
        events, self.news = self.news, []
        return events

    def disconnect(self) -> None:
        pass

    def close(self) -> None:
        pass


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr("hpsearch.execution.supervision.time.sleep", sleep)
    return clock


def watched(inner: Silent, clock: Clock) -> SupervisedExecutor:
    return SupervisedExecutor(inner, silence_seconds=60.0, seed=0, clock=clock)


def after(executor: SupervisedExecutor, clock: Clock, seconds: float) -> list[Event]:
    """Wait until something happens, at most so long."""
    last = clock.now + seconds
    while clock.now < last:
        if events := executor.wait(1.0):
            return events
    return []


def test_a_silent_worker_is_lost_and_only_that_one(clock: Clock) -> None:
    inner = Silent()
    executor = watched(inner, clock)
    executor.submit(0, Pack(0, ()))
    executor.submit(1, Pack(1, ()))
    for _ in range(13):
        assert after(executor, clock, 4) == []
        inner.news = [Reported(1, ())]
        assert after(executor, clock, 1) == [Reported(1, ())]
    assert inner.dismissed == []
    assert after(executor, clock, 20) == [WorkerLost(0, "it hung: no epoch within 60 s")]
    assert inner.dismissed == [0]
    assert after(executor, clock, 100) == [WorkerLost(1, "it hung: no epoch within 60 s")]
    with pytest.raises(RunError, match="no worker came back"):
        after(executor, clock, 1000)


def test_slow_epochs_are_given_more_time(clock: Clock) -> None:
    inner = Silent()
    executor = watched(inner, clock)
    executor.submit(0, Pack(0, ()))
    assert after(executor, clock, 40) == []
    inner.news = [Reported(0, ())]
    after(executor, clock, 2)
    assert after(executor, clock, 390) == []
    assert len(after(executor, clock, 20)) == 1


def test_the_watchers_own_absence_is_nobodys_silence(clock: Clock) -> None:
    """Stopped for a day, or its clock set forwards: the workers get their time all the same."""
    executor = watched(Silent(), clock)
    executor.submit(0, Pack(0, ()))
    executor.wait(1.0)
    clock.now += 86_400
    assert after(executor, clock, 50) == []
    assert len(after(executor, clock, 20)) == 1


def test_an_idle_worker_may_be_silent(clock: Clock) -> None:
    inner = Silent()
    executor = watched(inner, clock)
    executor.submit(0, Pack(0, ()))
    executor.submit(1, Pack(1, ()))
    inner.news = [WorkerReady(0)]
    after(executor, clock, 2)
    assert after(executor, clock, 100) == [WorkerLost(1, "it hung: no epoch within 60 s")]


def test_replacements_wait_longer_and_longer_until_there_is_progress(clock: Clock) -> None:
    inner = Silent()
    executor = watched(inner, clock)
    waits = []
    for _ in range(10):
        began = clock.now
        executor.replace(0)
        while not inner.replaced:
            executor.wait(0.1)
        inner.replaced.clear()
        waits.append(clock.now - began)
    assert all(0.5 * 2**n <= wait <= 2**n + 0.2 for n, wait in enumerate(waits[:6]))
    assert all(30.0 <= wait <= 60.2 for wait in waits[6:])
    executor.submit(0, Pack(0, ()))
    inner.news = [Reported(0, ())]
    executor.wait(0.1)
    executor.replace(0)
    assert after(executor, clock, 1.2) == []
    assert inner.replaced == [0]


def test_waits_follow_from_the_seed_and_differ_between_workers() -> None:
    def waits(seed: int) -> list[float]:
        timeouts = WorkerTimeouts(60.0, seed=seed)
        for worker in range(4):
            timeouts.postpone(worker, 0.0)
        return [timeouts._due[worker] for worker in range(4)]

    assert waits(1) == waits(1)
    assert len({*waits(1), *waits(2)}) == 8
