"""The networks of a pack's trials, one for each split of the data, in as few stacks as can be."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers import seeds
from workers.data.dataset import FITTED, Dataset
from workers.errors import CheckpointError
from workers.messages import RunSettings, Trial
from workers.nn.layer_statistics import Layers, average
from workers.nn.network.diagnostics import Probe
from workers.nn.training.learner import Learner
from workers.seeds import Purpose
from workers.training import cross_validation
from workers.training.class_weights import row_weights
from workers.training.scoring import Metrics, Scoring

Arrays = Mapping[str, NDArray[Any]]


class Networks:
    """Trials in training: splits of equal shape train as one stack, unless they are large.

    Parameters
    ----------
    trials
        Trials of equal structure, start and budget.
    data
        The data under the trials' preprocessing.
    settings
        The run's.
    """

    def __init__(self, trials: Sequence[Trial], data: Dataset, settings: RunSettings) -> None:
        self._data = data
        groups = cross_validation.stacks(data, trials[0].spec)
        self._stacks = [_Stack(trials, data, numbers, settings) for numbers in groups]

    def train(self, since: float, until: float) -> list[Metrics]:
        """Train up to the end of an epoch, or of a part of the first, and score.

        Return each trial's metrics, the means over the splits.
        """
        found: dict[int, list[Metrics]] = {}
        for stack in self._stacks:
            found |= stack.train(since, until)
        in_order = [found[number] for number in sorted(found)]
        return [cross_validation.combine(of_trial) for of_trial in zip(*in_order, strict=True)]

    def layers(self) -> list[Layers]:
        """Return each trial's layers after this epoch, the means over the splits, if wanted."""
        networks = [layers for stack in self._stacks for layers in stack.layers()]
        return [average(of_trial) for of_trial in zip(*networks, strict=True)]

    def observe(self, scores: Sequence[float]) -> None:
        """Tell each trial's score of this epoch, higher being better."""
        for stack in self._stacks:
            stack.observe(scores)

    def arrays(self, position: int) -> dict[str, NDArray[Any]]:
        """Return all arrays of the trial at a position, as a checkpoint has them."""
        found: dict[int, Arrays] = {}
        for stack in self._stacks:
            found |= stack.states(position)
        networks = []
        for number, split in enumerate(self._data.splits):
            networks.append({**found[number], **split.fitted})
        return cross_validation.join(networks)

    def restore(self, position: int, arrays: Arrays, count: Any) -> None:
        """Put the state of the trial at a position back, from arrays of ``count`` splits.

        Raises
        ------
        CheckpointError
            If they are not this trial's.
        """
        networks = cross_validation.part(arrays, count)
        if count != len(self._data.splits):
            wanted = len(self._data.splits)
            raise CheckpointError(f"the checkpoint has {count} splits where the run has {wanted}")
        for stack in self._stacks:
            stack.restore(position, networks)

    def keep(self, positions: Sequence[int]) -> None:
        """Drop all other trials; the kept ones go on as if nothing had happened."""
        for stack in self._stacks:
            stack.keep(positions)


class _Stack:
    """Splits of one shape: the trials' networks on the first one, on the second one, ..."""

    def __init__(
        self, trials: Sequence[Trial], data: Dataset, numbers: Sequence[int], settings: RunSettings
    ) -> None:
        self._trials, self._numbers, self._settings = list(trials), numbers, settings
        self._data = [data.splits[number] for number in numbers]
        seed, pursued = settings.seed, settings.metric
        self._scoring = Scoring(self._data, numbers, seed=seed, pursued=pursued)
        self._probe: Probe | None = None
        self._learner = Learner(
            [trial.spec for _ in numbers for trial in trials],
            features=self._data[0].features,
            lookups=self._data[0].lookups,
            outputs=data.outputs,
            epochs=trials[0].epochs,
            rows=self._data[0].rows,
            ema_decay=settings.ema_decay,
            initial=[
                seeds.generator(settings.seed, Purpose.INITIALIZE, trial=t.number, split=s)
                for s, t in self._members()
            ],
            splits=len(numbers),
            weights=row_weights(trials[0].spec, self._data),
        )

    def _members(self) -> Iterator[tuple[int, Trial]]:
        """Yield the members' splits and trials in the stack's order."""
        for number in self._numbers:
            for trial in self._trials:
                yield number, trial

    def train(self, since: float, until: float) -> dict[int, list[Metrics]]:
        """Train up to the end of an epoch, or of a part of the first; return metrics by split."""
        seed, rows, epoch = self._settings.seed, self._data[0].rows, math.ceil(until)
        self._probe = self._learner.probe() if self._settings.diagnostics else None
        orders = [
            seeds.generator(seed, Purpose.SHUFFLE, epoch=epoch, split=s).permutation(rows)
            for s in self._numbers
        ]
        losses = self._learner.run_epoch(
            [split.x_train for split in self._data],
            [split.y_train for split in self._data],
            order=np.array(orders),
            epoch=epoch,
            dropout_keys=[
                seeds.key(seed, Purpose.DROPOUT, trial=t.number, epoch=epoch, split=s)
                for s, t in self._members()
            ],
            part=(since - (epoch - 1), until - (epoch - 1)),
            probe=self._probe,
        )
        metrics, count = self._score(losses), len(self._trials)
        return {
            number: metrics[place * count : (place + 1) * count]
            for place, number in enumerate(self._numbers)
        }

    def _score(self, losses: NDArray[np.float64]) -> list[Metrics]:
        """Return each member's metrics."""
        # Per trial, since what a trial reports must not depend on its pack.
        averaging = [
            self._settings.ema_decay > 0 or trial.spec.swa_fraction > 0
            for _, trial in self._members()
        ]
        scores = self._scoring.metrics(self._learner, averaging=averaging, probe=self._probe)
        return [
            {"train_loss": float(loss), **scored}
            for loss, scored in zip(losses, scores, strict=True)
        ]

    def layers(self) -> list[list[Layers]]:
        """Return the layers of the trials' networks by split and trial."""
        count, nothing = len(self._trials), Layers()
        found = self._probe.layers() if self._probe else [nothing] * self._learner.members
        return [found[start : start + count] for start in range(0, len(found), count)]

    def observe(self, scores: Sequence[float]) -> None:
        """Tell every network its trial's score."""
        self._learner.observe(np.tile(np.array(scores, np.float64), len(self._numbers)))

    def states(self, position: int) -> dict[int, Arrays]:
        """Return the state of a trial's networks by split."""
        return {
            number: self._learner.state(place * len(self._trials) + position)
            for place, number in enumerate(self._numbers)
        }

    def restore(self, position: int, networks: Sequence[Arrays]) -> None:
        """Put the state of a trial's networks back, from those of all splits."""
        for place, number in enumerate(self._numbers):
            own = networks[number].items()
            state = {k: v for k, v in own if not k.startswith(FITTED)}
            self._learner.restore(place * len(self._trials) + position, state)

    def keep(self, positions: Sequence[int]) -> None:
        """Drop all other trials."""
        count = len(self._trials)
        places = range(len(self._numbers))
        self._learner.keep([place * count + one for place in places for one in positions])
        self._trials = [self._trials[one] for one in positions]
