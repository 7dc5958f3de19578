"""Seconds and memory of large tables: reading, predicting, and what workers share."""

import argparse
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tables import machine, number, table

READERS: Final = {
    "hpsearch": (
        "from hpsearch.data.readers.formats import read\n"
        "from hpsearch.data.tables.raw_table import Source\n"
        "read_it = lambda path: read(Source(path, target='y'))"
    ),
    "pandas": "import pandas\nread_it = pandas.read_csv",
    "pyarrow, one thread": (
        "import pyarrow.csv as csv\n"
        "read_it = lambda path: csv.read_csv(path, csv.ReadOptions(use_threads=False))"
    ),
    "pyarrow": "import pyarrow.csv as csv\nread_it = csv.read_csv",
}
"""What reads a file as it would with no options, imported beforehand."""

MEASURED: Final = """
import json, sys, time
SETUP
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))
before, began, used = peak(), time.perf_counter(), time.process_time()
found = read_it(sys.argv[1])
seconds, cpu = time.perf_counter() - began, time.process_time() - used
print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak() - before}))
"""

PREDICTED: Final = """
from hpsearch.cli import main
read_it = lambda path: main.main(COMMAND, standalone_mode=False)
"""

SMALL: Final = [
    *("stages.0.num_trials=4", "stages.1.num_trials=4", "stages.2.num_trials=4"),
    *("stages.0.epochs=1", "stages.1.epochs=2", "stages.2.epochs=3", "ensemble.size=3"),
    *("search_space.hidden={type: categorical, choices: [[64]]}",),
]
"""What makes a search of a few seconds of the config that `hpsearch init` writes."""


def generated(rows: int) -> Iterator[str]:
    """Yield the lines of a table: 25 numbers, 3 categories, a flag, a date, and what to predict."""
    rng = np.random.default_rng(0)
    heads = [*(f"n{i}" for i in range(25)), "city", "grade", "street", "flag", "seen", "y"]
    yield ",".join(heads)
    for start in range(0, rows, 50_000):
        n = min(50_000, rows - start)
        x, city = rng.normal(size=(n, 25)), rng.integers(40, size=n)
        columns = [np.char.mod("%.6g", x[:, i]) for i in range(20)]
        columns += [np.char.mod("%d", np.abs(x[:, i] * 100).astype(int)) for i in range(20, 25)]
        columns[3] = np.where(rng.random(n) < 0.05, "", columns[3])
        columns += [
            np.where(rng.random(n) < 0.1, "", np.char.mod("city %03d", city)),
            np.array(list("abcde"))[rng.integers(5, size=n)],
            np.char.mod("street %d", rng.integers(5000, size=n)),
            np.where(rng.random(n) < 0.5, "True", "False"),
            (np.datetime64("2020-01-01") + rng.integers(2000, size=n)).astype(str),
            np.where(x[:, 0] + x[:, 1] * x[:, 2] + city % 3 > 0.5, "yes", "no"),
        ]
        yield from map(",".join, zip(*columns, strict=True))


def measured(setup: str, path: Path) -> dict[str, float]:
    """Return the seconds and the peak of memory, above that before, of a process of its own."""
    command = [sys.executable, "-c", MEASURED.replace("SETUP", setup), str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def reading(path: Path, rounds: int) -> str:
    """Return the table of readers, in turns, and of hpsearch's ratios to them."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in READERS}
    for turn in range(rounds + 1):
        for name, setup in READERS.items():
            result = measured(setup, path)
            if turn:  # the first one fills caches
                found[name].append(result)
    rows = []
    for name, results in found.items():
        cells = [_spread([one[key] for one in results]) for key in ("seconds", "cpu", "megabytes")]
        ratios = [
            _spread(
                [mine[k] / other[k] for mine, other in zip(found["hpsearch"], results, strict=True)]
            )
            for k in ("seconds", "megabytes")
        ]
        rows.append([name, *cells, *ratios])
    heads = [
        "",
        "seconds",
        "CPU seconds",
        "peak, MB",
        "hpsearch's seconds over it",
        "its peak over it",
    ]
    return table(heads, rows)


def predicting(config: Path, files: Sequence[tuple[str, Path]]) -> str:
    """Return the table of predicting files of several sizes with one ensemble."""
    changes = [word for change in SMALL for word in ("--set", change)]
    _hpsearch(
        "run", config, "--in-process", "--results", config.parent, "--name", "small", *changes
    )
    rows = []
    for name, path in files:
        out = config.with_name("out.csv")
        words = ["predict", str(config.with_name("small")), str(path), "--output", str(out)]
        command = json.dumps([*words, "--keep", "city"])
        found = measured(PREDICTED.replace("COMMAND", command), path)
        size = f"{path.stat().st_size / 1e6:,.0f}"
        rows.append([name, size, number(found["seconds"]), f"{found['megabytes']:.0f}"])
    return table(["rows", "file, MB", "seconds", "peak, MB"], rows)


def sharing(config: Path, seconds: float) -> str:
    """Return the table of what two workers have in memory, while they train."""
    token = secrets.token_hex(8)
    name = ["--results", str(config.parent), "--name", "shared", "--workers", "2"]
    command = ["hpsearch", "run", str(config), *name]
    process = subprocess.Popen(
        command,
        env={**os.environ, "HPSEARCH_BENCHMARK": token},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen: dict[int, dict[str, int]] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        for pid in _workers(token):
            seen[pid] = _memory(pid) or seen.get(pid, {})
        time.sleep(1)
    process.terminate()
    process.wait()
    rows = [
        [f"worker {place}", *(f"{found[key]:,}" for key in ("Anonymous", "Shared_Clean", "Rss"))]
        for place, found in enumerate(seen.values())
    ]
    return table(["MB", "private", "shared", "resident in all"], rows)


def _workers(token: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = token.encode() in (folder / "environ").read_bytes()
            if ours and (folder / "cmdline").read_bytes().startswith(b"ray::TrainingActor"):
                found.append(int(folder.name))
        except OSError:  # it has ended
            continue
    return found


def _memory(pid: int) -> dict[str, int]:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return {}
    return {key: int(size) // 1000 for key, size in re.findall(r"(\w+):\s+(\d+) kB", text)}


def _hpsearch(*words: object) -> str:
    command = ["hpsearch", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _spread(values: list[float]) -> str:
    """Return the median and the quartiles."""
    low, middle, high = map(number, statistics.quantiles(values, n=4))
    return f"{middle} [{low}, {high}]"


def main() -> None:
    """Make the tables in a folder that is removed again, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--times", type=int, default=10, help="Files to predict are so many times that."
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=90, help="How long two workers are looked at."
    )
    options = parser.parse_args()
    print(machine("numpy", "pandas", "pyarrow"), f"{options.rounds} rounds", sep="; ", end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        path, large, config = (Path(folder, n) for n in ("table.csv", "large.csv", "config.yaml"))
        path.write_text("\n".join(generated(options.rows)) + "\n")
        print(reading(path, options.rounds), end="\n\n", flush=True)
        config.write_text(_hpsearch("init", path, "--target", "y"))
        with large.open("wb") as file:
            for time_ in range(options.times):
                with path.open("rb") as part:
                    head = part.readline()
                    file.write(b"" if time_ else head)
                    shutil.copyfileobj(part, file, 1 << 20)
        files = [(f"{options.rows:,}", path), (f"{options.rows * options.times:,}", large)]
        print(predicting(config, files), end="\n\n", flush=True)
        large.unlink()
        print(sharing(config, options.seconds))


if __name__ == "__main__":
    main()
