"""What several test modules build: a tiny config, a tiny data set, reports of fake workers."""

import copy
import csv
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner

from hpsearch.cli.main import main
from hpsearch.config.loading import build
from hpsearch.config.search_config import SearchConfig
from hpsearch.ensembles import prediction
from hpsearch.execution.backend import Backend, BackendOptions
from hpsearch.reporting import report
from hpsearch.run import session
from hpsearch.run.summary import Outcome
from hpsearch.search.search import Search
from hpsearch.storage.folder import RunFolder
from workers.messages import Checkpoint, EpochReport

COLOURS = ("blue", "green", "red")

TINY: dict[str, Any] = {
    "study": {"name": "tiny", "metric": "val_accuracy", "seed": 3},
    "data": {"source": "iris", "preprocess": ["standardize"]},
    "network": {"hidden": [8], "batch_size": 16},
    "search_space": {
        "learning_rate": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    },
    "stages": [
        {"name": "coarse", "num_trials": 6, "epochs": 2},
        {
            "name": "fine",
            "num_trials": 4,
            "epochs": 4,
            "narrow": {"keep_top": 0.5, "significance": 1.0, "explore": 0.0},
        },
    ],
    "checkpoint": {"every": 1, "keep_top": 4},
    "ensemble": {"method": "top", "size": 3},
}
"""A search of a second on built-in data."""


def tiny(**changes: Any) -> dict[str, Any]:
    """Return TINY changed: ``tiny(study__seed=1)`` sets ``study.seed``, None removes."""
    document = copy.deepcopy(TINY)
    for path, value in changes.items():
        *parents, last = path.split("__")
        target: Any = document
        for key in parents:
            target = target[int(key)] if isinstance(target, list) else target.setdefault(key, {})
        if value is None:
            target.pop(last)
        else:
            target[last] = value
    return document


def tiny_config(**changes: Any) -> SearchConfig:
    """Return `tiny` checked."""
    return build(tiny(**changes))


def blobs(rows: int, *, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Return rows around three centres that lie apart, and the colour of each centre."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    centres = np.array([[0, 0, 5], [5, 0, 0], [0, 5, 0]])
    return centres[labels] + rng.standard_normal((rows, 3)), [COLOURS[k] for k in labels]


def write_colours(path: Path, rows: int = 90) -> Path:
    """Write `blobs` as a CSV with the columns ``x, y, z, colour``."""
    x, colours = blobs(rows)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "y", "z", "colour"])
        writer.writerows([*map(float, row), colour] for row, colour in zip(x, colours, strict=True))
    return path


def write_mixed(path: Path, rows: int = 120, *, seed: int = 0) -> Path:
    """Write a CSV of all kinds of columns, some values missing: which animal, by two of them.

    The columns are ``id, weight, home, seen, animal``: text, numbers, text, dates, classes.
    """
    rng = np.random.default_rng(seed)
    homes, animals = ("cave", "field", "pond"), rng.integers(0, 3, rows)
    lines = []
    for row, animal in enumerate(animals):
        weight = "" if rng.random() < 0.1 else f"{rng.normal(3 * (animal == 1)):.3f}"
        home = "" if rng.random() < 0.1 else homes[animal if rng.random() < 0.9 else 0]
        seen = np.datetime64("2024-01-01") + np.timedelta64(int(rng.integers(500)), "D")
        lines.append(f"n{seed}-{row},{weight},{home},{seen},{('bat', 'hare', 'newt')[animal]}")
    path.write_text("\n".join(["id,weight,home,seen,animal", *lines]) + "\n")
    return path


def write_line(path: Path, rows: int = 90) -> Path:
    """Write a regression with the columns ``a, b, price``, where price is 3 a - 2 b + 10."""
    x = np.random.default_rng(1).standard_normal((rows, 2))
    lines = [f"{float(a)!r},{float(b)!r},{float(3 * a - 2 * b + 10)!r}" for a, b in x]
    path.write_text("\n".join(["a,b,price", *lines]) + "\n")
    return path


def quiet(workers: int, backend: Backend) -> Any:
    """Watch a run without looking."""
    return lambda search: None


def run_here(config: SearchConfig, path: Path, **options: Any) -> tuple[RunFolder, Outcome]:
    """Run a search in this process and return its folder and what it came to."""
    folder = RunFolder(path)
    begin = options.pop("begin", quiet)
    where = BackendOptions(in_process=True, workers=options.pop("workers", None))
    return folder, session.run(config, folder, where, begin, **options)


def predict_all(path: Path, data: Path, **how: Any) -> pd.DataFrame:
    """Return what a model predicts for a file, without columns that are carried along."""
    blocks = prediction.predict(path, data, **how)
    return pd.concat([block.named for block in blocks], ignore_index=True)


def told_everywhere(run: RunFolder) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the first agreement of a run, once seen wherever verdicts are, and `narrow`'s JSON."""
    logging.shutdown()
    one, *_ = json.loads(run.summary.read_text())["agreements"]
    assert f"stage {one['stage']}: {one['text']}" in run.log.read_text()
    assert one["text"] in report.page(report.load(run))
    narrow = ["narrow", str(run.path)]
    assert one["text"] in CliRunner().invoke(main, narrow).stdout
    shown = CliRunner().invoke(main, ["resume", str(run.path), "--in-process"]).output
    assert one["text"] in shown
    told = json.loads(CliRunner().invoke(main, [*narrow, "--format", "json"]).stdout)
    return one, told


def a_report(trial: int, epoch: float, score: float | None = 0.5, **values: Any) -> EpochReport:
    """Return the report of an epoch; a score of None stands for one without the metric."""
    metrics = {"train_loss": 1.0} | ({} if score is None else {"val_accuracy": score})
    saved = None if score is None else a_checkpoint(trial, epoch, score)
    defaults = {"attempt": 1, "metrics": metrics, "seconds": 0.1, "checkpoint": saved}
    return EpochReport(trial=trial, epoch=epoch, **(defaults | values))


def a_checkpoint(trial: int, epoch: float, score: float) -> Checkpoint:
    """Return a checkpoint that no disk has."""
    return Checkpoint(f"{trial}/{epoch}", trial, epoch, score, 100, "ab" * 32)


def kinds(commands: Sequence[object]) -> list[str]:
    """Return the commands' names in order."""
    return [type(command).__name__ for command in commands]


def states(search: Search) -> Iterator[tuple[int, str, str | None]]:
    """Yield each trial's number, state and reason."""
    for number, record in sorted(search.trials.items()):
        yield number, record.state, record.reason
