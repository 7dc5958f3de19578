"""Compare steps in float32, in which a search trains, with the same steps in float64.

Each begins at the float64 parameters, so that no difference grows from step to step. Gradients
and updates are compared apart, the updates for the same gradient: rules that divide by a
gradient's size turn what is but rounding into whole steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.checks.checked_losses import winners
from workers.nn.checks.gradient_check import Finding
from workers.nn.families.initializers import initial
from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.layout import Floats, Layout, Lookup
from workers.nn.network.evaluation import row_weights, targets
from workers.nn.network.network import Passes, loss_calls
from workers.nn.network.stack import plan, stack
from workers.nn.spec import NetworkSpec
from workers.nn.training import lbfgs
from workers.nn.training.state import training_state
from workers.nn.training.updates import fill_rates, update_calls

STEPS: Final = 20
ROWS: Final = 512  # of a step at most
TOLERANCE: Final = 1e-2
DIVERGED: Final = 1e3  # times the first loss: what then leaves float32's range is no fault of it


def check_precision(
    spec: NetworkSpec,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    outputs: int,
    lookups: tuple[Lookup, ...] = (),
    rng: np.random.Generator,
) -> list[Finding]:
    """Check gradients and updates of some steps at the spec's rate, of L-BFGS one iteration."""
    spec = replace(
        spec, schedule="constant", warmup_epochs=0.0, swa_fraction=0.0, lbfgs_iterations=1
    )
    layout = plan([spec], features=x.shape[1], outputs=outputs, lookups=lookups)
    first = initial(spec, layout, rng=rng)
    size = len(x) if isinstance(spec.batch_size, str) else spec.batch_size
    some = [rng.permutation(len(x))[: min(size, ROWS)] for _ in range(STEPS)]
    batches = [(x[rows], y[rows]) for rows in some]
    key = rng.integers(0, 2**63, 1, np.uint64)
    exact, rounded = (
        _Training(spec, first.astype(kind), layout, rows=len(some[0]), outputs=outputs, key=key)
        for kind in (np.float64, np.float32)
    )
    with np.errstate(all="ignore"):
        if OPTIMIZERS[spec.optimizer].update is None:
            found = [_apart(exact.minimize(*batches[0]), rounded.minimize(*batches[0]))]
            return [_judge("iteration of lbfgs", found)]
        compared = list(_steps(exact, rounded, batches))
    gradients = [found for found, _ in compared if found is not None]
    updates = [found for _, found in compared]
    return [_judge("gradients", gradients), _judge(f"updates by {spec.optimizer}", updates)]


class _Training:
    """A network of one floating type, whose step is taken in two parts."""

    def __init__(
        self,
        spec: NetworkSpec,
        row: Floats,
        layout: Layout,
        *,
        rows: int,
        outputs: int,
        key: NDArray[np.uint64],
    ) -> None:
        self.state = training_state([spec], row[np.newaxis], layout, ema_decay=0.0)
        self.net = stack([spec], self.state.rows, layout, statistics=self.state.statistics)
        self.loss, self._clock, rates = np.zeros(1), np.zeros(2, np.int64), self._rates()
        self._passes = Passes(self.net, rows, training=True, keys=key, clock=self._clock)
        task = LOSSES[spec.loss].task
        empty = np.zeros(rows) if task == "classification" else np.zeros((rows, outputs))
        self._targets = targets(self.net, empty)
        self._weights = row_weights(self.net, None)
        self._back = loss_calls(self._passes, self._targets, self._weights, self.loss)
        gradient = self.net.gradient
        self._update = update_calls(self.state, layout, gradient, clock=self._clock, rates=rates)

    def _rates(self) -> Floats:
        rates = np.zeros((STEPS, 1, 5), self.net.rows.dtype)
        fill_rates(self.state, rates, epoch=1, epochs=1)
        return rates

    def adopt(self, other: "_Training") -> None:
        """Take another's parameters, and what its optimizer remembers."""
        self.state.rows[...] = other.state.rows
        self.state.slots[...] = other.state.slots

    def differentiate(self, x: NDArray[Any], y: NDArray[Any], step: int) -> Floats:
        """Return the gradient of the mean loss of a mini-batch, a view."""
        self._clock[0], self.loss[0] = step, 0
        self._passes.inputs[0] = x
        self._targets[...] = targets(self.net, y)
        for call in self._back:
            call()
        slope: Floats = self.net.gradient[0]
        return slope

    def winners(self) -> NDArray[Any]:
        """Return which side of every maximum won in the last mini-batch."""
        return np.concatenate(list(winners(self._passes)))

    def update(self, gradient: Floats) -> Floats:
        """Update the parameters by a gradient, and return by how much."""
        before = self.net.rows[0].copy()
        self.net.gradient[0] = gradient
        for call in self._update:
            call()
        moved: Floats = self.net.rows[0] - before
        return moved

    def minimize(self, x: NDArray[Any], y: NDArray[Any]) -> Floats:
        """Minimize the loss of these rows, and return how far that leads."""
        before = self.net.rows[0].copy()
        lbfgs.minimize(self.net, x, targets(self.net, y), self._weights)
        moved: Floats = self.net.rows[0] - before
        return moved


def _steps(
    exact: _Training, rounded: _Training, batches: Sequence[tuple[NDArray[Any], NDArray[Any]]]
) -> Iterator[tuple[float | None, float]]:
    """Yield how far gradient and update of each step are apart, until training diverges.

    None: the gradient is another one beyond a kink that rounding has crossed.
    """
    limit = np.inf
    for step, batch in enumerate(batches):
        rounded.adopt(exact)
        slope = exact.differentiate(*batch, step).copy()
        if not exact.loss[0] <= limit:
            return
        limit = min(limit, DIVERGED * max(exact.loss[0], len(batch[0])))
        apart = _apart(slope, rounded.differentiate(*batch, step))
        kink = apart < np.inf and not np.array_equal(exact.winners(), rounded.winners())
        slack = float(np.finfo(np.float32).eps * np.linalg.norm(exact.net.rows[0]))
        update = _apart(exact.update(slope), rounded.update(slope), slack)
        yield None if kink and apart > TOLERANCE else apart, update


def _apart(exact: Floats, rounded: Floats, slack: float = 0.0) -> float:
    """Return the relative difference by norm, beyond what rounding of parameters explains."""
    difference = float(np.linalg.norm(exact - rounded)) - slack
    return 0.0 if difference <= 0 else difference / float(np.linalg.norm(exact))


def _judge(subject: str, differences: list[float]) -> Finding:
    """Judge the worst of the steps that could be compared."""
    check, count = "float32 against float64", len(differences)
    if not count:
        return Finding(check, subject, np.nan, "unchecked", remark="no step can be compared")
    worst, wrong = float(np.max(differences)), sum(not one <= TOLERANCE for one in differences)
    remark = f"{count} step{'s' * (count != 1)}"
    remark = f"{wrong} of {remark} differ" if wrong else remark
    return Finding(check, subject, worst, "wrong" if wrong else "right", remark=remark)
