"""Compare what strategies of search find at equal epochs, over several seeds.

Run as ``python benchmarks/search_quality.py``; see benchmarks/search_quality.md.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from lcbench import compare
from loop import Loop
from scipy import stats
from simulated import Simulated, Valley
from strategies import strategies
from surrogate import SPACES, Instance, Surrogate
from tables import machine, table

from hpsearch.config.loading import build
from hpsearch.data import datasets
from hpsearch.ensembles.ensemble import Ensemble
from hpsearch.ensembles.model import load
from hpsearch.execution.executors import SerialExecutor
from hpsearch.run.summary import score
from workers.messages import RunSettings

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


def solve(document: Mapping[str, Any], seed: int, budget: int) -> float:
    """Return how far the best network of a valley lies from its optimum."""
    config = build(document | {"study": document["study"] | {"seed": seed}})
    valley = Valley((3e-2, 1e-4), seed)
    best = Loop(config, Simulated(valley.curves)).run(budget)
    return valley.regret(best.spec)


def problems(letters: str | None) -> dict[str, tuple[Callable[..., float], dict[str, Any], str]]:
    """Return each problem's runner, its changes to the config and what is measured."""
    beyond = {"search_space": BASE["search_space"] | {"learning_rate": RATE | {"high": 1e-3}}}
    extend = {"extend": True, **beyond}
    found: dict[str, tuple[Callable[..., float], dict[str, Any], str]] = {
        "valley": (solve, {}, "regret"),
        "valley, optimum beyond the range": (solve, beyond, "regret"),
        "valley, optimum beyond the range, at_border: extend": (solve, extend, "regret"),
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
    parser.add_argument("--surrogate", type=Path, metavar="DIR", help="LCBench's, see surrogate.py")
    parser.add_argument("--instances", type=words, default=[], metavar="A,B,...", help="its sets")
    parser.add_argument("--dims", type=int, choices=sorted(SPACES), default=3)
    parser.add_argument("--budgets", type=numbers, default=[810], metavar="N,...", help="epochs")
    parser.add_argument("--workers", type=numbers, default=[1], metavar="N,...")
    parser.add_argument("--strategies", nargs="+", default=[""], metavar="TEXT", help="only these")
    options = parser.parse_args(given)
    if bool(options.surrogate) != bool(options.instances):
        parser.error("--surrogate and --instances go together")
    return options


def words(text: str) -> list[str]:
    return text.split(",")


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    options = arguments()
    seeds = options.seeds or (3 if options.quick else 10)
    final, budget = (20, 320) if options.quick else (50, 810)
    print(f"{machine('numpy', 'optuna')}; {seeds} seeds\n")
    for name, problem in problems(options.letters).items():
        if any(text in name for text in options.problems):
            found = tabled(name, problem, seeds, final, budget, options.strategies)
            print(found, end="\n\n", flush=True)
    if options.surrogate and any(text in "lcbench" for text in options.problems):
        surrogate = Surrogate(options.surrogate)
        if unknown := [name for name in options.instances if name not in surrogate.codes]:
            sys.exit(f"--instances: no {', '.join(unknown)} in {options.surrogate}")
        places = [Instance(surrogate, name, options.dims) for name in options.instances]
        for budget, workers in product(options.budgets, options.workers):
            rest = {"seeds": seeds, "only": options.strategies}
            print(compare(places, budget=budget, workers=workers, **rest), end="\n\n", flush=True)


def tabled(
    name: str,
    problem: tuple[Callable[..., float], Mapping[str, Any], str],
    seeds: int,
    final: int,
    budget: int,
    only: Sequence[str],
) -> str:
    """Return the table of one problem."""
    run, changes, unit = problem
    rest = {k: v for k, v in changes.items() if k != "extend"}
    rows = []
    for strategy, stages in strategies(final, budget).items():
        if not any(text in strategy for text in only):
            continue
        document = BASE | rest | extended(stages, extend="extend" in changes)
        began = time.perf_counter()
        values = [run(document, seed, budget) for seed in range(seeds)]
        mean, half = interval(values)
        seconds = (time.perf_counter() - began) / seeds
        rows.append([strategy, f"{mean:.3f}", f"{half:.3f}", f"{seconds:.1f}"])
    return table([f"{name}, {budget} epochs", unit, "± (95 %)", "s a search"], rows)


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
