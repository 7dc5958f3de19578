"""Time a trial under k-fold validation: its networks in one stack, and one after the other.

Run as ``python benchmarks/folds.py``; see benchmarks/README.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace

from tables import machine, number, table

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import datasets
from workers.data.dataset import Dataset
from workers.messages import Pack, RunSettings, Trial
from workers.nn.layout import layout
from workers.nn.spec import NetworkSpec
from workers.training.train import train

EPOCHS = 3
SHAPES = (
    ("iris", (50,), 32),
    ("digits", (32, 16), 16),
    ("digits", (50,), 32),
    ("digits", (256,), 32),
    ("digits", (1000,), 64),
    ("digits", (1000, 500), 64),
)


def seconds(parts: Sequence[Dataset], spec: NetworkSpec) -> float:
    """Return the CPU time of an epoch, scoring included, of one trial on each of the parts."""
    with tempfile.TemporaryDirectory() as folder:
        settings = RunSettings(0, "val_loss", "minimize", folder, EPOCHS, ema_decay=0.995)
        trial = Trial(0, spec, EPOCHS)
        began = time.process_time()
        for number_of_part, part in enumerate(parts):
            pack = Pack(number_of_part, (replace(trial, number=number_of_part),))
            for _ in train(pack, part, settings):
                pass
        return (time.process_time() - began) / EPOCHS


def row(source: str, hidden: tuple[int, ...], batch: int, folds: int, rounds: int) -> list[str]:
    whole = datasets.load(DataConfig(source=source, folds=folds), seed=0).dataset
    alone = [replace(split, further=()) for split in whole.splits]
    spec = NetworkSpec(hidden=hidden, batch_size=batch)
    size = layout(spec, features=whole.features, scores=whole.outputs).size
    ways = [[whole], alone]
    found: list[list[float]] = [[], []]
    for turn in range(rounds + 1):
        for way in (0, 1) if turn % 2 else (1, 0):
            found[way].append(seconds(ways[way], spec))
    ratios = [b / a for a, b in zip(found[0][1:], found[1][1:], strict=True)]
    cut = statistics.quantiles(ratios, n=4)
    shape = "-".join(map(str, (whole.features, *hidden, whole.outputs)))
    times = [number(1e3 * statistics.median(values[1:])) for values in found]
    spread = f"{cut[1]:.2f} [{cut[0]:.2f}, {cut[2]:.2f}]"
    return [f"{source}, {shape}, {batch}", str(size), *times, spread]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=21)
    args = parser.parse_args()
    print(machine(), "\n")
    headings = ["ms of an epoch", "parameters", "together", "one by one", "ratio"]
    print(table(headings, [row(*shape, args.folds, args.rounds) for shape in SHAPES]))


if __name__ == "__main__":
    main()
