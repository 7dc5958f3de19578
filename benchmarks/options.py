"""The table of what options cost, and the table of pack sizes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from contenders import OURS
from problems import Problem
from race import Lane, Stable, race
from tables import number, table

from hpsearch.search.trials import pack_size

PLAIN = "plain step"

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "dropout 0.5": {"options": {"dropout": 0.5}},
    "input dropout 0.2": {"options": {"input_dropout": 0.2}},
    "batch normalization": {"options": {"batch_normalization": True}},
    "running average": {"ema_decay": 0.995},
    "L1": {"options": {"l1": 1e-5}},
    "clipping by norm": {"options": {"clip_norm": 1.0}},
    "max-norm": {"options": {"max_norm": 3.0}},
    "Adam for momentum": {"optimizer": "adam"},
    "tanh for ReLU": {"options": {"activation": "tanh"}},
    "evaluation, 1/4 of the rows": {"evaluate": True},
    "diagnostics": {"evaluate": True, "diagnostics": True},
}

BASES = {"diagnostics": "evaluation, 1/4 of the rows"}
"""Options that are measured with another one on, whose cost is not theirs."""

OPTION_PROBLEMS = {
    "64-50-10, 32": Problem(64, (50,), 10, 32),
    "in a pack of 16": Problem(64, (50,), 10, 32, members=16),
    "784-100-10, 100": Problem(784, (100,), 10, 100, steps=60),
    "784-256-128-10, 128": Problem(784, (256, 128), 10, 128, steps=20),
}

PACK_SIZES = (1, 2, 4, 8, 16, 32, 64)

PACK_PROBLEMS = (
    Problem(8, (8,), 3, 16),
    Problem(20, (32, 16), 10, 16),
    Problem(64, (50,), 10, 32, steps=50),
    Problem(16, (100,), 26, 32, steps=50),
    Problem(64, (128,), 10, 32, steps=40),
    Problem(64, (256,), 10, 32, steps=30),
    Problem(64, (128, 128), 10, 32, steps=30),
    Problem(784, (25,), 10, 64, steps=20),
    Problem(784, (50,), 10, 64, steps=20),
    Problem(784, (100,), 10, 100, steps=10),
    Problem(784, (256, 128), 10, 128, steps=5),
)


def costs(stalls: Stable, problems: Iterable[str], *, rounds: int) -> str:
    """Return the table of what each option adds to the plain step, in its per cents."""
    columns = []
    for name in problems:
        plain = OPTION_PROBLEMS[name]
        lanes = {PLAIN: Lane(OURS, plain)}
        lanes |= {key: Lane(OURS, replace(plain, **value)) for key, value in OPTIONS.items()}
        result = race(stalls, lanes, rounds=rounds)
        shares = {key: result.ratio(key, PLAIN) for key in (PLAIN, *OPTIONS)}
        added = [f"{shares[key] - shares[BASES.get(key, PLAIN)]:+.1%}" for key in OPTIONS]
        columns.append([f"{number(result.microseconds(PLAIN))} us", *added])
    rows = zip([PLAIN, *OPTIONS], *columns, strict=True)
    return table(["added to the plain step", *problems], list(rows))


def packs(stalls: Stable, problems: Sequence[Problem], *, rounds: int) -> str:
    """Return the table of times at every pack size over that at the master's choice."""
    rows = []
    for problem in problems:
        size = problem.layout.size
        chosen = pack_size(size, trials=10_000, workers=1)
        sizes = sorted({*PACK_SIZES, chosen})
        lanes = {str(k): Lane(OURS, replace(problem, members=k)) for k in sizes}
        result = race(stalls, lanes, rounds=rounds)
        ratios = {k: result.ratio(str(k), str(chosen)) for k in sizes}
        cells = [f"{ratios[k]:.2f}" for k in PACK_SIZES]
        widths = "-".join(map(str, problem.widths))
        behind = f"{1 / min(ratios.values()) - 1:.0%}"
        time = number(result.microseconds(str(chosen)))
        rows.append([f"{widths}, {problem.batch}", str(size), str(chosen), time, behind, *cells])
    heads = ["time of a trial over that at the choice", "parameters", "choice", "us", "behind"]
    return table(list(chain(heads, map(str, PACK_SIZES))), rows)
