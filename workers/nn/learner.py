"""A stack of networks in training: epochs in, losses out, resumable to the bit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn import evaluation, lbfgs
from workers.nn.initializers import initial as initial_row
from workers.nn.layout import Floats, Integers
from workers.nn.memory import UPDATES, memory
from workers.nn.network import Call, Passes, loss_calls
from workers.nn.optimizers import OPTIMIZERS
from workers.nn.schedules import averaging_starts
from workers.nn.spec import NetworkSpec
from workers.nn.stack import Stack, plan, stack
from workers.nn.updates import fill_rates, update_calls


class Learner:
    """Networks of one structure in training; each learns as if it were alone.

    Parameters
    ----------
    specs
        One per member, of equal structure.
    features, outputs
        Columns of the inputs; classes or target columns.
    epochs
        The whole budget, for schedules.
    rows
        Rows of the training set.
    ema_decay
        Decay of the running-average parameters; 0 keeps none.
    initial
        One generator per member, for the initial weights.
    dtype
        The floating type of everything: float32, or float64 for checks.

    Raises
    ------
    InputError
        The specs' structures differ.
    """

    def __init__(
        self,
        specs: Sequence[NetworkSpec],
        *,
        features: int,
        outputs: int,
        epochs: int,
        rows: int,
        ema_decay: float,
        initial: Sequence[np.random.Generator],
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        self._layout = plan(specs, features=features, outputs=outputs)
        self._outputs, self._epochs, self._count = outputs, epochs, rows
        first = [
            initial_row(spec, self._layout, rng=rng)
            for spec, rng in zip(specs, initial, strict=True)
        ]
        start = np.array(first, dtype)
        self._memory = memory(specs, start, self._layout, ema_decay=ema_decay)
        self._seen: tuple[NDArray[Any], Integers] | None = None
        self._prepare()

    @property
    def members(self) -> int:
        """How many networks are still in the stack."""
        return self._net.members

    @property
    def batch(self) -> int:
        """Rows of a full mini-batch."""
        size = self._net.spec.batch_size
        return self._count if isinstance(size, str) else min(size, self._count)

    def _prepare(self) -> None:
        past = self._memory
        counts = np.zeros(len(past.specs), np.int64)
        self._net = stack(
            past.specs, past.rows, self._layout, statistics=past.statistics, counts=counts
        )
        kind, members = past.rows.dtype, self.members
        self._clock = np.zeros(2, np.int64)
        self._keys = np.zeros(members, np.uint64)
        self._totals = np.zeros(members)
        self._full_batch = OPTIMIZERS[self._net.spec.optimizer].update is None
        steps = 1 if self._full_batch else -(-self._count // self.batch)
        self._rates = np.zeros((steps, members, 5), kind)
        target = evaluation.target_type(self._net)
        shape = (self._count, self._outputs) if target == kind else (self._count,)
        self._targets: NDArray[Any] = np.zeros(shape, target)
        self._update = update_calls(
            past, self._layout, self._net.gradient, clock=self._clock, rates=self._rates
        )
        if not self._full_batch:
            sizes = {self.batch, self._count % self.batch} - {0}
            self._programs = {size: self._program(size) for size in sizes}

    def _program(self, batch: int) -> tuple[Passes, list[Call]]:
        passes = Passes(self._net, batch, training=True, keys=self._keys, clock=self._clock)
        return passes, loss_calls(passes, self._targets, self._totals) + self._update

    def run_epoch(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        *,
        order: Integers,
        epoch: int,
        dropout_keys: Sequence[int],
    ) -> NDArray[np.float64]:
        """Train one epoch and return every member's mean data loss ``(members,)``.

        Parameters
        ----------
        x, y
            Inputs ``(rows, features)``; classes ``(rows,)`` or targets ``(rows, outputs)``.
        order
            A permutation of the rows; mini-batches are its consecutive parts.
        epoch
            Counted from 1.
        dropout_keys
            64 random bits per member, new ones each epoch.
        """
        past = self._memory
        x = np.asarray(x, past.rows.dtype)
        fill_rates(past, self._rates, epoch=epoch, epochs=self._epochs)
        self._net.counts[:] = past.counters[:, UPDATES]
        self._keys[:] = np.array(dropout_keys, np.uint64)
        self._totals[:] = 0
        self._targets[...] = y[order].reshape(self._targets.shape)
        with np.errstate(all="ignore"):
            if self._full_batch:
                self._minimize(x[order])
            else:
                self._descend(x, order)
        past.counters[:, UPDATES] += len(self._rates)
        self._seen = (x, order)
        for member, spec in enumerate(past.specs):
            if spec.swa_fraction and epoch > averaging_starts(spec, self._epochs):
                past.average_epoch(member)
        return self._totals / self._count

    def _descend(self, x: NDArray[Any], order: Integers) -> None:
        clock, count, batch, start = self._clock, self._count, self.batch, 0
        for step in range(len(self._rates)):
            passes, calls = self._programs[min(batch, count - start)]
            clock[0], clock[1] = step, start
            rows = order[start : start + passes.batch]
            x.take(rows, axis=0, out=passes.inputs, mode="clip")
            for call in calls:
                call()
            start += batch

    def _minimize(self, x: NDArray[Any]) -> None:
        past = self._memory
        for member, spec in enumerate(past.specs):
            one = slice(member, member + 1)
            alone = stack([spec], past.rows[one], self._layout, statistics=past.statistics[one])
            self._totals[member] = self._count * lbfgs.minimize(alone, x, self._targets)
        for call in self._update:
            call()

    def _averaged(self) -> Stack:
        past = self._memory
        chosen = [past.averaged(member) for member in range(self.members)]
        rows = np.stack([past.rows[m] if row is None else row for m, row in enumerate(chosen)])
        net = stack(past.specs, rows, self._layout, statistics=past.averaged_statistics)
        if self._layout.scales and self._seen is not None:
            evaluation.measure_statistics(net, *self._seen, self.batch)
            self._seen = None
        return net

    def predict(self, x: NDArray[Any], *, averaged: bool = False) -> Floats:
        """Return raw scores ``(members, rows, scores)`` in evaluation mode.

        ``averaged`` means with the stochastic average of the weights once that has begun,
        else with the running one, else as they are.
        """
        return evaluation.raw_scores(self._averaged() if averaged else self._net, x)

    def evaluate(
        self, x: NDArray[Any], y: NDArray[Any], *, averaged: bool = False
    ) -> list[dict[str, float]]:
        """Return each member's metrics, see :func:`workers.nn.evaluation.metrics`."""
        net = self._averaged() if averaged else self._net
        return evaluation.metrics(net, evaluation.raw_scores(net, x), y)

    def observe(self, scores: NDArray[np.float64]) -> None:
        """Tell each member's validation score of this epoch, higher being better."""
        self._memory.observe(scores)

    def state(self, member: int) -> dict[str, NDArray[Any]]:
        """Return all that is needed to go on to the bit, as named arrays.

        Beside what :meth:`restore` wants, ``averaged`` is ready to predict with.
        """
        if self._layout.scales:
            self._averaged()
        return self._memory.state(member)

    def restore(self, member: int, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a member's state back.

        Raises
        ------
        CheckpointError
            Names, shapes or types are not this member's.
        """
        self._memory.restore(member, state)

    def keep(self, members: Sequence[int]) -> None:
        """Drop all other members; the kept ones go on as if nothing had happened."""
        self._memory = self._memory.keep(members)
        self._prepare()
