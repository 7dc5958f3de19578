"""What a person sees of a search, on a terminal and without one."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hpsearch.cli import live_view as consoles
from hpsearch.cli.live_view import LiveTable, PlainLines, display
from hpsearch.search.events import Dispatch, Reported, WorkerReady
from hpsearch.search.progress import progress
from hpsearch.search.search import Search
from tests.support import a_report, run_here, tiny_config


def screen(width: int = 120, *, terminal: bool = True) -> Console:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=width, color_system=None)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def a_search(**changes: Any) -> Search:
    """A search whose first two trials of six have a score, and whose third failed."""
    search = begun(**changes)
    report(search)
    return search


def begun(**changes: Any) -> Search:
    """A search whose six trials are being trained."""
    search = Search(tiny_config(**changes), workers=1, parameter_count=lambda spec: 1_000)
    search.begin()
    dispatch = next(c for c in search.handle(WorkerReady(0)) if isinstance(c, Dispatch))
    assert len(dispatch.pack.trials) == 6
    return search


def report(search: Search) -> None:
    """Let the first three trials of six end their first epoch, and the third one fail."""
    metric = search.config.study.metric
    scored = [a_report(n, 1, metrics={metric: 0.25 * (n + 1)}) for n in (0, 1)]
    failed = a_report(2, 1, None, failure="became nan")
    search.handle(Reported(0, (*scored, failed)))


def drawn(search: Search, width: int) -> str:
    console = screen(width)
    live = LiveTable(console, "tiny: 10 trials in 2 stages, 2 workers in this process")
    live.update(search)
    live.close()
    return text_of(console)


@pytest.mark.parametrize("width", [120, 80])
def test_the_live_table_shows_what_matters(width: int) -> None:
    lines = drawn(a_search(), width).splitlines()
    text = "\n".join(lines)
    assert "…" not in text
    assert max(map(len, lines)) <= width
    assert "tiny: 10 trials in 2 stages" in text
    coarse = next(line.split() for line in lines if line.startswith(" coarse"))
    # A bar, done, running, failed, best.
    assert coarse[2:6] == ["1/6", "5", "1", "0.5000"]
    assert "0/4" in next(line for line in lines if line.startswith(" fine"))
    best = text[text.index("best so far") :]
    assert "val_accuracy 0.5000, trial 1 (coarse)" in best
    assert "learning_rate=" in best
    assert "2 workers in this process" in text


@pytest.mark.parametrize(("width", "own_line"), [(120, False), (80, True), (60, True)])
def test_ranges_stand_in_the_table_if_there_is_room(width: int, own_line: bool) -> None:
    text = drawn(a_search(), width)
    assert ("coarse searches learning_rate 0.001 .. 1 (log), dropout" in text) == own_line
    assert ("learning_rate (log)" in text) != own_line


def test_scores_that_are_tiny_are_not_zero() -> None:
    search = a_search(study__metric="val_loss")
    search.trials[0].score = -1.25e-6
    text = drawn(search, 120)
    assert "val_loss 1.25e-06, trial 0" in text


def test_plain_lines_tell_stages_ranges_and_improvements(tmp_path: Path) -> None:
    console = screen(40, terminal=False)
    with display(console, "tiny: 10 trials in 2 stages") as show:
        run_here(
            tiny_config(),
            tmp_path / "run",
            begin=lambda workers, backend: show(workers, backend.text),
        )
    lines = text_of(console).splitlines()
    assert lines[0] == "tiny: 10 trials in 2 stages, 1 worker in this process"
    stages = [line for line in lines if line.startswith("stage ")]
    assert stages[0] == "stage coarse: 6 trials; learning_rate 0.001 .. 1 (log), dropout 0 .. 0.5"
    assert stages[1].startswith("stage fine: 4 trials; learning_rate ")
    assert len(stages) == 2
    best = [line for line in lines if line.startswith("best val_accuracy ")]
    scores = [float(line.split()[2].rstrip(",")) for line in best]
    assert scores == sorted(set(scores))
    assert lines.index(best[0]) < lines.index(stages[1])
    assert lines[-1].startswith("10 trials ended, ")


def test_a_summary_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 31.0, 32.0])
    monkeypatch.setattr(consoles.time, "monotonic", lambda: next(clock))
    console = screen(terminal=False)
    plain, search = PlainLines(console, "x"), a_search()
    for _ in range(3):
        plain.update(search)
    assert text_of(console).count("trial ended, ") == 1


def test_nothing_is_shown_of_a_run_that_never_began() -> None:
    for terminal in (True, False):
        console = screen(terminal=terminal)
        with pytest.raises(ZeroDivisionError), display(console, "x"):
            raise ZeroDivisionError
        assert text_of(console) == ""


def test_a_terminal_is_given_back_after_an_error() -> None:
    console = screen()

    def fail() -> None:
        with display(console, "x") as begin:
            begin(1, "here")(a_search())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert isinstance(console.file, io.StringIO)
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert console.file.getvalue().rindex(shown) > console.file.getvalue().rindex(hidden)


@pytest.mark.parametrize("terminal", [True, False])
def test_slow_trials_have_a_speed_and_a_time_left(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Six trials of 2 epochs, then four of 4: after two minutes three of 28 epochs are trained.

    The failed trial does without its second one, so 24 are left; at 40 s each, 16 minutes.
    """
    clock = iter([0.0, 10.0, 130.0, 130.0])
    monkeypatch.setattr(consoles.time, "monotonic", lambda: next(clock))
    console = screen(terminal=terminal)
    view = LiveTable(console, "x") if terminal else PlainLines(console, "x")
    search = begun()
    view.update(search)
    report(search)
    view.update(search)
    view.close()
    assert "1.5 epochs/min, 30.0 trials/h, 16 min left" in text_of(console)


def test_progress_counts_promoted_trials_once() -> None:
    stages = [
        {"name": "a", "num_trials": 6, "epochs": 2},
        {"name": "b", "num_trials": 0, "epochs": 4, "promote": 3},
    ]
    state = progress(a_search(stages=stages))
    # 6 * 2 epochs, then 3 trials go on for 2 more: 18. A failed trial has no more to do.
    assert (state.epochs, state.left) == (3, 18 - 1 - 1 - 2)
