"""Checkpoint files: the only code that knows their names and their format.

A file is in the safetensors format, as `workers.checkpoints.tensors` writes it. Nothing in it says
when, where or at which attempt it was written: the same trial and epoch give the same
bytes. Nothing is ever unpickled.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from workers.checkpoints import atomic_files, tensors
from workers.checkpoints.failpoints import failpoint
from workers.errors import CheckpointError, cannot_write
from workers.messages import Checkpoint, is_epoch

MAX_BYTES = 2**28

_PARTS = r"([a-z0-9_]{1,64})=(-?[0-9]+\.[0-9]{4})_trial=([0-9]{5,12})_epoch=([0-9]{4,12})"
_NAME = re.compile(_PARTS + r"\.safetensors")
_WIDTHS = {"accuracy": 6, "macro": 6, "auc": 6, "precision": 6, "mse": 17, "mae": 17, "rmse": 17}
_REQUIRED: dict[type, tuple[str, ...]] = {
    int: ("trial", "features", "outputs"),
    float: ("score",),
    str: ("metric", "task"),
    dict: ("spec",),
    list: ("classes", "feature_names", "preprocess", "history"),
}


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint holds.

    ``arrays`` are ``parameters``, ``ema``, ``optimizer.*``, ``preprocessing.*``, ...;
    those from a file are read-only. ``metadata`` has JSON values under ``trial, epoch,
    metric, score, spec, features, outputs, task, classes, feature_names, preprocess,
    history`` at least, and no clock, host or attempt among them.
    """

    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, Any]


def file_name(metric: str, score: float, trial: int, epoch: float) -> str:
    """Return the name of a checkpoint, its score first and at fixed width.

    An index only: whole epochs, 4 decimals, and up to 6 digits before the point, 12 of an error in
    the target's own units. In the C locale ``ls | sort -r`` lists the highest score first,
    ``ls | sort`` the lowest. Scores below zero come after all others, those nearest to zero last.

    >>> file_name("val_accuracy", 0.97222, 42, 10)
    'val_accuracy=0.9722_trial=00042_epoch=0010.safetensors'
    >>> file_name("val_loss", 2.3, 42, 10)
    'val_loss=000002.3000_trial=00042_epoch=0010.safetensors'

    Raises
    ------
    CheckpointError
        If the score is not finite, or another part can't be put into a name.
    """
    if not math.isfinite(score):
        raise CheckpointError(f"the score of a checkpoint must be finite, not {score}")
    width = _WIDTHS.get(metric.rpartition("_")[2], 11)
    shown = f"{min(max(score, -99999.9999), 10 ** max(width - 5, 6) - 1e-4):z0{width}.4f}"
    name = f"{metric}={shown}_trial={trial:05d}_epoch={math.floor(epoch):04d}.safetensors"
    if not _NAME.fullmatch(name):
        raise CheckpointError(f"{name[:200]!a} can't be the name of a checkpoint")
    return name


def parse_name(name: str) -> tuple[str, float, int, int]:
    """Return metric, score (4 decimals), trial and whole epochs of a checkpoint's name.

    Raises
    ------
    CheckpointError
        If `file_name` would not make such a name.
    """
    match = _NAME.fullmatch(name)
    if match is None or len(name) > 200:
        raise CheckpointError(f"{name[:200]!a} is not the name of a checkpoint")
    parts = (match[1], float(match[2]), int(match[3]), int(match[4]))
    if file_name(*parts) != name:
        raise CheckpointError(f"{name[:200]!a} is not how a checkpoint's name is written")
    return parts


def save(folder: Path, snapshot: Snapshot) -> Checkpoint:
    """Write a checkpoint and say what is on disk now.

    Its content is durable, its name once the caller has synced the folder, for all
    checkpoints saved together. A file of that name with the same bytes is accepted.

    Raises
    ------
    CheckpointError
        If the snapshot can't be a checkpoint, or the name holds other bytes.
    RunError
        If the disk is full, read-only or failing.
    """
    data = tensors.encode(snapshot.arrays, snapshot.metadata)
    name = _checked_name(snapshot.metadata)
    if len(data) > MAX_BYTES:
        raise CheckpointError(f"{name} would have {len(data)} bytes, more than {MAX_BYTES}")
    try:
        _commit(folder / name, data)
    except OSError as error:
        raise cannot_write(name, error) from error
    return _describe(name, data, snapshot.metadata)


def load(path: Path, *, expected: Checkpoint | None = None, max_bytes: int = MAX_BYTES) -> Snapshot:
    """Read a checkpoint and check it: size, header, tensors, digest, metadata, name.

    The file must be regular, under the name it was saved with, and agree in everything
    with ``expected``, which is what the run's database knows of it.

    Raises
    ------
    CheckpointError
        If the file can't be read or believed, whatever the cause.
    """
    data = _read(path, max_bytes if expected is None else min(max_bytes, expected.size))
    try:
        arrays, metadata = tensors.decode(data)
        name = _checked_name(metadata)
    except CheckpointError as error:
        raise _refusal(path, str(error)) from error
    if name != path.name:
        raise _refusal(path, f"it belongs to {name}")
    if expected is not None and _describe(name, data, metadata) != expected:
        raise _refusal(path, "it differs from what the run recorded")
    return Snapshot(arrays, metadata)


def remove_unknown(folder: Path, known: Set[str], *, trial: int | None = None) -> list[str]:
    """Remove checkpoints not in ``known`` and temporary files, of all trials or of one.

    Only regular files whose names `save` could have made. Returns them; raises `OSError`.
    """
    if not folder.is_dir():
        return []
    removed = [p for p in sorted(folder.iterdir()) if p.name not in known and _is_of(trial, p)]
    for path in removed:
        failpoint("checkpoint.before_remove")
        path.unlink(missing_ok=True)
    atomic_files.sync_folder(folder)
    return [path.name for path in removed]


def _commit(path: Path, data: bytes) -> None:
    try:
        atomic_files.write_new(path, data, settle=False)
    except FileExistsError as error:
        if _read(path, MAX_BYTES) != data:
            raise CheckpointError(f"{path.name} exists with other content") from error


def _is_of(trial: int | None, path: Path) -> bool:
    try:
        number = parse_name(atomic_files.temporary_target(path.name) or path.name)[2]
    except CheckpointError:
        return False
    return trial in (None, number) and path.is_file() and not path.is_symlink()


def _checked_name(metadata: Mapping[str, Any]) -> str:
    """Return the name that the metadata asks for, once all required keys are there."""
    for kind, keys in _REQUIRED.items():
        for key in keys:
            value = metadata.get(key)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise CheckpointError(f"its metadata must have {key} as {kind.__name__}")
    if not is_epoch(metadata.get("epoch")):
        raise CheckpointError("its metadata must have epoch as int, or as a part of the first")
    return file_name(*(metadata[key] for key in ("metric", "score", "trial", "epoch")))


def _describe(name: str, data: bytes, metadata: Mapping[str, Any]) -> Checkpoint:
    trial, epoch, score = (metadata[key] for key in ("trial", "epoch", "score"))
    return Checkpoint(name, trial, epoch, score, len(data), hashlib.sha256(data).hexdigest())


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        return atomic_files.read_regular(path, max_bytes)
    except (OSError, ValueError) as error:
        raise _refusal(path, getattr(error, "strerror", None) or str(error)) from error


def _refusal(path: Path, why: str) -> CheckpointError:
    why = " ".join(why.split())[:300]
    return CheckpointError(f"{path.name[:200]!a} can't be used as a checkpoint: {why}")
