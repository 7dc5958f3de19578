"""The table of whole training steps: hpsearch, its rivals and the floor."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from contenders import FLOOR, OURS, TORCH
from problems import Bar
from race import Lane, Result, Stable, race
from tables import number, table

TOLERANCE = 2e-3
"""Relative difference of the first epoch's mean loss; rounding grows in deep networks."""

OPTIMIZERS = ("momentum", "adam")
PACKED = (OURS, "jax", FLOOR)
"""Who can train several networks at once; the others train one."""


@dataclass(frozen=True)
class Line:
    """A shape with its results under momentum and Adam."""

    bar: Bar
    results: tuple[Result, Result]

    def cell(self, label: str, over: str) -> str:
        return " / ".join(number(result.ratio(label, over)) for result in self.results)

    def times(self, label: str) -> str:
        return " / ".join(number(result.microseconds(label)) for result in self.results)

    def share(self) -> str:
        shares = [result.ratio(FLOOR, OURS) for result in self.results]
        return " / ".join(f"{share:.0%}" for share in shares)

    def verdict(self) -> str:
        bars = (self.bar.momentum, self.bar.adam)
        return " / ".join(
            f"{result.ratio(TORCH, OURS) / bar - 1:+.0%}"
            for result, bar in zip(self.results, bars, strict=True)
        )


def measure(
    stalls: Stable, bars: Iterable[Bar], names: Sequence[str], *, rounds: int
) -> list[Line]:
    """Race on every shape; all must do the same work.

    Raises
    ------
    ArithmeticError
        If a contender's loss is not hpsearch's.
    """
    lines = []
    for bar in bars:
        results = []
        for optimizer in OPTIMIZERS:
            packed = replace(bar.problem, optimizer=optimizer)
            alone = replace(packed, members=1)
            lanes = {n: Lane(n, packed if n in PACKED else alone) for n in names}
            results.append(race(stalls, lanes, rounds=rounds))
            _check(results[-1], f"{bar.name}, {optimizer}")
        lines.append(Line(bar, (results[0], results[1])))
    return lines


def _check(result: Result, where: str) -> None:
    for name, loss in result.losses.items():
        wanted = result.losses[OURS]
        if loss is not None and not math.isclose(loss, wanted or 0, rel_tol=TOLERANCE):
            raise ArithmeticError(f"{where}: loss {loss} of {name}, {wanted} of hpsearch")


def report(lines: Sequence[Line], names: Sequence[str]) -> str:
    """Return the tables of times and of ratios, as momentum / Adam."""
    rivals = [name for name in names if name not in (OURS, FLOOR)]
    heads = ["microseconds of a step and trial", *names]
    parts = [table(heads, [[x.bar.name, *map(x.times, names)] for x in lines])]
    heads = ["share of the floor; rival's time over hpsearch's", "share"]
    rows = [[x.bar.name, x.share(), *(x.cell(r, OURS) for r in rivals)] for x in lines]
    parts.append(table([*heads, *rivals], rows))
    if TORCH in names:
        heads = ["PyTorch's time over", "hpsearch's", "to reach", "beyond it"]
        others = [name for name in names if name not in (OURS, TORCH)]
        rows = [
            [x.bar.name, x.cell(TORCH, OURS), f"{x.bar.momentum} / {x.bar.adam}", x.verdict()]
            + [x.cell(TORCH, other) for other in others]
            for x in lines
        ]
        parts.append(table([*heads, *others], rows))
        spreads = [r.spread(TORCH, OURS) for x in lines for r in x.results]
        parts.append(
            "Half the distance of the quartiles of PyTorch's time over hpsearch's, between"
            f" rounds: {min(spreads):.1%} to {max(spreads):.1%}."
        )
    return "\n\n".join(parts)
