"""What a search came to, to the last bit, and whether that is what it should be."""

import hashlib
import json
from pathlib import Path
from typing import Any

from hpsearch.results.tables import Results
from hpsearch.storage.store import Store
from tests.faults.lab.search_processes import Lab

Epochs = dict[tuple[int, float], tuple[Any, ...]]


def outcome(run: Path) -> dict[str, str]:
    """Return every table and file of a finished run, without what counts time and luck."""
    results = Results.load(run)
    summary = json.loads((run / "summary.json").read_text())
    parts = {
        "trials": results.trials.drop(columns=["failures", "seconds"]).to_csv(),
        "epochs": results.epochs.drop(columns=["seconds"]).to_csv(),
        "checkpoints": results.checkpoints.drop(columns=["path"]).to_csv(),
        "summary": json.dumps({**summary, "seconds": 0}, sort_keys=True),
    }
    for path in sorted([*run.glob("checkpoints/*"), *run.rglob("ensembles/**/*")]):
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            parts[str(path.relative_to(run))] = digest
    return parts


def difference(one: dict[str, str], other: dict[str, str]) -> str | None:
    """Return where two outcomes differ first, or None if they are equal."""
    for key in sorted({*one, *other}):
        if one.get(key) != other.get(key):
            return f"{key}: {one.get(key)} is not {other.get(key)}"
    return None


def acknowledged(run: Path) -> Epochs:
    """Return the epochs in a run's database, whole or in the middle of something."""
    if not (run / "search.db").exists():
        return {}
    with Store.read(run / "search.db") as store:
        return {(row.trial, row.epoch): (tuple(row.metrics.items()),) for row in store.epochs()}


def missing(lab: Lab, before: Epochs) -> str | None:
    """Return which epoch is not in the database that was there or told of, or None.

    The search may be going on: what is told is read first, as it is told last.
    """
    lines = lab.witness.read_text().splitlines() if lab.witness.exists() else []
    told = {(int(t), float(e)) for t, _, e in (line.partition(" ") for line in lines)}
    now = acknowledged(lab.run)
    lost = sorted((told | before.keys()) - now.keys())
    changed = [key for key in before if key in now and now[key] != before[key]]
    return f"epochs {lost} lost, {changed} changed" if lost or changed else None
