"""Speed and time left of a search, worked out by hand."""

import pytest

from hpsearch.cli.throughput import Throughput, per_time, span
from hpsearch.search.progress import Progress


def at(epochs: int, left: int, *, ended: int = 0, running: int = 1) -> Progress:
    return Progress((), None, ended, running, epochs, left)


def test_a_search_that_has_trained_nothing_has_no_speed() -> None:
    throughput = Throughput(0.0)
    assert throughput.text == "no epoch yet"
    throughput.note(600.0, at(0, 100))
    assert throughput.text == "no epoch yet"


def test_the_time_left_follows_from_epochs_before_a_trial_has_ended() -> None:
    throughput = Throughput(0.0)
    throughput.note(0.0, at(0, 100))
    throughput.note(30.0, at(10, 90))
    # One in 3 s.
    assert throughput.text == "20.0 epochs/min, 4 min left"


def test_a_later_stage_counts_by_its_own_speed() -> None:
    """Ten minutes at 10 epochs/s, then one epoch in 5 s: the average would say 6 s left."""
    throughput = Throughput(0.0)
    throughput.note(0.0, at(0, 6050))
    for second in range(1, 601):
        throughput.note(second, at(10 * second, 6050 - 10 * second, ended=second))
    for epoch in range(1, 31):
        throughput.note(600.0 + 5 * epoch, at(6000 + epoch, 50 - epoch, ended=600))
    # The last minute: 12 epochs of 5 s each, and 20 left.
    assert throughput.text == "12.0 epochs/min, 100 s left"


def test_epochs_slower_than_the_window_have_a_speed() -> None:
    throughput = Throughput(0.0)
    throughput.note(0.0, at(0, 48))
    for epoch in range(1, 9):
        throughput.note(1800.0 * epoch, at(epoch, 48 - epoch))
    # Half an hour each, 40 left.
    assert throughput.text == "2.0 epochs/h, 20.0 h left"


def test_what_hangs_slows_down() -> None:
    throughput = Throughput(0.0)
    throughput.note(0.0, at(0, 100))
    for second in range(1, 11):
        throughput.note(second, at(second, 100 - second))
    assert throughput.text == "1.0 epochs/s, 90 s left"
    throughput.note(50.0, at(10, 90))
    # Ten in 50 s.
    assert throughput.text == "12.0 epochs/min, 8 min left"


def test_a_resumed_search_counts_from_where_it_goes_on() -> None:
    """Without that, 1000 epochs in 10 s would leave the last 90 less than a second."""
    throughput = Throughput(0.0)
    throughput.note(0.0, at(1000, 100, ended=40))
    assert throughput.text == "no epoch yet"
    throughput.note(10.0, at(1010, 90, ended=41))
    assert throughput.text == "1.0 epochs/s, 6.0 trials/min, 90 s left"


def test_workers_that_start_cost_no_speed() -> None:
    throughput = Throughput(0.0)
    throughput.note(0.0, at(0, 20, running=0))
    throughput.note(20.0, at(0, 20, running=0))
    throughput.note(20.5, at(0, 20))
    throughput.note(25.0, at(10, 10))
    # 10 in the 5 s since the last look at which nobody trained.
    assert throughput.text == "2.0 epochs/s, 5 s left"


def test_pruned_trials_leave_less_to_do() -> None:
    throughput = Throughput(0.0)
    throughput.note(0.0, at(0, 100))
    throughput.note(10.0, at(10, 90))
    assert throughput.text.endswith(" 90 s left")
    throughput.note(20.0, at(20, 30, ended=2))
    assert throughput.text == "1.0 epochs/s, 6.0 trials/min, 30 s left"


def test_the_end_tells_the_average_and_no_time_left() -> None:
    """400 epochs in the first 100 s, 100 more in the next: 2.5 epochs/s."""
    throughput = Throughput(0.0)
    throughput.note(0.0, at(0, 500))
    for second in range(1, 101):
        throughput.note(second, at(4 * second, 500 - 4 * second))
    for second in range(1, 101):
        throughput.note(100.0 + second, at(400 + second, 100 - second, ended=10, running=0))
    assert throughput.text == "2.5 epochs/s, 3.0 trials/min"


def test_a_resumed_search_may_have_nothing_left() -> None:
    throughput = Throughput(0.0)
    throughput.note(0.0, at(50, 0, ended=5, running=0))
    assert throughput.text == "none left to train"


def test_epochs_lost_with_a_worker_are_no_negative_speed() -> None:
    throughput = Throughput(0.0)
    throughput.note(0.0, at(50, 50))
    throughput.note(10.0, at(48, 52))
    assert throughput.text == "no epoch yet"


@pytest.mark.parametrize(
    ("count", "seconds", "text"),
    [
        (100, 1, "100.0 epochs/s"),
        (60, 60, "1.0 epochs/s"),
        (59, 60, "59.0 epochs/min"),
        (1, 60, "1.0 epochs/min"),
        (1, 100, "36.0 epochs/h"),
        (1, 36000, "0.1 epochs/h"),
    ],
)
def test_a_rate_is_in_a_unit_that_moves(count: int, seconds: float, text: str) -> None:
    assert per_time(count, seconds, "epochs") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (172799, "48.0 h"),
        (172800, "2.0 d"),
    ],
)
def test_a_duration_is_in_a_unit_one_can_grasp(seconds: float, text: str) -> None:
    assert span(seconds) == text
