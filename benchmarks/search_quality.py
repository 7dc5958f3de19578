"""Compare what strategies of search find at equal epochs, over several seeds.

Run as ``python benchmarks/search_quality.py``; see benchmarks/search_quality.md.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from simulated import Formula, Valley
from strategies import strategies
from tables import machine, table

from hpsearch import datasets
from hpsearch import events as ev
from hpsearch.conclusion import score
from hpsearch.config import SearchConfig, build
from hpsearch.ensemble import Ensemble
from hpsearch.executors import Executor, SerialExecutor
from hpsearch.model import load
from hpsearch.search import Search
from hpsearch.trials import TrialRecord
from workers.messages import Checkpoint, RunSettings
from workers.nn.spec import NetworkSpec

RATE = {"type": "float", "low": 1e-6, "high": 10.0, "log": True}
PENALTY = {"type": "float", "low": 1e-7, "high": 1.0, "log": True}
DROPOUT = {"type": "float", "low": 0.0, "high": 0.6}
BASE: dict[str, Any] = {
    "study": {"name": "quality", "metric": "val_accuracy"},
    "data": {"source": "digits"},
    "network": {"hidden": [64], "batch_size": 32},
    "search_space": {"learning_rate": RATE, "l2": PENALTY, "dropout": DROPOUT},
    "checkpoint": {"keep_top": 1},
    "ensemble": {"size": 1},
}
LETTERS = {
    "data": {"header": False, "target": 0, "validation": 0.1, "test": {"rows": [16000, 20000]}},
    "network": {"hidden": [64], "batch_size": 128},
}


class Loop:
    """Performs a search's commands until so many epochs are used, without a database."""

    def __init__(self, config: SearchConfig, executor: Executor, folder: Path | None) -> None:
        self.files: dict[int, Checkpoint] = {}
        self.epochs = 0
        self._executor, self._folder = executor, folder
        self.search = Search(config, workers=1, parameter_count=lambda _: 8_000)

    def run(self, budget: int) -> TrialRecord:
        """Return the best trial, one that is still running included."""
        self._perform(self.search.begin())
        while not self.search.finished and self.epochs < budget:
            for event in self._executor.wait(0):
                self._perform(self.search.handle(event))
        self._executor.close()
        scored = [r for r in self.search.trials.values() if r.score is not None]
        return min(scored, key=lambda r: (-(r.score or 0.0), r.number))

    def _perform(self, commands: Sequence[ev.Command]) -> None:
        for command in commands:
            match command:
                case ev.Dispatch(worker, pack):
                    self._executor.submit(worker, pack)
                case ev.StopTrials(worker, trials):
                    self._executor.stop(worker, trials)
                case ev.Record(reports):
                    self.epochs += len(reports)
                case ev.RemoveCheckpoints(names) if self._folder is not None:
                    for name in names:
                        (self._folder / name).unlink(missing_ok=True)


def train(document: Mapping[str, Any], seed: int, budget: int) -> float:
    """Return the error on the test rows of the best model, in percent."""
    config = build(document | {"study": document["study"] | {"seed": seed}})
    split = datasets.load(config.data, seed=seed, chains=config.chains)
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        settings = RunSettings(
            seed=seed,
            metric="val_accuracy",
            direction="maximize",
            folder=name,
            checkpoint_every=1,
            ema_decay=0.995,
        )
        Loop(config, SerialExecutor(split.dataset, settings), folder).run(budget)
        best = load(max(folder.iterdir()))
        found = score(Ensemble((best,), (1.0,)), split, test=True)
    return 100 * (1 - found["test_accuracy"])


def solve(regret: Callable[[NetworkSpec], float]) -> Callable[..., float]:
    def run(document: Mapping[str, Any], seed: int, budget: int) -> float:
        config = build(document | {"study": document["study"] | {"seed": seed}})
        best = Loop(config, Formula(regret, seed=seed), None).run(budget)
        return regret(best.spec)

    return run


def problems(letters: str | None) -> dict[str, tuple[Callable[..., float], dict[str, Any], str]]:
    """Return each problem's runner, its changes to the config and what is measured."""
    beyond = {"search_space": BASE["search_space"] | {"learning_rate": RATE | {"high": 1e-3}}}
    extend = {"extend": True, **beyond}
    far = solve(Valley((3e-2, 1e-4)).regret)
    found: dict[str, tuple[Callable[..., float], dict[str, Any], str]] = {
        "valley": (solve(Valley((3e-2, 1e-4)).regret), {}, "regret"),
        "valley, optimum beyond the range": (far, beyond, "regret"),
        "valley, optimum beyond the range, at_border: extend": (far, extend, "regret"),
        "digits": (train, {}, "test error, %"),
    }
    if letters:
        data = {"source": letters} | LETTERS["data"]
        found["letters"] = (train, LETTERS | {"data": data}, "test error, %")
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval (Student)."""
    spread = np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values)), float(stats.t.ppf(0.975, len(values) - 1) * spread)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 seeds and half the epochs")
    parser.add_argument("--seeds", type=int, help="how many (10)")
    parser.add_argument("--letters", metavar="FILE", help="letter-recognition.data")
    parser.add_argument("--problems", nargs="+", default=[""], metavar="TEXT", help="only these")
    return parser.parse_args(given)


def main() -> None:
    options = arguments()
    seeds = options.seeds or (3 if options.quick else 10)
    final, budget = (20, 320) if options.quick else (50, 810)
    print(f"{machine('numpy', 'optuna')}; {budget} epochs a search, {seeds} seeds\n")
    for name, (run, changes, unit) in problems(options.letters).items():
        if not any(text in name for text in options.problems):
            continue
        rows = []
        for strategy, stages in strategies(final, budget).items():
            rest = {k: v for k, v in changes.items() if k != "extend"}
            document = BASE | rest | extended(stages, extend="extend" in changes)
            began = time.perf_counter()
            values = [run(document, seed, budget) for seed in range(seeds)]
            mean, half = interval(values)
            seconds = (time.perf_counter() - began) / seeds
            rows.append([strategy, f"{mean:.3f}", f"{half:.3f}", f"{seconds:.1f}"])
        heads = [name, unit, "± (95 %)", "s a search"]
        print(table(heads, rows), end="\n\n", flush=True)


def extended(stages: Mapping[str, Any], *, extend: bool) -> dict[str, Any]:
    """Return the stages with ``at_border: extend`` where they narrow, if asked for."""
    border = {"at_border": "extend"} if extend else {}
    return {
        "stages": [
            one | ({"narrow": one["narrow"] | border} if "narrow" in one else {})
            for one in stages["stages"]
        ]
    }


if __name__ == "__main__":
    main()
