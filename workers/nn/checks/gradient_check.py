"""Compare gradients with centred differences, for the very network and data of a config.

The method is that of the CS231n notes: double precision, few data points, ``|a - n|/max(|a|,
|n|)``, at the initial parameters and after a burn-in, the data loss and the penalty apart.
Entries whose differences cross a kink are replaced by others, so that the bands are those of
objectives without kinks. Some entries of each tensor are looked at one by one, and all of them
at once along random directions, on which a single wrong one shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from workers.nn.checks.checked_losses import Loss, data_loss, penalty_loss
from workers.nn.checks.numerical_derivatives import relative_error
from workers.nn.families.initializers import initial
from workers.nn.layout import Floats, Lookup, Tensor
from workers.nn.network.stack import Stack, plan, stack
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

POINTS: Final = 8
BURN_IN: Final = 512  # rows
ENTRIES: Final = 6
DIRECTIONS: Final = 2
TRIES: Final = 10  # for each entry and direction that is wanted

Verdict = Literal["right", "acceptable", "unchecked", "doubtful", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: what was checked, on what, the number found, the verdict.

    ``value`` of a gradient check is the worst relative error over ``entries`` entries and
    ``directions`` directions; ``kinks`` of both are left out of it because a maximum changed
    its winner between the points of their differences. NaN where nothing else was left.
    """

    check: str
    subject: str
    value: float
    verdict: Verdict
    entries: int = 0
    directions: int = 0
    kinks: int = 0
    remark: str = ""

    @property
    def failed(self) -> bool:
        """Whether the command that shows this must end with exit code 1."""
        return self.verdict in ("doubtful", "wrong")


def verdict(error: float) -> Verdict:
    """Return the notes' band of a relative error that no kink explains.

    Up to 1e-7 they are happy; 1e-4 is too high, so that only one digit more is acceptable;
    above 1e-2 a gradient is wrong.

    >>> [verdict(error) for error in (0.1, 1e-3, 1e-5, 5e-7, 1e-9, float("nan"))]
    ['wrong', 'doubtful', 'doubtful', 'acceptable', 'right', 'wrong']
    """
    if not error <= 1e-2:
        return "wrong"
    if error > 1e-6:
        return "doubtful"
    return "acceptable" if error > 1e-7 else "right"


def check_gradients(
    spec: NetworkSpec,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    outputs: int,
    lookups: tuple[Lookup, ...] = (),
    weights: NDArray[Any] | None = None,
    rng: np.random.Generator,
) -> list[Finding]:
    """Check every tensor at the initial parameters and after two epochs of training.

    ``weights`` are the rows', none stands for ones.
    With dropout in the spec the data loss is checked twice, without and with frozen masks.
    """
    few = rng.choice(len(x), min(POINTS, len(x)), replace=False)
    some = rng.permutation(len(x))[:BURN_IN]
    burnt = _burn_in(spec, x[some], y[some], outputs=outputs, lookups=lookups, rng=rng)
    layout = plan([spec], features=x.shape[1], outputs=outputs, lookups=lookups)
    first = initial(spec, layout, rng=rng)
    findings: list[Finding] = []
    for moment, row in (("initial", first), ("after burn-in", burnt)):
        net = stack([spec], row[np.newaxis].astype(np.float64), layout)
        for dropped in {False, bool(net.dropout.any())}:
            kind = "data loss, dropout" if dropped else "data loss"
            keys = rng.integers(0, 2**63, 1, np.uint64) if dropped else None
            of_few = None if weights is None else weights[few]
            loss, gradient = data_loss(net, x[few], y[few], of_few, keys)
            findings += _compare(f"{kind}, {moment}", net, loss, gradient, rng)
        if spec.l2 or spec.l1:
            findings += _compare(f"penalty, {moment}", net, *penalty_loss(net), rng)
    return findings


def _burn_in(
    spec: NetworkSpec,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    outputs: int,
    lookups: tuple[Lookup, ...] = (),
    rng: np.random.Generator,
) -> Floats:
    learner = Learner(
        [replace(spec, swa_fraction=0.0)],
        features=x.shape[1],
        outputs=outputs,
        lookups=lookups,
        epochs=2,
        rows=len(x),
        ema_decay=0.0,
        initial=[rng],
        dtype=np.float64,
    )
    for epoch in (1, 2):
        keys = [int(rng.integers(2**63))]
        learner.run_epoch(x, y, order=rng.permutation(len(x)), epoch=epoch, dropout_keys=keys)
    return learner.state(0)["parameters"]


def _compare(
    check: str, net: Stack, loss: Loss, gradient: Floats, rng: np.random.Generator
) -> Iterator[Finding]:
    row = net.rows[0].copy()
    finite = np.isfinite(loss(row)[0])
    for tensor in net.layout.tensors:
        if finite:
            entries, edges = _smooth(_entries(tensor, loss, row, gradient, rng), ENTRIES)
            wide, more = _smooth(_directions(tensor, loss, row, gradient, rng), DIRECTIONS)
            yield _judge(check, tensor.name, entries, wide, edges + more)
        else:
            yield Finding(check, tensor.name, np.nan, "unchecked", remark="the loss is not finite")
    net.rows[0] = row


def _judge(
    check: str, subject: str, entries: list[float], wide: list[float], kinks: int
) -> Finding:
    counts = (len(entries), len(wide), kinks)
    if not entries + wide:
        return Finding(check, subject, np.nan, "unchecked", *counts, "all cross a kink")
    worst = float(np.max(entries + wide))
    remark = f"{kinks} more cross a kink" if kinks else ""
    return Finding(check, subject, worst, verdict(worst), *counts, remark)


def _smooth(errors: Iterator[float | None], wanted: int) -> tuple[list[float], int]:
    """Take as many errors as are wanted; count those of kinks on the way."""
    found: list[float] = []
    kinks = 0
    for error in islice(errors, TRIES * wanted):
        if error is None:
            kinks += 1
        else:
            found.append(error)
        if len(found) == wanted:
            break
    return found, kinks


def _entries(
    tensor: Tensor, loss: Loss, row: Floats, gradient: Floats, rng: np.random.Generator
) -> Iterator[float | None]:
    """Yield the errors of a tensor's entries, drawn without replacement."""
    size, one = tensor.stop - tensor.start, np.ones(1)
    for index in rng.choice(size, min(TRIES * ENTRIES, size), replace=False):
        entry = tensor.start + int(index)
        yield relative_error(loss, row, slice(entry, entry + 1), one, float(gradient[entry]))


def _directions(
    tensor: Tensor, loss: Loss, row: Floats, gradient: Floats, rng: np.random.Generator
) -> Iterator[float | None]:
    """Yield the errors of derivatives along random corners of the cube, of norm 1."""
    place = slice(tensor.start, tensor.stop)
    size = tensor.stop - tensor.start
    while True:
        direction = rng.choice([-1.0, 1.0], size) / np.sqrt(size)
        yield relative_error(loss, row, place, direction, float(gradient[place] @ direction))


def failed(findings: Sequence[Finding]) -> bool:
    """Return whether any check has failed."""
    return any(finding.failed for finding in findings)
