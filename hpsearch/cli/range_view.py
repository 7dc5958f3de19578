"""What a person reads about ranges and finalists."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text


def show_verdicts(stages: Sequence[Mapping[str, Any]], kind: str) -> None:
    """Print each stage's verdicts, length and agreement on stdout, as text or as ``json``."""
    if kind == "json":
        sys.stdout.write(json.dumps(stages, indent=2, allow_nan=False) + "\n")
        return
    for stage in stages:
        note = "" if stage["state"] == "complete" else " (so far)"
        sys.stdout.write(f"stage {stage['stage']}{note}\n")
        for verdict in stage["verdicts"]:
            sys.stdout.write(f"  {verdict['text']}\n")
        for told in (stage["length"], stage["agreement"]):
            if told is not None:
                sys.stdout.write(f"  {told['text']}\n")


def agreement_lines(agreements: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Return a line for each stage that another followed, a warning if it was too short."""
    return [
        Text(f"warning: stage {one['stage']}: {one['text']}", style="yellow")
        if one["short"]
        else Text(f"stage {one['stage']}: {one['text']}")
        for one in agreements
    ]


def finalists_table(rescored: Sequence[Mapping[str, Any]], metric: str) -> Table:
    """Return the configurations that were scored anew, the best mean first."""
    table = Table(title="Scored anew on fresh seeds", title_justify="left", box=None)
    table.title_style = "bold"
    for heading in ("trial", metric, "mean", "std", "seeds"):
        table.add_column(heading, justify="right")
    for one in rescored:
        values = (f"{one[name]:.4f}" for name in ("score", "mean", "std"))
        table.add_row(str(one["trial"]), *values, str(len(one["trials"])))
    return table
