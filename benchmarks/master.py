"""Time the master: trials that have next to no work, and checkpoints.

Run as ``python benchmarks/master.py``; see benchmarks/README.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tables import machine, number, table

from hpsearch.config import loading
from hpsearch.execution.backend import BackendOptions
from hpsearch.run import session
from hpsearch.search.search import Search
from hpsearch.storage.folder import RunFolder
from workers.checkpoints import atomic_files, checkpoint_files
from workers.checkpoints.checkpoint_files import Snapshot

PACKED = {"learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}}
"""All trials have one structure: up to 64 make a pack."""

ALONE = PACKED | {"batch_size": {"type": "int", "low": 100, "high": 1_000_000}}
"""No two trials have the same structure: each is a pack of its own."""

VALUES = 78_000
"""Parameters of a checkpoint of 0.94 MB: the row, the optimizer's memory and the average."""


class Watch:
    """Notes when the first trials were complete, how many, and when the last ones were."""

    def __init__(self) -> None:
        self._first = 0
        self._began = self._ended = 0.0

    def __call__(self, search: Search) -> None:
        self._ended = time.perf_counter()
        if not self._first:
            self._first = sum(trial.state == "complete" for trial in search.trials.values())
            self._began = self._ended

    def rate(self, trials: int) -> float:
        """Return trials a second after the first completion, workers having started."""
        return (trials - self._first) / (self._ended - self._began)


def trials_a_second(
    folder: Path, space: dict[str, Any], where: BackendOptions, trials: int
) -> float:
    """Search with a network of one unit on 16 rows of two columns."""
    source = folder / "tiny.csv"
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'ab'[i % 2]}" for i, (a, b) in enumerate(rng.normal(size=(24, 2)))]
    source.write_text("\n".join(["x,y,label", *rows]))
    search = loading.build(
        {
            "study": {"name": "master"},
            "data": {"source": str(source), "target": "label"},
            "network": {"hidden": [1]},
            "search_space": space,
            "stages": [{"name": "only", "num_trials": trials, "epochs": 1}],
        }
    )
    watch = Watch()
    session.run(search, RunFolder(folder / "run"), where, lambda _workers, _backend: watch)
    return watch.rate(trials)


def checkpoint_milliseconds(folder: Path, repeats: int) -> tuple[float, float]:
    """Return the median times of a durable save and of a checked load."""
    names = ("parameters", "optimizer.velocity", "ema")
    arrays = {name: np.full(VALUES, i, np.float32) for i, name in enumerate(names)}
    metadata: dict[str, Any] = {"metric": "val_accuracy", "score": 0.5, "task": "classification"}
    metadata |= {"trial": 0, "features": 1, "outputs": 2, "spec": {}}
    metadata |= {name: [] for name in ("classes", "feature_names", "preprocess", "history")}
    saves, loads = [], []
    for epoch in range(1, repeats + 1):
        snapshot = Snapshot(arrays, metadata | {"epoch": epoch})
        seconds, saved = timed(lambda: checkpoint_files.save(folder, snapshot))  # noqa: B023
        seconds += timed(lambda: atomic_files.sync_folder(folder))[0]
        saves.append(seconds)
        path = folder / saved.name
        loads.append(timed(lambda: checkpoint_files.load(path, expected=saved))[0])  # noqa: B023
    return statistics.median(saves) * 1e3, statistics.median(loads) * 1e3


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer trials: a first impression")
    parser.add_argument("--rounds", type=int, default=3, help="searches of each kind (3)")
    args = parser.parse_args()
    trials = 256 if args.quick else 2048
    print(f"{machine('numpy', 'ray', 'optuna', 'safetensors')}\n")
    backends = {
        "in process": BackendOptions(in_process=True),
        "Ray, 2 workers": BackendOptions(workers=2),
    }
    spaces = {"packs of up to 64": PACKED, "every trial alone": ALONE}
    rows = []
    for name, where in backends.items():
        cells = []
        for space in spaces.values():
            rates = []
            for _ in range(args.rounds):
                with tempfile.TemporaryDirectory() as folder:
                    rates.append(trials_a_second(Path(folder), space, where, trials))
            cells.append(number(statistics.median(rates)))
        rows.append([name, *cells])
    print(table([f"no-work trials a second, {trials} trials", *spaces], rows), "\n")
    with tempfile.TemporaryDirectory() as folder:
        save, load = checkpoint_milliseconds(Path(folder), 20 if args.quick else 100)
    heads = ["a checkpoint of 0.94 MB", "milliseconds"]
    print(table(heads, [["durable save", f"{save:.2f}"], ["checked load", f"{load:.2f}"]]))


if __name__ == "__main__":
    main()
