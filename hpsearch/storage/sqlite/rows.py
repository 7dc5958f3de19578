"""The rows of the search's database as plain dataclasses, each checked when it is read."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from workers.checkpoints import checkpoint_files
from workers.errors import CheckpointError
from workers.messages import Checkpoint, is_epoch
from workers.nn.layer_statistics import LayerStatistics

State = Literal["waiting", "running", "complete", "failed", "pruned", "stopped"]
"""The states of a trial; all but the first two are final."""

_Kind = type | Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage: the space it samples from and, in the end, what was learned of its ranges.

    ``first`` is the number of its first new trial; promoted ones have lower numbers.
    """

    number: int
    name: str
    state: Literal["running", "complete"]
    space: Mapping[str, Any]
    verdicts: tuple[Mapping[str, Any], ...]
    first: int = 0


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial: its sampled ``params``, how many ``epochs`` it is to see, how far it is.

    ``attempt`` counts from 1 once it was started, ``failures`` those attempts that ended
    without its fault; ``best_epoch`` is the earliest one with the best score.
    """

    number: int
    stage: int
    params: Mapping[str, Any]
    epochs: float
    state: State = "waiting"
    epochs_done: float = 0
    attempt: int = 0
    failures: int = 0
    reason: str | None = None
    best_epoch: float | None = None
    best_score: float | None = None


@dataclass(frozen=True, slots=True)
class EpochRow:
    """An acknowledged epoch; ``checkpoint`` is None without a file or once it is removed."""

    trial: int
    epoch: float
    attempt: int
    metrics: Mapping[str, float]
    seconds: float
    checkpoint: Checkpoint | None


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer after an acknowledged epoch; layers count from 1, the last has the scores."""

    trial: int
    epoch: float
    layer: int
    statistics: LayerStatistics


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Why an attempt at a trial ended after ``epoch`` epochs, without the trial's fault."""

    trial: int
    attempt: int
    epoch: float
    cause: str


def read_pair(values: Sequence[Any]) -> tuple[str, Any]:
    """Return a key and its value; raises `ValueError` if the values can't be that."""
    _require(values, (str, str))
    return values[0], json.loads(values[1])


def read_stage(values: Sequence[Any]) -> StageRow:
    """Return the row of a stage; raises `ValueError` if the values can't be one."""
    _require(values, (int, str, str, str, str, int))
    verdicts = json.loads(values[4])
    if values[2] not in {"running", "complete"} or not isinstance(verdicts, list):
        raise ValueError(f"stage {values[0]} has an unknown state or no verdicts")
    number, name, state = values[:3]
    return StageRow(number, name, state, read_object(values[3]), tuple(verdicts), values[5])


def read_trial(values: Sequence[Any]) -> TrialRow:
    """Return the row of a trial; raises `ValueError` if the values can't be one."""
    number, stage, params, epochs, state, *rest = values
    _require(values[:8], (int, int, str, is_epoch, str, is_epoch, int, int))
    optional: tuple[_Kind, ...] = (str, is_epoch, float)
    for value, kind in zip(values[8:], optional, strict=True):
        if value is not None:
            _require([value], (kind,))
    if state not in get_args(State):
        raise ValueError(f"trial {number} has an unknown state")
    return TrialRow(number, stage, read_object(params), epochs, state, *rest)


def read_epoch(values: Sequence[Any]) -> EpochRow:
    """Return the row of an epoch; raises `ValueError` if the values can't be one.

    The last five are the checkpoint's name, score, size, digest, and whether it is kept.
    """
    _require(values[:5], (int, is_epoch, int, str, float))
    metrics = {
        name: math.nan if value is None else value for name, value in read_object(values[3]).items()
    }
    _require(list(metrics.values()), (float,) * len(metrics))
    checkpoint = _read_checkpoint(values[0], values[1], values[5:9]) if values[9] else None
    trial, epoch, attempt, _, seconds = values[:5]
    return EpochRow(trial, epoch, attempt, metrics, seconds, checkpoint)


def read_layer(values: Sequence[Any]) -> LayerRow:
    """Return the row of a layer; raises `ValueError` if the values can't be one."""
    _require(values[:3], (int, is_epoch, int))
    known = [value for value in values[3:] if value is not None]
    _require(known, (float,) * len(known))
    trial, epoch, layer, *statistics = values
    return LayerRow(trial, epoch, layer, LayerStatistics(*statistics))


def read_failure(values: Sequence[Any]) -> FailureRow:
    """Return the row of a failure; raises `ValueError` if the values can't be one."""
    _require(values, (int, int, is_epoch, str))
    return FailureRow(*values)


def read_object(text: str) -> dict[str, Any]:
    """Return a JSON object; raises `ValueError` if the text is none."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object: {text[:60]!a}")  # noqa: TRY004
    return value


def _read_checkpoint(trial: int, epoch: float, values: Sequence[Any]) -> Checkpoint:
    _require(values, (str, float, int, str))
    name, score, size, digest = values
    try:
        if checkpoint_files.parse_name(name)[2:] != (trial, math.floor(epoch)):
            raise ValueError(f"{name} is not of trial {trial}, epoch {epoch}")
    except CheckpointError as error:
        raise ValueError(str(error)) from error
    return Checkpoint(name, trial, epoch, score, size, digest)


def _require(values: Sequence[Any], kinds: Sequence[_Kind]) -> None:
    """Refuse values of other types, which SQLite would let anybody write."""
    for value, kind in zip(values, kinds, strict=True):
        if not (type(value) is kind if isinstance(kind, type) else kind(value)):
            raise ValueError(f"{value!a:.60} is not of type {kind.__name__.removeprefix('is_')}")
