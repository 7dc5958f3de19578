"""The finalists of a report: learning curves, and what they say."""

import math
from collections.abc import Sequence
from typing import Final

from hpsearch.charts import axes
from hpsearch.charts.frame import Frame, line
from hpsearch.charts.marks import legend
from hpsearch.charts.markup import Markup, cut, join, tag
from hpsearch.diagnosis.learning_curves import Reading, diagnose
from hpsearch.reporting.data import RunData
from hpsearch.space.space import text_of
from hpsearch.storage.sqlite.rows import EpochRow, TrialRow

FINALISTS: Final = 6
"""How many trials have their curves drawn."""

_CURVES: Final = {
    "train": ("train_{}", "training"),
    "val": ("val_{}", "validation"),
    "ema": ("ema_val_{}", "validation, running average"),
}
_POINTS: Final = 150
_SIGNS: Final = {"good": "✓", "note": "→", "warning": "⚠"}


def finalists(run: RunData) -> list[TrialRow]:
    """Return the best trials of the last stage that has trained for two epochs or more."""
    first = [trial for trial in run.ranked if trial not in run.rescored]
    trained = [trial for trial in first if len(run.epochs.get(trial.number, ())) > 1]
    last = max((trial.stage for trial in trained), default=0)
    return [trial for trial in trained if trial.stage == last][:FINALISTS]


def curves(run: RunData) -> Markup | None:
    """Return each finalist's curves and diagnosis; None if no trial has a curve."""
    trials = finalists(run)
    if not trials:
        return None
    rows = [run.epochs[trial.number] for trial in trials]
    name = "accuracy" if any("val_accuracy" in r.metrics for r in rows[0]) else "r2"
    word = "accuracy" if name == "accuracy" else "R²"
    losses, scores = _frame(rows, "loss", "loss"), _frame(rows, name, word)
    key = legend((f"line {kind}", "M0 6h24", text) for kind, (_, text) in _CURVES.items())
    cards = [
        tag(
            "article",
            tag("h3", f"Trial {trial.number}", tag("small", _subtitle(run, trial))),
            tag("div", _lines(losses, e, "loss"), _lines(scores, e, name), class_="pair"),
            readings(diagnose([row.metrics for row in e if row.epoch >= 1])),
        )
        for trial, e in zip(trials, rows, strict=True)
    ]
    return join([key, *cards])


def readings(found: Sequence[Reading]) -> Markup:
    """Return a diagnosis as a list, each entry with a sign, its label and its evidence."""
    entries = (
        tag("li", tag("b", f"{_SIGNS[r.level]} {r.label}. "), r.text, class_=r.level) for r in found
    )
    return tag("ul", *entries, class_="readings")


def _subtitle(run: RunData, trial: TrialRow) -> str:
    known = (name for name in run.dimensions if name in trial.params)
    params = ", ".join(f"{name} {cut(text_of(trial.params[name]), 40)}" for name in known)
    score = f"{run.metric} {trial.best_score:.4g} in epoch {trial.best_epoch}"
    return f"{run.stage_name(trial)}; {score}; {params}"


def _frame(rows: Sequence[Sequence[EpochRow]], name: str, word: str) -> Frame:
    """Return the frame that all finalists share, so that they compare."""
    keys = [key.format(name) for key, _ in _CURVES.values()]
    flat = [row for epochs in rows for row in epochs]
    values = [row.metrics[key] for row in flat for key in keys if key in row.metrics]
    x = axes.whole("epoch", [1, *(row.epoch for row in flat)], pad=0.02)
    return Frame(x, axes.scores(name, values, title=word), height=240)


def _lines(frame: Frame, epochs: Sequence[EpochRow], name: str) -> Markup:
    stride = math.ceil(len(epochs) / _POINTS)
    drawn = [*epochs[:-1:stride], epochs[-1]]
    lines = []
    for kind, (key, word) in _CURVES.items():
        pairs = [(row.epoch, row.metrics.get(key.format(name), math.nan)) for row in drawn]
        if any(math.isfinite(value) for _, value in pairs):
            lines.append(line(frame, pairs, kind=kind, title=word))
    return frame.draw(*lines, label=f"{frame.y.title} over {epochs[-1].epoch} epochs")
