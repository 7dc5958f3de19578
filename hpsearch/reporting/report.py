"""A run as one HTML page: no network, no script, readable on paper and in the dark."""

import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from hpsearch.charts.marks import legend, stage_entries
from hpsearch.charts.markup import Markup, cut, join, literal, tag
from hpsearch.reporting import head, layers, tables, trial_charts
from hpsearch.reporting.curves import curves
from hpsearch.reporting.data import RunData, load
from hpsearch.reporting.style import style_sheet
from hpsearch.storage.folder import RunFolder
from workers.checkpoints import atomic_files
from workers.errors import InputError, RunError

SUFFIXES: Final = (".html", ".htm")

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

log = logging.getLogger("hpsearch.reporting.report")


def write(path: Path, output: Path | None = None) -> Path:
    """Write the report of the run at ``path`` and return where it is.

    That is ``output``, or ``report.html`` in the run's folder if it is None. The file is its
    user's alone, and appears as a whole or not at all.

    Raises
    ------
    InputError
        If this is no run, or ``output`` is no place for an HTML file.
    RunError
        If the disk is full or failing, or the run's folder can't be written.
    """
    run = RunFolder(path)
    run.check()
    target = run.report if output is None else output
    # os.path says no where pathlib raises: to names that are too long.
    if target.suffix.lower() not in SUFFIXES or os.path.isdir(target):  # noqa: PTH112
        rule = "a report is a file that ends in .html"
        raise InputError(rule, str(target), "name one, such as report.html")
    text = page(load(run))
    working = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        _write(working, text)
        working.replace(target)
    except OSError as error:
        why = error.strerror or str(error)
        if output is not None and error.errno not in atomic_files.DISK_ERRORS:
            rule = "--output must be a file in a folder that is there"
            raise InputError(rule, f"{output}: {why}", "correct the path") from error
        raise RunError(f"{target} can't be written: {why}") from error
    finally:
        with suppress(OSError):
            working.unlink(missing_ok=True)
    return target


def write_if_possible(path: Path) -> None:
    """Write a run's report at its end; what goes wrong is logged, for the result stands."""
    try:
        write(path)
    except Exception:
        log.exception("the report was not written; try hpsearch report %s", path)


def page(run: RunData) -> str:
    """Return the report's HTML, the same for the same run."""
    title = f"{run.name}: {run.metric}"
    about = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"{title} - hpsearch"),
        tag("style", literal(style_sheet())),
    )
    shown = ((name, part(run)) for name, part in SECTIONS.items())
    sections = [tag("section", tag("h2", name), body) for name, body in shown if body is not None]
    main = tag("main", _title(run), head.head(run), *sections, _foot())
    return f"<!DOCTYPE html>\n{tag('html', about, tag('body', main), lang='en')}\n"


def _title(run: RunData) -> Markup:
    return tag("header", tag("h1", cut(run.name, 100)), tag("p", _lead(run), class_="lead"))


def _lead(run: RunData) -> str:
    """Return in one sentence what the search came to."""
    if not run.ranked:
        return f"{len(run.trials):,} trials, and none has a score."
    best = run.ranked[0]
    stages = f"{len(run.stages)} stage{'s' * (len(run.stages) != 1)}"
    found = f"{len(run.trials):,} trials in {stages}"
    return f"{found}: the best {run.metric} is {best.best_score:.4g}, by trial {best.number}."


def _dimensions(run: RunData) -> Markup | None:
    if not run.dimensions:
        return None
    names = [stage.name for stage in run.stages]
    key = legend(stage_entries(names, pruned=run.scored != run.ranked, failed=bool(run.failed)))
    figures = (_dimension(run, name) for name in run.dimensions)
    return join([key, tag("div", *figures, class_="cards")])


def _dimension(run: RunData, name: str) -> Markup:
    """Return a hyperparameter's chart and, below it, every stage's verdict."""
    verdicts = [(s, v) for s in run.stages for v in s.verdicts if v.get("name") == name]
    items = [
        tag(
            "li",
            tag("b", f"{'⚠ ' * bool(verdict.get('at_border'))}{cut(stage.name, 64)}: "),
            cut(str(verdict.get("text", "")).removeprefix(f"{name}: "), 400),
            class_="warning" if verdict.get("at_border") else None,
        )
        for stage, verdict in verdicts
    ]
    chart = trial_charts.dimension_chart(run, name)
    return tag("figure", chart, tag("figcaption", tag("ul", *items)))


def _progress(run: RunData) -> Markup | None:
    return tag("figure", trial_charts.progress_chart(run)) if run.trials else None


def _foot() -> Markup:
    made = f"Made by hpsearch {version('hpsearch')}. Point at a mark to see its trial."
    drawn = (
        "Where marks lie on each other in a large run, the best of them stands for all; what is "
        "far worse than the others lies at a chart's edge."
    )
    return tag("footer", tag("p", made, " ", drawn))


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


SECTIONS: Mapping[str, Callable[[RunData], Markup | None]] = {
    "Stages": tables.stages,
    "Score against each hyperparameter": _dimensions,
    "Progress": _progress,
    "Learning curves of the finalists": curves,
    "Layers of the best trials": layers.layers,
    "Leaderboard": tables.leaderboard,
    "Finalists on fresh seeds": tables.rescored,
    "Failed trials": tables.failures,
    "The ensemble": tables.members,
    "How to reproduce": tables.reproduce,
}
"""What a report shows, in its order; a part without anything to show is left out."""
