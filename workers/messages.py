"""Frozen dataclasses that cross the wire between the master and its workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from workers.nn.layer_statistics import Layers
from workers.nn.spec import NetworkSpec


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What every worker of a run knows from its start.

    ``metric`` names the score of a checkpoint, ``folder`` is where checkpoints go (an
    absolute path that every node sees), ``checkpoint_every`` counts epochs, ``ema_decay``
    is the decay of the running-average parameters (0 keeps none), and ``diagnostics`` says
    whether every epoch's layers are described.
    """

    seed: int
    metric: str
    direction: str
    folder: str
    checkpoint_every: int
    ema_decay: float
    diagnostics: bool = False


def is_epoch(value: object) -> TypeGuard[float]:
    """Return whether a value can say how far a trial is: whole epochs, or a part of the first.

    >>> [is_epoch(value) for value in (0, 12, 0.5, 1.5, 2.0, True)]
    [True, True, True, False, False, False]
    """
    return (type(value) is int and value >= 0) or (type(value) is float and 0 < value < 1)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file that is safely on disk, in the run's checkpoint folder.

    ``size`` counts bytes, ``digest`` is the SHA-256 of the content in hexadecimal.
    """

    name: str
    trial: int
    epoch: float
    score: float
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration to train until it has seen ``epochs`` epochs in all.

    Below 1 they are that share of the first epoch's mini-batches, rounded up. ``start`` is the
    checkpoint to go on from, or None to begin at epoch 0. ``attempt`` is the fence: the master
    ignores whatever carries an older number.
    """

    number: int
    spec: NetworkSpec
    epochs: float
    attempt: int = 1
    start: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """Trials of equal structure, start epoch and ``epochs``, trained as one stack."""

    number: int
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What one trial has to say at the end of one epoch, or of a part of the first.

    ``metrics`` maps names such as ``train_loss``, ``val_accuracy`` and
    ``ema_val_accuracy`` to finite numbers. ``failure`` is the reason if the trial ended
    in this epoch without a usable network (its metrics are then empty), and ``stopped``
    the reason if it ended early by its own rule. ``layers`` are described, from the first
    hidden one to the last, if the run wants diagnostics.
    """

    trial: int
    attempt: int
    epoch: float
    metrics: Mapping[str, float]
    seconds: float
    checkpoint: Checkpoint | None = None
    failure: str | None = None
    stopped: str | None = None
    layers: Layers = ()
