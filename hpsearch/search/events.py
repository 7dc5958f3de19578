"""What the search is told and what it asks for: events in, commands out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workers.messages import EpochReport, Pack


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker is idle: it has started, or its pack has ended."""

    worker: int


@dataclass(frozen=True, slots=True)
class Reported:
    """A worker finished an epoch of its pack; the checkpoints named are on disk."""

    worker: int
    reports: tuple[EpochReport, ...]


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker is gone, or its pack raised; ``retry`` says whether trying again may help.

    If so, ``retries`` is how often at most, where the study's ``max_failures`` is more.
    """

    worker: int
    cause: str
    retry: bool = True
    retries: int = 2**31


Event = WorkerReady | Reported | WorkerLost


@dataclass(frozen=True, slots=True)
class BeginStage:
    """Write down a stage, the ranges that it samples from and its first new trial's number."""

    stage: int
    name: str
    space: Mapping[str, Any]
    first: int = 0


@dataclass(frozen=True, slots=True)
class PromoteTrial:
    """Write down that a complete trial goes on in a stage, to ``epochs`` in all."""

    number: int
    stage: int
    epochs: float


@dataclass(frozen=True, slots=True)
class AddTrial:
    """Write down a new trial before anybody works on it."""

    number: int
    stage: int
    params: Mapping[str, Any]
    epochs: float


@dataclass(frozen=True, slots=True)
class StartTrial:
    """Write down that an attempt at a trial begins."""

    number: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Record:
    """Write down the epochs reported: this is their acknowledgement."""

    reports: tuple[EpochReport, ...]


@dataclass(frozen=True, slots=True)
class NoteFailure:
    """Write down why an attempt at a trial ended without its fault."""

    number: int
    attempt: int
    epoch: float
    cause: str


@dataclass(frozen=True, slots=True)
class EndTrial:
    """Write down a trial's final state (``complete``, ``pruned``, ``failed``), the reason."""

    number: int
    state: Literal["complete", "pruned", "failed"]
    reason: str | None


@dataclass(frozen=True, slots=True)
class EndStage:
    """Write down that a stage is over and what was learned about its ranges.

    ``note`` goes into the log only: it follows from the epochs.
    """

    stage: int
    verdicts: tuple[Mapping[str, Any], ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveCheckpoints:
    """Remove checkpoint files that rank too low; their epochs stay in the table."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Give a pack to an idle worker."""

    worker: int
    pack: Pack


@dataclass(frozen=True, slots=True)
class StopTrials:
    """Let a worker take trials out of the pack that it trains; late is no harm."""

    worker: int
    trials: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReplaceWorker:
    """Start a new worker in place of a lost one."""

    worker: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left to do; ``reason`` is given if a border ended the search early."""

    reason: str | None = None


Written = (
    BeginStage | AddTrial | PromoteTrial | StartTrial | Record | NoteFailure | EndTrial | EndStage
)
"""Commands that the store performs, all those of one event in one transaction."""

Command = Written | RemoveCheckpoints | Dispatch | StopTrials | ReplaceWorker | Finish
