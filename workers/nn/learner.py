"""A stack of networks in training: epochs in, losses out, resumable to the bit."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.errors import CheckpointError, InputError
from workers.nn import averaging, evaluation
from workers.nn.initializers import initial as initial_row
from workers.nn.layout import Floats, Integers
from workers.nn.losses import LOSSES
from workers.nn.network import Call, Passes, Stack, stack, training_step
from workers.nn.optimizers import KNOBS, OPTIMIZERS
from workers.nn.schedules import plan
from workers.nn.spec import NetworkSpec, structure


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
        if len({structure(spec) for spec in specs}) != 1:
            raise InputError(
                "members of a pack must share one structure",
                f"{len({structure(spec) for spec in specs})} structures",
                "group trials by structure()",
            )
        self.specs = tuple(specs)
        self.features, self.outputs, self.epochs, self.rows = features, outputs, epochs, rows
        self.ema_decay = ema_decay
        empty = np.zeros((len(specs), 0), dtype)
        layout = stack(specs, empty, features=features, outputs=outputs).layout
        start = [
            initial_row(spec, layout, rng=rng) for spec, rng in zip(specs, initial, strict=True)
        ]
        slots = OPTIMIZERS[specs[0].optimizer].slots
        self._rows = np.array(start, dtype)
        self._slots = np.zeros((len(slots), *self._rows.shape), dtype)
        self._ema = np.zeros_like(self._rows)
        self._counts = np.zeros(len(specs), np.int64)
        self._prepare()

    @property
    def members(self) -> int:
        """How many networks are still in the stack."""
        return len(self.specs)

    @property
    def batch(self) -> int:
        """Rows of a full mini-batch."""
        size = self.specs[0].batch_size
        return self.rows if isinstance(size, str) else min(size, self.rows)

    def _prepare(self) -> None:
        kind = self._rows.dtype
        self._net = stack(self.specs, self._rows, features=self.features, outputs=self.outputs)
        self._clock = np.zeros(2, np.int64)
        self._keys = np.zeros(self.members, np.uint64)
        self._totals = np.zeros(self.members)
        steps = -(-self.rows // self.batch)
        self._rates = np.zeros((steps, self.members, 2), kind)
        regression = LOSSES[self.specs[0].loss].task == "regression"
        shape = (self.rows, self.outputs) if regression else (self.rows,)
        self._targets: NDArray[Any] = np.zeros(shape, kind if regression else np.int64)
        update = self._update()
        self._full = self._program(self.batch, update)
        rest = self.rows % self.batch
        self._last = self._program(rest, update) if rest else None

    def _program(self, batch: int, update: list[Call]) -> tuple[Passes, list[Call]]:
        passes = Passes(self._net, batch, keys=self._keys, clock=self._clock)
        return passes, [*training_step(passes, self._targets, self._totals), *update]

    def _update(self) -> list[Call]:
        kind, layout = self._rows.dtype, self._net.layout
        knobs = np.array([[getattr(s, name) for name in KNOBS] for s in self.specs], kind)
        segments = np.array([(0, layout.penalized, 1), (layout.penalized, layout.size, 0)])
        scales = np.ones((self.members, len(segments)), kind)
        update = OPTIMIZERS[self.specs[0].optimizer].update
        calls: list[Call] = [
            partial(
                update,
                self._clock,
                self._rates,
                knobs,
                self._counts,
                segments,
                scales,
                self._rows,
                self._net.gradient,
                self._slots,
            )
        ]
        if self.ema_decay:
            decay = np.array([self.ema_decay, 1 - self.ema_decay], kind)
            calls.append(partial(averaging.track, self._ema, self._rows, decay))
        return calls

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
        self._begin(y, order, epoch, dropout_keys)
        x = np.asarray(x, self._rows.dtype)
        start = 0
        with np.errstate(all="ignore"):
            for step in range(len(self._rates)):
                full = start + self.batch <= self.rows
                passes, calls = self._full if full or self._last is None else self._last
                self._clock[:] = step, start
                stop = start + passes.batch
                x.take(order[start:stop], axis=0, out=passes.inputs, mode="clip")
                for call in calls:
                    call()
                start = stop
        self._counts += len(self._rates)
        return self._totals / self.rows

    def _begin(
        self, y: NDArray[Any], order: Integers, epoch: int, dropout_keys: Sequence[int]
    ) -> None:
        steps = len(self._rates)
        times = epoch - 1 + np.arange(steps) / steps
        for member, spec in enumerate(self.specs):
            self._rates[:, member] = plan(spec, times, epochs=self.epochs)
        self._keys[:] = np.array(dropout_keys, np.uint64)
        self._totals[:] = 0
        self._targets[...] = y[order].reshape(self._targets.shape)

    def _averaged(self) -> Floats:
        return averaging.unbiased(self._ema, self.ema_decay, self._counts)

    def _weights(self, averaged: bool) -> Stack:
        if not averaged:
            return self._net
        rows = self._averaged()
        return stack(self.specs, rows, features=self.features, outputs=self.outputs)

    def predict(self, x: NDArray[Any], *, averaged: bool = False) -> Floats:
        """Return raw scores ``(members, rows, scores)`` in evaluation mode."""
        return evaluation.raw_scores(self._weights(averaged), x)

    def evaluate(
        self, x: NDArray[Any], y: NDArray[Any], *, averaged: bool = False
    ) -> list[dict[str, float]]:
        """Return each member's metrics, see :func:`workers.nn.evaluation.metrics`."""
        net = self._weights(averaged)
        return evaluation.metrics(net, evaluation.raw_scores(net, x), y)

    def observe(self, scores: NDArray[np.float64]) -> None:
        """Tell each member's validation score of this epoch, higher being better."""

    def state(self, member: int) -> dict[str, NDArray[Any]]:
        """Return all that is needed to go on to the bit, as named arrays."""
        names = OPTIMIZERS[self.specs[0].optimizer].slots
        arrays: dict[str, NDArray[Any]] = {
            "parameters": self._rows[member],
            "counters": self._counts[member : member + 1],
        }
        arrays |= {f"optimizer.{n}": self._slots[i, member] for i, n in enumerate(names)}
        if self.ema_decay:
            arrays["ema"] = self._ema[member]
            arrays["averaged"] = self._averaged()[member]
        return {name: array.copy() for name, array in arrays.items()}

    def restore(self, member: int, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a member's state back.

        Raises
        ------
        CheckpointError
            Names, shapes or types are not this member's.
        """
        own = self.state(member)
        if {n: (a.shape, a.dtype) for n, a in own.items()} != {
            n: (a.shape, a.dtype) for n, a in state.items()
        }:
            raise CheckpointError("the checkpoint's arrays don't fit this network")
        self._rows[member] = state["parameters"]
        self._counts[member] = state["counters"][0]
        for i, name in enumerate(OPTIMIZERS[self.specs[0].optimizer].slots):
            self._slots[i, member] = state[f"optimizer.{name}"]
        if self.ema_decay:
            self._ema[member] = state["ema"]

    def keep(self, members: Sequence[int]) -> None:
        """Drop all other members; the kept ones go on as if nothing had happened."""
        chosen = list(members)
        self.specs = tuple(self.specs[m] for m in chosen)
        self._rows, self._ema = self._rows[chosen], self._ema[chosen]
        self._slots = np.ascontiguousarray(self._slots[:, chosen])
        self._counts = self._counts[chosen]
        self._prepare()
