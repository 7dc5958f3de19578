"""What the members of a stack carry from epoch to epoch, and its form in a checkpoint."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.errors import CheckpointError
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.families.schedules import averaging_starts
from workers.nn.layout import Floats, Integers, Layout
from workers.nn.network.stack import Stack, stack
from workers.nn.spec import NetworkSpec
from workers.nn.training.averaging import unbiased

UPDATES, AVERAGED_EPOCHS, WAITED, STALLS = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Arrays with a leading member axis.

    ``rows``, ``ema`` and ``swa`` are ``(members, parameters)``, ``ema`` always of float64;
    ``slots`` are ``(members, slots, parameters)``, the statistics of batch normalization
    ``(members, statistics)``; ``counters`` ``(members, 4)`` count updates, epochs in the
    stochastic average, epochs since the best score ``best`` ``(members,)``, and stalls.
    ``losses`` ``(members,)`` sum the data losses of an epoch that is not complete. The members lie
    in ``splits`` equal parts, see `workers.nn.network.stack.Stack`.
    """

    specs: tuple[NetworkSpec, ...]
    ema_decay: float
    rows: Floats
    slots: Floats
    ema: NDArray[np.float64]
    swa: Floats
    statistics: Floats
    averaged_statistics: Floats
    counters: Integers
    best: NDArray[np.float64]
    losses: NDArray[np.float64]
    splits: int = 1

    def averaged(self, member: int) -> Floats | None:
        """Return a member's average of parameters, None if it keeps none.

        The stochastic average once it has begun, else the running one.
        """
        updates, epochs = self.counters[member, [UPDATES, AVERAGED_EPOCHS]]
        if epochs:
            swa: Floats = self.swa[member]
            return swa
        if not self.ema_decay:
            return None
        return unbiased(self.ema[member], self.ema_decay, int(updates), self.rows.dtype)

    def stacked(self, layout: Layout, rows: Floats, statistics: Floats) -> Stack:
        """Return the members with these parameters and statistics of batch normalization."""
        return stack(self.specs, rows, layout, statistics=statistics, splits=self.splits)

    def average_epoch(self, epoch: int, epochs: float) -> None:
        """Take the parameters after an epoch into the stochastic average if it is their time.

        Before it there is none: a trial that goes on with a greater budget begins anew.
        """
        for member, spec in enumerate(self.specs):
            counters = self.counters[member]
            due = spec.swa_fraction > 0 and epoch > averaging_starts(spec, epochs)
            counters[AVERAGED_EPOCHS] = counters[AVERAGED_EPOCHS] + 1 if due else 0
            if due:
                count = self.rows.dtype.type(counters[AVERAGED_EPOCHS])
                with np.errstate(all="ignore"):
                    self.swa[member] += (self.rows[member] - self.swa[member]) / count

    def observe(self, scores: NDArray[np.float64], epoch: int) -> None:
        """Count epochs without a better score, and a stall at every ``stall_epochs`` of them.

        ``epoch`` is the one that is over; those of the warm-up are none to wait in.
        """
        for member, (spec, score) in enumerate(zip(self.specs, scores, strict=True)):
            counters = self.counters[member]
            waits = epoch > spec.warmup_epochs and not score > self.best[member]
            counters[WAITED] = counters[WAITED] + 1 if waits else 0
            self.best[member] = np.fmax(score, self.best[member])
            if counters[WAITED] == spec.stall_epochs:
                counters[WAITED] = 0
                counters[STALLS] += 1

    def _own(self, member: int) -> Iterator[tuple[str, NDArray[Any]]]:
        spec = self.specs[member]
        yield "parameters", self.rows[member]
        yield "counters", self.counters[member]
        yield "best", self.best[member : member + 1]
        yield "losses", self.losses[member : member + 1]
        for i, name in enumerate(OPTIMIZERS[spec.optimizer].slots):
            yield f"optimizer.{name}", self.slots[member, i]
        if self.ema_decay:
            yield "ema", self.ema[member]
        if spec.swa_fraction:
            yield "swa", self.swa[member]
        if self.statistics.shape[1]:
            yield "statistics", self.statistics[member]
            if self.ema_decay or spec.swa_fraction:
                yield "averaged.statistics", self.averaged_statistics[member]

    def of(self, member: int) -> dict[str, NDArray[Any]]:
        """Return copies of all that is needed to go on to the bit.

        ``averaged`` is what the averages give, ready to predict with.
        """
        arrays = {name: array.copy() for name, array in self._own(member)}
        averaged = self.averaged(member)
        if averaged is not None:
            arrays["averaged"] = averaged.copy()
        return arrays

    def restore(self, member: int, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a member's state back, after checking all of it.

        Raises
        ------
        CheckpointError
            Names, shapes or types are not this member's.
        """
        own = dict(self._own(member))
        given = {name: array for name, array in state.items() if name != "averaged"}
        for name in own.keys() | given.keys():
            if _form(own.get(name)) != _form(given.get(name)):
                raise CheckpointError(
                    f"array {name} of the checkpoint must be {_form(own.get(name))},"
                    f" got {_form(given.get(name))}"
                )
        for name, array in own.items():
            array[...] = given[name]

    def keep(self, members: Sequence[int]) -> "TrainingState":
        """Return a copy with these members only."""
        chosen = list(members)
        specs = tuple(self.specs[member] for member in chosen)
        names = ("rows", "slots", "ema", "swa", "statistics", "averaged_statistics", "counters")
        arrays = {name: getattr(self, name)[chosen] for name in (*names, "best", "losses")}
        return replace(self, specs=specs, **arrays)


def _form(array: NDArray[Any] | None) -> str:
    return "absent" if array is None else f"{array.dtype}{list(array.shape)}"


def training_state(
    specs: Sequence[NetworkSpec], rows: Floats, plan: Layout, *, ema_decay: float, splits: int = 1
) -> TrainingState:
    """Return what members remember before their first epoch, from their first parameters."""
    members, size = rows.shape
    slots = len(OPTIMIZERS[specs[0].optimizer].slots)

    def zeros(*shape: int) -> Floats:
        return np.zeros((members, *shape), rows.dtype)

    return TrainingState(
        tuple(specs),
        ema_decay,
        rows,
        zeros(slots, size),
        np.zeros((members, size if ema_decay else 0)),
        zeros(size if any(spec.swa_fraction for spec in specs) else 0),
        zeros(plan.statistics),
        zeros(plan.statistics),
        np.zeros((members, 4), np.int64),
        np.full(members, -np.inf),
        np.zeros(members),
        splits,
    )
