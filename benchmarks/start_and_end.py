"""Where the time of a short search goes, from the command to its exit.

Run as ``python benchmarks/start_and_end.py``; see benchmarks/README.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tables import machine, number, table

CONFIG: Final = Path(__file__).parent.parent / "configs" / "digits.yaml"

TRACED: Final = """
import json, sys, time

moments = {"python": time.time()}

def mark(name, again=False):
    if again or name not in moments:
        moments[name] = time.time()

def marked(owner, name, moment):
    call = getattr(owner, name)
    def timed(*arguments, **options):
        result = call(*arguments, **options)
        mark(moment)
        return result
    setattr(owner, name, timed)

from hpsearch.cli import main
from hpsearch.run import data_loading
from hpsearch.run import session

mark("config")
marked(data_loading, "load", "data")
make = session.make_executor

def traced(*arguments, **options):
    import ray
    mark("ray imported")
    from hpsearch.run import summary
    from hpsearch.execution import ray_executor
    marked(ray, "init", "ray started")
    marked(summary, "summarize", "concluded")
    wait = ray_executor.RayExecutor.wait
    def watched(self, seconds):
        events = wait(self, seconds)
        for event in events:
            ready = type(event).__name__ == "WorkerReady"
            mark("worker" if ready else "first epoch")
            mark("last epoch", again=not ready)
        return events
    ray_executor.RayExecutor.wait = watched
    marked(ray_executor.RayExecutor, "disconnect", "left")
    return make(*arguments, **options)

session.make_executor = traced
try:
    main.main()
finally:
    mark("shown")
    print(json.dumps(moments), file=sys.stderr)
"""
"""The command, which tells in a last line when it was where."""

BARE: Final = """
import json, sys, time
import ray

ray.init(OPTIONS)

@ray.remote
class Actor:
    def ready(self):
        return 1

ray.get(Actor.remote().ready.remote())
print(json.dumps({"actor": time.time()}), file=sys.stderr)
"""
"""Ray alone: started, and one actor answers."""

ALONE: Final = {
    "a bare ray.init()": "",
    "ray.init without a dashboard": 'address="local", include_dashboard=False, num_cpus=2',
}
"""The options of Ray alone."""

PARTS: Final = {
    "Python, the config and its check": ("began", "config"),
    "import of Ray": ("config", "ray imported"),
    "start of Ray": ("ray imported", "ray started"),
    "data, and the packages that read them (beside it)": ("config", "data"),
    "start of a worker": ("ray started", "worker"),
    "its first epoch": ("worker", "first epoch"),
    "all other epochs": ("first epoch", "last epoch"),
    "leaving Ray": ("last epoch", "left"),
    "ensemble, test, summary (Ray's processes die beside it)": ("left", "concluded"),
    "report, tables": ("concluded", "shown"),
    "Python's end": ("shown", "ended"),
}
"""The parts of a search, each from one moment to another."""


def timed(code: str, *arguments: str) -> Mapping[str, float]:
    """Return the moments of a program, and when it began and ended, in seconds."""
    began = time.time()
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stderr.splitlines()[-1])
    return {"began": began, "ended": time.time(), **found}


def main() -> None:
    """Take the search and Ray alone in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    searches: list[Mapping[str, float]] = []
    alone: dict[str, list[float]] = {name: [] for name in ALONE}
    with tempfile.TemporaryDirectory() as folder:
        for number_of_round in range(rounds + 1):
            name = f"round-{number_of_round}"
            found = timed(TRACED, "run", str(CONFIG), "--results", folder, "--name", name)
            answers = {n: timed(BARE.replace("OPTIONS", how)) for n, how in ALONE.items()}
            if number_of_round:  # the first one fills caches
                searches.append(found)
                for how, moments in answers.items():
                    alone[how].append(moments["actor"] - moments["began"])
    first = [search["first epoch"] - search["began"] for search in searches]
    last = [search["ended"] - search["last epoch"] for search in searches]
    rows = [
        [part, number(statistics.median(search[end] - search[begin] for search in searches))]
        for part, (begin, end) in PARTS.items()
    ]
    print(machine("ray", "numpy", "numba"), f"{rounds} rounds", sep="; ", end="\n\n")
    print(table([f"a search of {CONFIG.stem}, medians", "seconds"], rows), end="\n\n")
    print(
        table(
            ["", "seconds", "a search's first epoch over it"],
            [
                *(
                    [f"{how}, to an actor's answer", _spread(taken), _ratios(first, taken)]
                    for how, taken in alone.items()
                ),
                ["a search: from the command to its first epoch", _spread(first), ""],
                ["a search: from its last epoch to its exit", _spread(last), ""],
            ],
        )
    )


def _ratios(ours: list[float], theirs: list[float]) -> str:
    """Return the spread of the quotients, round by round."""
    return _spread([mine / other for mine, other in zip(ours, theirs, strict=True)])


def _spread(values: list[float]) -> str:
    """Return the median and the quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
