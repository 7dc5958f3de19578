"""Starting workers: each has its time, and is tried again; three failures end the run."""

import pytest

from hpsearch.execution.startup import START_ATTEMPTS, WorkerStarts
from workers.errors import RunError


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_start_that_takes_too_long_is_tried_again_with_more_patience(clock: Clock) -> None:
    starts = WorkerStarts(clock)
    starts.begin("first", 0)
    starts.begin("other", 1)
    assert starts.succeed("other") == 1
    waits = []
    for token in ("second", "third", "fourth"):
        began = clock.now
        while not starts.overdue():
            clock.now += 1.0
        assert starts.overdue() == [0]
        waits.append(clock.now - began)
        starts.begin(token, 0)
        assert starts.tokens == [token]
    assert waits[1] > 1.5 * waits[0]
    assert waits[2] > 1.5 * waits[1]
    assert starts.succeed("fourth") == 0
    clock.now += 1e6
    assert starts.overdue() == []
    starts.begin("again", 0)
    clock.now += waits[0]
    assert starts.overdue() == [0]


def test_only_failures_in_a_row_end_the_run(clock: Clock) -> None:
    starts = WorkerStarts(clock)
    for round_number in range(3):
        for attempt in range(START_ATTEMPTS - 1):
            starts.begin((round_number, attempt), 4)
            assert starts.fail((round_number, attempt), "no such module") == 4
        starts.begin("good", 4)
        assert starts.succeed("good") == 4
    for attempt in range(START_ATTEMPTS - 1):
        starts.begin(attempt, 4)
        starts.fail(attempt, "no such module")
    starts.begin("last", 4)
    with pytest.raises(RunError, match="a worker does not start: no such module"):
        starts.fail("last", "no such module")


def test_the_first_worker_is_not_waited_for_for_ever(clock: Clock) -> None:
    starts = WorkerStarts(clock)
    starts.begin("a", 0)
    starts.begin("b", 1)
    starts.check(lambda: 2)
    clock.now += 121
    with pytest.raises(RunError, match="each needs a CPU, and the cluster has 2"):
        starts.check(lambda: 2)
    starts.succeed("b")
    starts.check(lambda: 2)
