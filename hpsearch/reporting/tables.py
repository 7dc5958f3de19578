"""The tables of a report: stages, leaders, failures, members, and how to repeat it all."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, Final

from hpsearch.charts.markup import Child, Markup, cut, join, table, tag
from hpsearch.config.sections.stages import RESCORE
from hpsearch.reporting.data import RunData, is_number
from hpsearch.reporting.failures import grouped
from hpsearch.reporting.head import score_text
from hpsearch.space.space import describe, text_of
from hpsearch.storage.sqlite.rows import StageRow, TrialRow

LEADERS: Final = 20
"""How many trials the leaderboard has."""

_CELL, _TRIALS = 60, 12


def stages(run: RunData) -> Markup:
    """Return the stages, how their ranges narrow, and how well their ranks agree."""
    names = list(run.dimensions)
    rows = [list(_stage(run, index, stage, names)) for index, stage in enumerate(run.stages)]
    fixed = ["stage", "trials", "epochs", f"best {run.metric}"]
    items = [
        tag(
            "li",
            tag("b", f"{'⚠ ' * agreement.short}{cut(agreement.stage, 64)}: "),
            agreement.text,
            class_="warning" if agreement.short else None,
        )
        for agreement in run.agreements
    ]
    return join(
        [table([*fixed, *names], rows), tag("ul", *items, class_="readings") if items else None]
    )


def leaderboard(run: RunData) -> Markup:
    """Return the best trials, with all their metrics in their best epoch."""
    leaders = run.ranked[:LEADERS]
    known = {name for trial in leaders for name in run.metrics(trial)} - {run.metric}
    others = [name for name in _beside(run.metric) if name in known]
    headings = ["trial", "stage", "state", "best epoch", run.metric, *run.dimensions, *others]
    rows = [_leader(run, trial, others) for trial in leaders]
    more = len(run.ranked) - len(leaders)
    rest = tag("p", f"and {more:,} more: {_command(run, 'results')}", class_="note")
    whole = table([cut(heading, _CELL) for heading in headings], rows)
    return join([whole, rest if more > 0 else None])


def rescored(run: RunData) -> Markup | None:
    """Return what the finalists' configurations come to on fresh seeds, if they were tried."""
    if not run.rescored:
        return None
    fresh: dict[str, list[float]] = {}
    for trial in run.rescored:
        if is_number(trial.best_score) and trial.state == "complete":
            fresh.setdefault(json.dumps(trial.params, sort_keys=True), []).append(trial.best_score)
    rows = []
    for trial in run.ranked:
        scores = fresh.get(json.dumps(trial.params, sort_keys=True), [])
        if scores and run.stage_name(trial) != RESCORE:
            spread = f"{stdev(scores):.4f}" if len(scores) > 1 else ""
            numbers = [f"{trial.number}", score_text(trial.best_score), f"{len(scores)}"]
            rows.append([*numbers, score_text(fmean(scores)), spread])
    headings = ["trial", f"its {run.metric}", "fresh seeds", "mean", "standard deviation"]
    note = "The score that made a trial a finalist is lucky; the mean over fresh seeds is not."
    return join([table(headings, rows), tag("p", note, class_="note")])


def failures(run: RunData) -> Markup:
    """Return the failed trials by reason, and the attempts that were made good."""
    rows = [
        [cut(g.reason, 300), f"{len(g.trials):,}", cut(g.where, 200), _numbers(g.trials)]
        for g in grouped(run)
    ]
    parts: list[Child] = []
    if rows:
        parts.append(table(["reason", "trials", "all of them, and few others, have", ""], rows))
    if run.failures:
        causes = sorted({failure.cause for failure in run.failures})
        text = f"{len(run.failures):,} attempts failed without their trial's fault and were made "
        parts.append(tag("p", f"{text}again: {cut('; '.join(causes), 400)}"))
    return join(parts or [tag("p", "No trial failed.")])


def members(run: RunData) -> Markup | None:
    """Return the ensemble's members, if there is one."""
    if not run.members:
        return None
    by_number = {trial.number: trial for trial in run.trials}
    rows = [
        [
            f"{member.get('trial')}",
            f"{member.get('epoch')}",
            "averaged" if member.get("averaged") is True else "raw",
            f"{member['weight']:.3f}",
            score_text(getattr(by_number.get(_number(member)), "best_score", None)),
        ]
        for member in run.members[:100]
    ]
    return table(["trial", "epoch", "parameters", "weight", run.metric], rows)


def reproduce(run: RunData) -> Markup:
    """Return the commands that repeat the run and go on from it, and its config."""
    path = shlex.quote(str(run.path))
    lines = [
        f"hpsearch run {shlex.quote(str(run.path / 'config.yaml'))} --name NEW-NAME",
        *(_command(run, name) for name in ("results", "ensemble")),
        f"hpsearch predict {path} new.csv --output predictions.csv",
    ]
    lines = lines if run.finished else [f"hpsearch resume {path}", *lines[:-2]]
    return join([tag("pre", "\n".join(lines)), tag("h3", "config.yaml"), tag("pre", run.config)])


def _beside(metric: str) -> list[str]:
    """Return which metrics say most beside the study's."""
    plain = metric.removeprefix("ema_")
    twin = plain if metric.startswith("ema_") else f"ema_{metric}"
    spread = f"{metric}_std"
    return list(
        dict.fromkeys([spread, twin, plain.replace("val_", "train_"), "val_loss", "train_loss"])
    )


def _stage(run: RunData, index: int, stage: StageRow, names: Sequence[str]) -> Iterator[Child]:
    own = [trial for trial in run.trials if trial.stage == index]
    best = next((trial for trial in run.ranked if trial.stage == index), None)
    yield stage.name if stage.state == "complete" else f"{stage.name} (running)"
    yield f"{len(own):,}"
    yield f"{max((trial.epochs for trial in own), default=0):,}"
    yield score_text(best.best_score) if best else ""
    space = run.spaces[index]
    for name in names:
        yield cut(describe(space[name]), _CELL) if name in space else ""


def _leader(run: RunData, trial: TrialRow, others: Sequence[str]) -> list[Child]:
    metrics = run.metrics(trial)
    return [
        f"{trial.number}",
        cut(run.stage_name(trial), _CELL),
        trial.state,
        f"{trial.best_epoch} of {trial.epochs}",
        score_text(trial.best_score),
        *(cut(text_of(trial.params.get(name, "")), _CELL) for name in run.dimensions),
        *(score_text(metrics.get(name)) for name in others),
    ]


def _numbers(trials: Sequence[int]) -> str:
    shown = ", ".join(map(str, trials[:_TRIALS]))
    return f"trial {shown}{', …' * (len(trials) > _TRIALS)}"


def _number(member: Mapping[str, Any]) -> int:
    number = member.get("trial")
    return number if isinstance(number, int) else -1


def _command(run: RunData, name: str) -> str:
    count = {"ensemble": 5}.get(name, 50)
    return f"hpsearch {name} {shlex.quote(str(run.path))} --top {count}"
