"""One epoch of a stack: the calls of a step, prepared once, made for every mini-batch."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.families.schedules import ROUNDING
from workers.nn.layout import Integers, Layout
from workers.nn.network.diagnostics import Probe
from workers.nn.network.evaluation import row_weights, targets
from workers.nn.network.network import Passes, loss_calls
from workers.nn.network.products import Call
from workers.nn.network.stack import stack
from workers.nn.training import lbfgs
from workers.nn.training.state import UPDATES, TrainingState
from workers.nn.training.updates import fill_rates, update_calls

WHOLE: Final = (0.0, 1.0)
"""All of an epoch: the shares of its mini-batches after which to begin and to end."""


class Engine:
    """The buffers and calls that train the members of a state, epoch by epoch."""

    def __init__(
        self,
        state: TrainingState,
        layout: Layout,
        *,
        rows: int,
        outputs: int,
        weights: Sequence[NDArray[Any]] | None,
        epochs: float,
    ) -> None:
        self._state, self._layout, self._rows, self._epochs = state, layout, rows, epochs
        members, kind = state.rows.shape[0], state.rows.dtype
        self.net = stack(
            state.specs,
            state.rows,
            layout,
            statistics=state.statistics,
            counts=np.zeros(members, np.int64),
            splits=state.splits,
        )
        self._clock = np.zeros(2, np.int64)
        self._keys = np.zeros(members, np.uint64)
        self._totals = np.zeros(members)
        task = LOSSES[self.net.spec.loss].task
        self._minimizes = OPTIMIZERS[self.net.spec.optimizer].update is None
        steps = 1 if self._minimizes else self._whole // self.batch + (self._whole < rows)
        self._rates = np.zeros((steps, members, 5), kind)
        empty = np.zeros(rows) if task == "classification" else np.zeros((rows, outputs))
        self._targets = targets(self.net, *[empty] * state.splits)
        self._given_weights = row_weights(self.net, *(weights or [np.empty(0)] * state.splits))
        self._weights = self._given_weights.copy()
        self._update = update_calls(
            state, layout, self.net.gradient, clock=self._clock, rates=self._rates
        )
        sizes = set() if self._minimizes else {self.batch, rows - self._whole} - {0}
        self.programs = {size: self._program(size) for size in sizes}

    @property
    def batch(self) -> int:
        """Rows of a full mini-batch."""
        size = self.net.spec.batch_size
        return self._rows if isinstance(size, str) else min(size, self._rows)

    @property
    def _whole(self) -> int:
        """Rows of all full mini-batches; the rest make one more.

        Under batch normalization a single row that remains joins the batch before: it has
        no variance.
        """
        rest = self._rows % self.batch
        lone = rest == 1 and bool(self._layout.scales)
        return self._rows - rest - self.batch * lone

    def _program(self, batch: int) -> tuple[Passes, list[Call]]:
        passes = Passes(self.net, batch, training=True, keys=self._keys, clock=self._clock)
        return passes, (
            loss_calls(passes, self._targets, self._weights, self._totals) + self._update
        )

    def run(
        self,
        x: Sequence[NDArray[Any]],
        y: Sequence[NDArray[Any]],
        order: Integers,
        *,
        epoch: int,
        keys: Sequence[int],
        part: tuple[float, float] = WHOLE,
        probe: Probe | None = None,
    ) -> NDArray[np.float64]:
        """Train an epoch, or a part of it, and return its mean data losses.

        There are one ``x``, ``y`` and row of ``order`` ``(splits, rows)`` for each split. A part
        that begins midway goes on from one that ended there. A ``probe`` watches the step of the
        last full mini-batch.
        """
        state = self._state
        first, last = (self._steps_within(share) for share in part)
        fill_rates(state, self._rates, epoch=epoch, epochs=self._epochs, done=first)
        self.net.counts[:] = state.counters[:, UPDATES] - first
        self._keys[:] = np.array(keys, np.uint64)
        self._totals[:] = state.losses
        for into, values, rows in zip(self._targets, targets(self.net, *y), order, strict=True):
            values.take(rows, 0, into, "clip")
        if self._weights.size:
            for into, values, rows in zip(self._weights, self._given_weights, order, strict=True):
                values.take(rows, 0, into, "clip")
        with np.errstate(all="ignore"):
            if first == last:
                pass  # the part before has had the only mini-batch
            elif self._minimizes:
                self._minimize(x, order, probe)
            else:
                self._descend(x, order[:, : self.rows_within(part[1])], first * self.batch, probe)
        state.counters[:, UPDATES] += last - first
        state.losses[:] = self._totals if part[1] < 1 else 0
        return self._totals / self.rows_within(part[1])

    def _steps_within(self, share: float) -> int:
        """Return how many steps a share of an epoch has: what has begun is ended."""
        return max(math.ceil(share * len(self._rates) - ROUNDING), int(share > 0))

    def rows_within(self, share: float) -> int:
        """Return how many rows a share of an epoch has: those of whole mini-batches."""
        steps = self._steps_within(share)
        return steps * self.batch if steps < len(self._rates) else self._rows

    def _descend(
        self, x: Sequence[NDArray[Any]], order: Integers, start: int, probe: Probe | None
    ) -> None:
        """Make the steps of ``order`` from a row on."""
        whole = min(self._whole, order.shape[1])
        last = max(whole - self.batch, start) if probe else whole
        self._steps(x, order[:, start:last].reshape(len(order), -1, self.batch), start)
        if last < whole:
            self._steps(x, order[:, np.newaxis, last:whole], last, probe)
        if whole < order.shape[1]:
            rest = order[:, np.newaxis, whole:]
            self._steps(x, rest, whole, None if whole > start else probe)

    def _steps(
        self, x: Sequence[NDArray[Any]], batches: Integers, start: int, probe: Probe | None = None
    ) -> None:
        passes, calls = self.programs[batches.shape[2]]
        calls = self._watched(calls, probe) if probe else calls
        clock, batch = self._clock, self.batch
        feeds = zip([part.take for part in x], batches, passes.inputs, strict=True)
        (take, first, inputs), *others = feeds
        for step, rows in enumerate(first, start // batch):
            clock[0] = step
            clock[1] = step * batch
            take(rows, 0, inputs, "clip")
            for take_more, more, more_inputs in others:
                take_more(more[step - start // batch], 0, more_inputs, "clip")
            for call in calls:
                call()

    def _watched(self, calls: list[Call], probe: Probe) -> list[Call]:
        """Return a step's calls with those of a probe around the update."""
        update = len(calls) - len(self._update)
        return [*calls[:update], probe.begin, probe.slope, *calls[update:], probe.end]

    def _minimize(self, x: Sequence[NDArray[Any]], order: Integers, probe: Probe | None) -> None:
        state = self._state
        if probe:
            probe.begin()
        inputs = [part[rows] for part, rows in zip(x, order, strict=True)]
        for member, spec in enumerate(state.specs):
            split = member * state.splits // len(state.specs)
            one, part = slice(member, member + 1), slice(split, split + 1)
            known = (self._targets[part], self._weights[part])
            rows, statistics = state.rows[one], state.statistics[one]
            alone = stack([spec], rows, self._layout, statistics=statistics)
            self._totals[member] = self._rows * lbfgs.minimize(alone, inputs[split], *known)
            self.net.gradient[member] = alone.gradient[0]
        if probe:
            probe.slope()
        for call in self._update:
            call()
        if probe:
            probe.end()
