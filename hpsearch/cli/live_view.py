"""What a person sees of a search: a live table, plain lines where there is no terminal."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpsearch.cli.text_tables import new_table, score_text, width_of
from hpsearch.cli.throughput import Throughput, span
from hpsearch.run.master import Watch
from hpsearch.search.progress import Progress, StageProgress, progress
from hpsearch.search.search import Search
from hpsearch.space.space import text_of

REFRESH_SECONDS = 0.25
SUMMARY_SECONDS = 30.0
LOG = " (log)"


def params_text(params: Mapping[str, Any]) -> str:
    """Return hyperparameters on one line.

    >>> params_text({"learning_rate": 0.012345, "hidden": (64, 32)})
    'learning_rate=0.0123 hidden=[64, 32]'
    """
    return " ".join(f"{name}={text_of(value)}" for name, value in params.items())


class LiveTable:
    """A table that is drawn anew while the search runs; for terminals."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._began = time.monotonic()
        self._throughput = Throughput(self._began)
        self._drawn = 0.0
        self._search: Search | None = None
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def update(self, search: Search) -> None:
        """Draw the present state, a few times a second at most."""
        self._search = search
        now = time.monotonic()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._live.update(self._draw(search, now), refresh=True)

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._search is not None:
            self._live.update(self._draw(self._search, time.monotonic()), refresh=True)
        self._live.stop()

    def _draw(self, search: Search, now: float) -> Group:
        state = progress(search)
        self._throughput.note(now, state)
        metric = search.config.study.metric
        lines: list[RenderableType] = [self._table(state, search), Text("")]
        if state.length is not None:
            lines.append(Text(state.length))
        if state.best is not None:
            best = state.best
            where = f"trial {best.trial} ({best.stage})"
            text = f"best so far: {metric} {score_text(best.score)}, {where}, "
            lines.append(Text(text + params_text(best.params), style="green"))
        ended = f"{_counted(state.ended, 'trial')} in {span(now - self._began)}"
        lines.append(Text(f"{ended}, {self._throughput.text}", style="dim"))
        return Group(*lines)

    def _table(self, state: Progress, search: Search) -> RenderableType:
        """Return the stages with their ranges; in a narrow terminal those come below."""
        space, metric = search.config.search_space, search.config.study.metric
        logs = {name: LOG * getattr(space[name], "log", False) for name in space}
        table = _stage_table(self._title, metric, state, logs)
        if width_of(table) <= self._live.console.width:
            return table
        stage = state.stages[len(search.stages) - 1]
        ranges = Text(f"{stage.name} searches {ranges_text(stage)}")
        return Group(_stage_table(self._title, metric, state, {}), Text(""), ranges)


def _stage_table(title: str, metric: str, state: Progress, dimensions: Mapping[str, str]) -> Table:
    counted = [
        name
        for name in ("running", "pruned", "failed")
        if name == "running" or any(stage.states.get(name) for stage in state.stages)
    ]
    columns = [("stage", "left"), ("", "left"), *((h, "right") for h in ("done", *counted, metric))]
    columns += [(f"{name}{log}", "left") for name, log in dimensions.items()]
    table = new_table(title, columns)
    for stage in state.stages:
        table.add_row(
            stage.name,
            ProgressBar(total=stage.trials, completed=stage.ended, width=12),
            f"{stage.ended}/{stage.trials}",
            *(str(stage.states.get(name, 0) or "") for name in counted),
            "" if stage.best is None else score_text(stage.best),
            *(Text(stage.ranges.get(name, "").removesuffix(LOG)) for name in dimensions),
        )
    return table


def ranges_text(stage: StageProgress) -> str:
    """Return the ranges of a stage on one line."""
    return ", ".join(f"{name} {text}" for name, text in stage.ranges.items())


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


class PlainLines:
    """A line for each stage and each improvement, and a summary now and then."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._spoke = time.monotonic()
        self._throughput = Throughput(self._spoke)
        self._state: Progress | None = None
        self._best: float | None = None
        self._stages = 0
        self._length: str | None = None
        self._say(title)

    def update(self, search: Search) -> None:
        """Say what is new."""
        now = time.monotonic()
        state = self._state = progress(search)
        self._throughput.note(now, state)
        best, metric = state.best, search.config.study.metric
        if best is not None and best.score != self._best:
            self._best = best.score
            where = f"trial {best.trial} ({best.stage})"
            score = f"best {metric} {score_text(best.score)}"
            self._say(f"{score}, {where}, {params_text(best.params)}")
        for stage in state.stages[self._stages : len(search.stages)]:
            self._say(
                f"stage {stage.name}: {_counted(stage.trials, 'trial')}; {ranges_text(stage)}"
            )
        self._stages = len(search.stages)
        if state.length != self._length:
            self._length = state.length
            self._say(state.length or "")
        if now - self._spoke >= SUMMARY_SECONDS:
            self._spoke = now
            self._summarize(state)

    def close(self) -> None:
        """Say how far the search came."""
        if self._state is not None:
            self._summarize(self._state)

    def _summarize(self, state: Progress) -> None:
        self._say(f"{_counted(state.ended, 'trial')} ended, {self._throughput.text}")

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


@contextmanager
def display(console: Console, title: str) -> Iterator[Callable[[int, str], Watch]]:
    """Show a search while it runs: a live table on a terminal, plain lines elsewhere.

    What is yielded is called with how many workers there are and where, and returns what is
    to be called with the search again and again.
    """
    kind = LiveTable if console.is_terminal else PlainLines
    views: list[LiveTable | PlainLines] = []

    def begin(workers: int, where: str) -> Watch:
        views.append(kind(console, f"{title}, {_counted(workers, 'worker')} {where}"))
        return views[-1].update

    try:
        yield begin
    finally:
        for view in views:
            view.close()
