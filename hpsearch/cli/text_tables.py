"""Tables for a person: as wide as they are where nobody looks, else made to fit."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from hpsearch.space.space import text_of

WIDEST = 100_000

_METRIC = re.compile(r"(?:ema_)?(?:train|val|test)_.*")
_LESS_WANTED = (r"(?:ema_)?train_.*", "seconds|failures", r"(?:ema_)?val_.*", "best_epoch|epochs")


def score_text(value: float) -> str:
    """Return a metric's value with four decimals, or four digits if it is tiny or huge.

    >>> score_text(0.97), score_text(2.5e-5)
    ('0.9700', '2.5e-05')
    """
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"


def new_table(title: str | None, columns: Sequence[tuple[str, str]]) -> Table:
    """Return an empty table with a bold title; ``columns`` are headings and sides."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    for heading, side in columns:
        justify: Any = side
        table.add_column(heading, justify=justify, no_wrap=True)
    return table


def width_of(table: Table) -> int:
    """Return how wide a table is if nothing is cut, in characters."""
    console = Console(file=io.StringIO(), width=WIDEST)
    return Measurement.get(console, console.options, table).maximum


def print_table(console: Console, table: Table) -> None:
    """Print a table: fitted into a terminal, whole and without trailing blanks elsewhere."""
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(file=io.StringIO(), width=width_of(table), highlight=False)
    with wide.capture() as capture:
        wide.print(table)
    lines = (line.rstrip() for line in capture.get().splitlines())
    console.print(Text("\n".join(lines)), soft_wrap=True)


def print_frame(
    console: Console, frame: pd.DataFrame, *, title: str | None = None, metric: str = ""
) -> list[str]:
    """Print a DataFrame and return the columns that were left out.

    In a terminal that is too narrow, headings break after underscores; if that is not
    enough, columns are left out, but never ``metric`` or a hyperparameter.
    """
    headings = {str(name): str(name) for name in frame.columns}
    if console.is_terminal and width_of(_table(frame, headings, title)) > console.width:
        headings = {name: name.replace("_", "_\n") for name in headings}
        for pattern in _LESS_WANTED:
            if width_of(_table(frame, headings, title)) <= console.width:
                break
            wanted = (n for n in headings if n == metric or not re.fullmatch(pattern, n))
            headings = {name: headings[name] for name in wanted}
    print_table(console, _table(frame, headings, title))
    return [str(name) for name in frame.columns if name not in headings]


def _table(frame: pd.DataFrame, headings: Mapping[str, str], title: str | None) -> Table:
    frame = frame[list(headings)]
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in headings]
    sides = ["right" if one else "left" for one in numeric]
    table = new_table(title, list(zip(headings.values(), sides, strict=True)))
    metrics = [bool(_METRIC.fullmatch(name)) for name in headings]
    for row in frame.itertuples(index=False):
        cells = zip(row, metrics, strict=True)
        table.add_row(*(Text(_cell(value, metric=metric)) for value, metric in cells))
    return table


def _cell(value: Any, *, metric: bool) -> str:
    if value is None or (not isinstance(value, tuple | list) and pd.isna(value)):
        return ""
    return score_text(value) if metric else text_of(value)
