"""A stack of networks in training: epochs in, losses out, resumable to the bit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.initializers import initial as initial_row
from workers.nn.layout import Floats, Integers, Lookup
from workers.nn.network import evaluation
from workers.nn.network.diagnostics import Probe
from workers.nn.network.stack import Stack, plan
from workers.nn.spec import NetworkSpec
from workers.nn.training.engine import WHOLE, Engine
from workers.nn.training.state import AVERAGED_EPOCHS, training_state

Rows = NDArray[Any] | Sequence[NDArray[Any]]
"""An array of rows, or one for each split, all of one shape."""


class Learner:
    """Networks of one structure in training; each learns as if it were alone.

    Parameters
    ----------
    specs
        One per member, of equal structure; those of the first split first.
    features, outputs, lookups
        Columns of the inputs; classes or target columns; those of the inputs that are codes.
    epochs
        The whole budget, for schedules.
    rows
        Rows of the training set.
    ema_decay
        Decay of the running-average parameters; 0 keeps none.
    initial
        One generator per member, for the initial weights.
    splits, weights
        Into how many equal parts the members fall, each with rows of its own; the weights of these
        in the loss ``(rows,)``, an array for each split.
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
        epochs: float,
        rows: int,
        ema_decay: float,
        initial: Sequence[np.random.Generator],
        lookups: tuple[Lookup, ...] = (),
        splits: int = 1,
        weights: Sequence[NDArray[Any]] | None = None,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        self._layout = plan(specs, features=features, outputs=outputs, lookups=lookups)
        self._rows: dict[str, Any] = {"rows": rows, "outputs": outputs, "weights": weights}
        self._epochs, self._epoch = epochs, 0
        both = zip(specs, initial, strict=True)
        start = np.array([initial_row(spec, self._layout, rng=rng) for spec, rng in both], dtype)
        self._state = training_state(specs, start, self._layout, ema_decay=ema_decay, splits=splits)
        self._seen: tuple[list[NDArray[Any]], Integers] | None = None
        self._prepare()

    @property
    def members(self) -> int:
        """How many networks are still in the stack."""
        return self._engine.net.members

    def _prepare(self) -> None:
        self._engine = Engine(self._state, self._layout, **self._rows, epochs=self._epochs)

    def run_epoch(
        self,
        x: Rows,
        y: Rows,
        *,
        order: Integers,
        epoch: int,
        dropout_keys: Sequence[int],
        part: tuple[float, float] = WHOLE,
        probe: Probe | None = None,
    ) -> NDArray[np.float64]:
        """Train one epoch and return every member's mean data loss ``(members,)``.

        Parameters
        ----------
        x, y
            Inputs ``(rows, features)``; classes ``(rows,)`` or targets ``(rows, outputs)``.
        order
            A permutation of the rows, or one for each split; mini-batches are its
            consecutive parts.
        epoch, part
            Counted from 1; from which share of its mini-batches to which, if not all.
        dropout_keys
            64 random bits per member, new ones each epoch.
        probe
            What watches the layers.
        """
        past, self._epoch = self._state, epoch
        inputs, orders = [np.asarray(r, past.rows.dtype) for r in _each(x)], np.atleast_2d(order)
        losses = self._engine.run(
            inputs, _each(y), orders, epoch=epoch, keys=dropout_keys, part=part, probe=probe
        )
        self._seen = (inputs, orders[:, : self._engine.rows_within(part[1])])
        past.average_epoch(epoch, self._epochs)
        return losses

    def _averaged(self) -> Stack:
        past = self._state
        chosen = [past.averaged(member) for member in range(self.members)]
        rows = np.stack([past.rows[m] if row is None else row for m, row in enumerate(chosen)])
        net = past.stacked(self._layout, rows, past.averaged_statistics)
        if self._layout.scales and self._seen is not None:
            evaluation.measure_statistics(net, *self._seen, self._engine.batch)
            self._seen = None
        return net

    def _scored(self, averaged: bool) -> Stack:
        past, net = self._state, self._engine.net
        begun = past.counters[:, [AVERAGED_EPOCHS]] > 0
        if not averaged and not begun.any():
            return net
        smooth = self._averaged()
        if averaged or begun.all():
            return smooth
        rows = np.where(begun, smooth.rows, past.rows)
        statistics = np.where(begun, past.averaged_statistics, past.statistics)
        return past.stacked(self._layout, rows, statistics)

    def probe(self) -> Probe:
        """Return what watches the layers of one epoch: its training, then a scoring."""
        return Probe(self._engine.net)

    def predict(self, x: Rows, *, averaged: bool = False) -> Floats:
        """Return raw scores ``(members, rows, scores)`` in evaluation mode.

        Weights are their stochastic average once begun, else, if ``averaged``, the running one.
        """
        return evaluation.raw_scores(self._scored(averaged), *_each(x))

    def evaluate(
        self,
        x: Rows,
        y: Rows,
        *,
        averaged: bool = False,
        units: Sequence[NDArray[np.float64]] | None = None,
        probe: Probe | None = None,
        pursued: str = "",
    ) -> list[dict[str, float]]:
        """Return each member's metrics, see :func:`workers.nn.network.evaluation.metrics`."""
        net = self._scored(averaged)
        raw = evaluation.raw_scores(net, *_each(x), probe=probe)
        return evaluation.metrics(net, raw, *_each(y), units=units, pursued=pursued)

    def observe(self, scores: NDArray[np.float64]) -> None:
        """Tell each member's validation score of the epoch just run, higher being better."""
        self._state.observe(scores, self._epoch)

    def state(self, member: int) -> dict[str, NDArray[Any]]:
        """Return all that is needed to go on to the bit, as named arrays.

        Beside what :meth:`restore` wants, ``averaged`` is ready to predict with.
        """
        if self._layout.scales:
            self._averaged()
        return self._state.of(member)

    def restore(self, member: int, state: Mapping[str, NDArray[Any]]) -> None:
        """Put a member's state back.

        Raises
        ------
        CheckpointError
            Names, shapes or types are not this member's.
        """
        self._state.restore(member, state)

    def keep(self, members: Sequence[int]) -> None:
        """Drop all other members; the kept ones go on as if nothing had happened.

        Each split must keep equally many.
        """
        self._state = self._state.keep(members)
        self._prepare()


def _each(rows: Rows) -> Sequence[NDArray[Any]]:
    return [rows] if isinstance(rows, np.ndarray) else rows
