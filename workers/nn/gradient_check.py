"""Compare gradients with centred differences, for the very network and data of a config.

The method and its bands are those of the CS231n notes: double precision, few data points,
``|a - n|/max(|a|, |n|)``, at the initial parameters and after a burn-in, the data loss and
the penalty apart, entries whose differences cross a kink apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from workers.nn.checked_losses import Loss, data_loss, penalty_loss
from workers.nn.initializers import initial
from workers.nn.layout import Floats
from workers.nn.learner import Learner
from workers.nn.spec import NetworkSpec
from workers.nn.stack import Stack, plan, stack

STEP: Final = 1e-5
POINTS: Final = 8
BURN_IN: Final = 512  # rows
ENTRIES: Final = 6

Verdict = Literal["right", "acceptable", "doubtful", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: what was checked, on what, the number found, the verdict.

    ``value`` of a gradient check is the worst relative error over ``entries`` entries;
    ``kinks`` entries are left out of it because a maximum changed its winner between the
    two points of their difference.
    """

    check: str
    subject: str
    value: float
    verdict: Verdict
    entries: int = 0
    kinks: int = 0
    remark: str = ""

    @property
    def failed(self) -> bool:
        """Whether the command that shows this must end with exit code 1."""
        return self.verdict in ("doubtful", "wrong")


def verdict(error: float) -> Verdict:
    """Return the notes' band of a relative error: 1e-2, 1e-4 and 1e-7 part them.

    >>> [verdict(error) for error in (0.1, 1e-3, 1e-5, 1e-9, float("nan"))]
    ['wrong', 'doubtful', 'acceptable', 'right', 'wrong']
    """
    if not error <= 1e-2:
        return "wrong"
    if error > 1e-4:
        return "doubtful"
    return "acceptable" if error > 1e-7 else "right"


def check_gradients(
    spec: NetworkSpec,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    outputs: int,
    rng: np.random.Generator,
) -> list[Finding]:
    """Check every tensor at the initial parameters and after two epochs of training.

    With dropout in the spec the data loss is checked twice, without and with frozen masks.
    """
    few = rng.choice(len(x), min(POINTS, len(x)), replace=False)
    some = rng.permutation(len(x))[:BURN_IN]
    burnt = _burn_in(spec, x[some], y[some], outputs=outputs, rng=rng)
    layout = plan([spec], features=x.shape[1], outputs=outputs)
    first = initial(spec, layout, rng=rng)
    findings: list[Finding] = []
    for moment, row in (("initial", first), ("after burn-in", burnt)):
        net = stack([spec], row[np.newaxis].astype(np.float64), layout)
        for dropped in {False, bool(net.dropout.any())}:
            kind = "data loss, dropout" if dropped else "data loss"
            keys = rng.integers(0, 2**63, 1, np.uint64) if dropped else None
            loss, gradient = data_loss(net, x[few], y[few], keys)
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
    rng: np.random.Generator,
) -> Floats:
    learner = Learner(
        [replace(spec, swa_fraction=0.0)],
        features=x.shape[1],
        outputs=outputs,
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
    resolution = 1e-10 * max(1.0, abs(loss(row)[0]))
    for tensor in net.layout.tensors:
        size = tensor.stop - tensor.start
        entries = tensor.start + rng.choice(size, min(ENTRIES, size), replace=False)
        errors: list[float] = []
        for entry in entries:
            error = _error(loss, row, int(entry), float(gradient[entry]), resolution)
            errors += [] if error is None else [error]
        kinks = len(entries) - len(errors)
        worst = float(np.max(errors)) if errors else 0.0
        remark = f"{kinks} entries cross a kink" if kinks else ""
        yield Finding(check, tensor.name, worst, verdict(worst), len(errors), kinks, remark)
    net.rows[0] = row


def _error(loss: Loss, row: Floats, entry: int, slope: float, resolution: float) -> float | None:
    """Return an entry's relative error, None if its difference crosses a kink.

    A difference of the two slopes that rounding of the loss explains is never a failure.
    """
    ahead, behind = row.copy(), row.copy()
    ahead[entry] += STEP
    behind[entry] -= STEP
    (high, over), (low, under) = loss(ahead), loss(behind)
    if not np.array_equal(over, under):
        return None
    numeric = (high - low) / (ahead[entry] - behind[entry])
    difference = abs(slope - numeric)
    if difference == 0:
        return 0.0
    error = float(difference / max(abs(slope), abs(numeric)))
    return min(error, 1e-7) if difference <= resolution else error


def failed(findings: Sequence[Finding]) -> bool:
    """Return whether any check has failed."""
    return any(finding.failed for finding in findings)
