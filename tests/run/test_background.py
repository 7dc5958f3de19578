"""A thread's result or error comes out where it is asked for."""

import threading

import pytest

from hpsearch.run.background import Background


def test_a_result_is_waited_for() -> None:
    gate = threading.Event()

    def work() -> str:
        gate.wait()
        return threading.current_thread().name

    background = Background(work)
    background.check()
    gate.set()
    assert background.result() != threading.current_thread().name
    assert background.result() == background.result()
    background.close()


def test_an_error_is_raised_at_every_question_and_by_no_thread() -> None:
    background = Background(lambda: [][0])
    background.close()
    for ask in (background.check, background.result, background.check):
        with pytest.raises(IndexError):
            ask()
