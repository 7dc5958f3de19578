"""What a person reads when a search is over: leaderboard, borders, the test, what next."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpsearch.cli.live_view import params_text
from hpsearch.cli.range_view import agreement_lines, finalists_table
from hpsearch.cli.text_tables import new_table, print_frame, print_table, score_text
from hpsearch.ensembles import metrics
from hpsearch.results.tables import Results
from hpsearch.run.preflight import Preflight
from hpsearch.run.summary import Outcome
from hpsearch.storage.folder import RunFolder
from workers.errors import InputError
from workers.nn.checks.gradient_check import Finding

LEADERS = 10
VERDICT_STYLES = {"right": "green", "acceptable": "", "unchecked": "yellow"}


def show_outcome(console: Console, run: RunFolder, results: Results, outcome: Outcome) -> None:
    """Print the end of a run."""
    summary = outcome.summary
    console.print()
    leaders = _leaders(results, summary)
    print_frame(console, leaders, title="Leaderboard", metric=str(summary["metric"]))
    console.print()
    if summary.get("rescore"):
        print_table(console, finalists_table(summary["rescore"], str(summary["metric"])))
        console.print()
    for line in [*_borders(outcome), *agreement_lines(summary.get("agreements", []))]:
        console.print(line, soft_wrap=True)
    console.print()
    print_table(console, _models(summary))
    console.print()
    for text in _what_next(run, summary):
        console.print(Text(text), soft_wrap=True)


def _what_next(run: RunFolder, summary: Mapping[str, Any]) -> list[str]:
    report = [f"the report is {run.report}"] if run.report.is_file() else []
    return [
        f"{summary['trials']} trials in {summary['seconds']:.0f} s; everything is in {run.path}",
        *report,
        "next:",
        f"  hpsearch results {run.path} --top 20",
        f"  hpsearch ensemble {run.path} --top 5",
        f"  hpsearch predict {run.path} new.csv --output predictions.csv",
    ]


def _leaders(results: Results, summary: Any) -> pd.DataFrame:
    metric = str(summary["metric"])
    twin = metric.removeprefix("ema_") if metric.startswith("ema_") else f"ema_{metric}"
    spread = f"{metric}_std"
    columns = ["trial", "stage", "best_epoch", metric, spread, twin, *summary["best"]["params"]]
    frame = results.top()
    frame = frame[frame["state"] == "complete"].head(LEADERS)
    return frame[[column for column in columns if column in frame.columns]]


def _borders(outcome: Outcome) -> list[Text]:
    """One line for each best value at a border, and one for all the others."""
    at_border = [v for v in outcome.verdicts if v.at_border is not None]
    lines = [Text(f"warning: stage {v.stage}: {v.text}", style="yellow") for v in at_border]
    inside = len(outcome.verdicts) - len(at_border)
    lines.append(Text(f"borders: {inside} of {len(outcome.verdicts)} best values lie inside"))
    return lines


def _models(summary: Any) -> Table:
    best, ensemble = summary["best"], summary["ensemble"]
    names = _scores(best, str(summary["metric"]).removeprefix("ema_").removeprefix("val_"))
    table = new_table("Models", [("", "left"), *((name, "right") for name in names)])
    labelled = {
        f"best single (trial {best['trial']})": best,
        f"ensemble of {ensemble['size']} ({ensemble['method']})": ensemble,
    }
    for label, values in labelled.items():
        table.add_row(label, *(score_text(values[name]) for name in names))
    return table


def _scores(model: Mapping[str, Any], metric: str) -> list[str]:
    """Return the scores to show of a model, validation first; losses only where one is pursued."""
    return [
        name
        for part in ("val_", "test_")
        for name in metrics.leading((n for n in model if n.startswith(part)), metric)
        if not name.endswith("_loss") or name == part + metric
    ]


def show_trials(
    results: Results,
    kind: str,
    columns: list[str] | None,
    *,
    top: int | None,
    sort: str | None,
    stage: str | None,
) -> None:
    """Print trials on stdout as a ``table``, ``csv`` or ``json``."""
    frame = results.top(top, sort=sort, stage=stage)
    if columns is not None:
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            known = ", ".join(frame.columns)
            raise InputError(f"--columns takes {known}", ", ".join(missing), "correct the names")
        frame = frame[columns]
    if kind == "csv":
        sys.stdout.write(frame.to_csv(index=False))
    elif kind == "json":
        records = frame.astype(object).where(frame.notna(), None).to_dict("records")
        sys.stdout.write(json.dumps(records, indent=2) + "\n")
    else:
        frame = frame.dropna(axis="columns", how="all")
        left_out = print_frame(Console(highlight=False), frame, metric=results.metric)
        if left_out:
            names = ", ".join(left_out)
            sys.stderr.write(f"not shown for want of room: {names}; see --columns and --format\n")


def show_ensemble(made: Mapping[str, Any]) -> None:
    """Print an ensemble's scores on stdout and where it lies on stderr."""
    scores = {name: value for name, value in made.items() if name.startswith(("val_", "test_"))}
    sys.stdout.write("".join(f"{name} {score_text(value)}\n" for name, value in scores.items()))
    size = made["size"]
    if "unscored" in made:
        sys.stderr.write(f"not scored: {made['unscored']}\n")
    sys.stderr.write(f"{size} model{'s' * (size != 1)} averaged in {made['path']}\n")


def show_preflight(networks: Sequence[Preflight]) -> None:
    """Print the findings of `hpsearch check`, a table for each network."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    for network in networks:
        title = params_text(network.params) or "the config's network"
        table = Table(title=title, title_justify="left", title_style="bold", box=None)
        for heading in ("check", "of", "value", "verdict", "entries", "remark"):
            table.add_column(
                heading, justify="right" if heading in ("value", "entries") else "left"
            )
        for finding in network.findings:
            style = VERDICT_STYLES.get(finding.verdict, "red")
            value = "" if finding.verdict == "unchecked" else f"{finding.value:.3g}"
            verdict = Text(finding.verdict, style=style)
            looked = finding.entries or finding.directions
            entries = f"{finding.entries} + {finding.directions}" if looked else ""
            table.add_row(finding.check, finding.subject, value, verdict, entries, finding.remark)
        console.print(table)
    console.print(_passed([finding for network in networks for finding in network.findings]))


def _passed(findings: Sequence[Finding]) -> str:
    """Count what passed, and what could not be checked."""
    failed = sum(finding.failed for finding in findings)
    unchecked = sum(finding.verdict == "unchecked" for finding in findings)
    text = f"{len(findings) - failed - unchecked} of {len(findings)} checks passed"
    return f"{text}, {unchecked} could not be made" if unchecked else text
