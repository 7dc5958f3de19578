"""The head of a report: the facts of a run, its best model beside its ensemble."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.charts.markup import Markup, cut, join, table, tag
from hpsearch.ensembles import metrics
from hpsearch.reporting.data import RunData, is_number
from workers.nn.metrics.metrics import metric_of


def head(run: RunData) -> Markup:
    """Return the facts of a run, and how good its best model and its ensemble are."""
    ended = sum(trial.state not in ("waiting", "running") for trial in run.trials)
    seconds = run.summary.get("seconds")
    facts = {
        "metric": f"{run.metric} ({'higher' if run.sign > 0 else 'lower'} is better)",
        "trials": f"{ended:,} of {len(run.trials):,} ended, {len(run.failed):,} failed",
        "stages": ", ".join(stage.name for stage in run.stages),
        "time": f"{seconds:,.1f} s" if is_number(seconds) else None,
        "training": f"{_training_seconds(run):,.1f} s in all workers",
        "seed": f"{run.seed}",
    }
    items = [
        tag("div", tag("dt", name), tag("dd", cut(text, 160)))
        for name, text in facts.items()
        if text
    ]
    state = None if run.finished else tag("p", _state(run), class_="state")
    return join([state, tag("dl", *items), models(run)])


def models(run: RunData) -> Markup:
    """Return the best single model beside the ensemble, validation beside test."""
    rows = {key: _scores(run.summary.get(key)) for key in ("best", "ensemble")}
    if not rows["best"]:
        return _best_so_far(run)
    names = metrics.leading(sorted(rows["best"], key=_column), run.metric)
    best = {name: _better(name, [scores.get(name) for scores in rows.values()]) for name in names}
    body = [
        [_label(run, key), *(_strong(scores.get(name), best[name]) for name in names)]
        for key, scores in rows.items()
        if scores
    ]
    note = "All was chosen on the validation rows; the test rows were looked at once, at the end."
    whole = tag("div", table(["", *names], body), class_="models")
    return join([whole, tag("p", note, class_="note")])


def score_text(value: object) -> str:
    """Return a score for a person, an empty text for what is no finite number."""
    if not is_number(value):
        return ""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.4g}"
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 4}f}"


def _state(run: RunData) -> str:
    running = [stage.name for stage in run.stages if stage.state == "running"]
    where = f" in stage {running[-1]}" if running else ""
    return f"This search is not concluded{where}: what follows is its state so far."


def _best_so_far(run: RunData) -> Markup:
    if not run.ranked:
        return tag("p", "No trial has a score yet.")
    best = run.ranked[0]
    return tag(
        "p", f"Best so far: {run.metric} {score_text(best.best_score)}, trial {best.number}."
    )


def _training_seconds(run: RunData) -> float:
    return sum(row.seconds for epochs in run.epochs.values() for row in epochs)


def _scores(model: Any) -> dict[str, float]:
    if not isinstance(model, Mapping):
        return {}
    return {
        str(name): value
        for name, value in model.items()
        if str(name).startswith(("val_", "test_")) and is_number(value)
    }


def _label(run: RunData, key: str) -> str:
    model = run.summary[key]
    if key == "best":
        return f"best single (trial {cut(model.get('trial'), 20)})"
    return f"ensemble of {cut(model.get('size'), 20)} ({cut(model.get('method'), 20)})"


def _column(name: str) -> tuple[bool, str, bool]:
    """Put validation and test of one kind side by side, and losses last."""
    part, kind = name.split("_", 1)
    return kind.endswith("loss"), kind, part == "test"


def _better(name: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    metric = metric_of(name)
    lower = metric.direction == "minimize" if metric else name.endswith("_loss")
    return (min if lower else max)(known, default=None)


def _strong(value: float | None, best: float | None) -> Markup:
    return tag("b" if value == best else "span", score_text(value))
