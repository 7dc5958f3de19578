"""What a person sees: the live table, plain lines where there is no terminal, tables."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpsearch.master import Watch
from hpsearch.progress import Progress, StageProgress, progress
from hpsearch.search import Search
from hpsearch.space import text_of

REFRESH_SECONDS = 0.25
SUMMARY_SECONDS = 30.0
LOG = " (log)"


def params_text(params: Mapping[str, Any]) -> str:
    """Return hyperparameters on one line.

    >>> params_text({"learning_rate": 0.012345, "hidden": (64, 32)})
    'learning_rate=0.0123 hidden=[64, 32]'
    """
    return " ".join(f"{name}={text_of(value)}" for name, value in params.items())


def rate_text(state: Progress, seconds: float) -> str:
    """Return the speed and the time left, by the share of all epochs that are over."""
    speed = f"{state.ended / max(seconds, 1e-9):.1f} trials/s"
    if state.share in (0, 1):
        return speed
    left = seconds / state.share - seconds
    return f"{speed}, {left:.0f} s left" if left < 120 else f"{speed}, {left / 60:.0f} min left"


class LiveTable:
    """A table that is drawn anew while the search runs; for terminals."""

    def __init__(self, console: Console, title: str, workers: int) -> None:
        self._title = title
        self._workers = workers
        self._began = time.monotonic()
        self._drawn = 0.0
        self._search: Search | None = None
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def update(self, search: Search) -> None:
        """Draw the present state, a few times a second at most."""
        self._search = search
        if time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self._drawn = time.monotonic()
            self._live.update(self._draw(search), refresh=True)

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._search is not None:
            self._live.update(self._draw(self._search), refresh=True)
        self._live.stop()

    def _draw(self, search: Search) -> Group:
        seconds = time.monotonic() - self._began
        state = progress(search)
        metric = search.config.study.metric
        names = list(search.config.search_space)
        table = Table(title=self._title, title_justify="left", title_style="bold", box=None)
        for heading in ("stage", "", "done", "running", "failed", metric):
            table.add_column(heading, justify="left" if heading in ("stage", "") else "right")
        for name in names:
            log = getattr(search.config.search_space[name], "log", False)
            table.add_column(f"{name}{LOG * log}", no_wrap=True)
        for stage in state.stages:
            table.add_row(*_row(stage, names))
        lines: list[Table | Text] = [table, Text("")]
        if state.best is not None:
            best = state.best
            text = f"best so far: {metric} {best.score:.4f}, trial {best.trial} ({best.stage}), "
            lines.append(Text(text + params_text(best.params), style="green"))
        foot = f"{state.ended} trials in {seconds:.1f} s, {_workers_text(self._workers)}, "
        lines.append(Text(foot + rate_text(state, seconds), style="dim"))
        return Group(*lines)


def _workers_text(workers: int) -> str:
    return f"{workers} worker{'s' * (workers != 1)}"


def _row(stage: StageProgress, names: Sequence[str]) -> list[Any]:
    bar = ProgressBar(total=stage.trials, completed=stage.ended, width=12)
    failed = stage.states.get("failed", 0)
    return [
        stage.name,
        bar,
        f"{stage.ended}/{stage.trials}",
        str(stage.states.get("running", 0) or ""),
        str(failed or ""),
        "" if stage.best is None else f"{stage.best:.4f}",
        *(Text(stage.ranges.get(name, "").removesuffix(LOG)) for name in names),
    ]


class PlainLines:
    """A line for each stage and each improvement, and a summary now and then."""

    def __init__(self, console: Console, title: str, workers: int) -> None:
        self._console = console
        self._began = self._spoke = time.monotonic()
        self._state: Progress | None = None
        self._best: float | None = None
        self._stages = 0
        self._say(f"{title}, {_workers_text(workers)}")

    def update(self, search: Search) -> None:
        """Say what is new."""
        state = self._state = progress(search)
        for stage in state.stages[self._stages : len(search.stages)]:
            ranges = ", ".join(f"{name} {text}" for name, text in stage.ranges.items())
            self._say(f"stage {stage.name}: {stage.trials} trials; {ranges}")
        self._stages = len(search.stages)
        best, metric = state.best, search.config.study.metric
        if best is not None and best.score != self._best:
            self._best = best.score
            where = f"trial {best.trial} ({best.stage})"
            self._say(f"best {metric} {best.score:.4f}, {where}, {params_text(best.params)}")
        if time.monotonic() - self._spoke >= SUMMARY_SECONDS:
            self._summarize(state)

    def close(self) -> None:
        """Say how far the search came."""
        if self._state is not None:
            self._summarize(self._state)

    def _summarize(self, state: Progress) -> None:
        self._spoke = time.monotonic()
        self._say(f"{state.ended} trials ended, {rate_text(state, self._spoke - self._began)}")

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


@contextmanager
def display(console: Console, title: str) -> Iterator[Callable[[int], Watch]]:
    """Show a search while it runs: a live table on a terminal, plain lines elsewhere.

    What is yielded is called with the number of workers, and returns what is to be called
    with the search again and again.
    """
    kind = LiveTable if console.is_terminal else PlainLines
    views: list[LiveTable | PlainLines] = []

    def begin(workers: int) -> Watch:
        views.append(kind(console, title, workers))
        return views[-1].update

    try:
        yield begin
    finally:
        for view in views:
            view.close()


def frame_table(frame: pd.DataFrame, *, title: str | None = None) -> Table:
    """Return a DataFrame as a table for a person: numbers to 4 digits, holes left empty."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    for name in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(str(name), justify="right" if numeric else "left", no_wrap=True)
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _cell(value: Any) -> str:
    if value is None or (not isinstance(value, tuple | list) and pd.isna(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
