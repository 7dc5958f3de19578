"""What a report comes to in the search's database, as `hpsearch.storage.sqlite.rows` reads it."""

import math
from dataclasses import astuple
from typing import Any

from workers.checkpoints.tensors import canonical
from workers.messages import EpochReport


def of_epoch(report: EpochReport) -> tuple[Any, ...]:
    """Return the row that `read_epoch` reads."""
    metrics = {k: float(v) if math.isfinite(v) else None for k, v in report.metrics.items()}
    saved = report.checkpoint
    place = (saved.name, saved.score, saved.size, saved.digest) if saved else (None,) * 4
    head = (report.trial, report.epoch, report.attempt, canonical(metrics), report.seconds)
    return (*head, *place, saved is not None)


def of_layers(report: EpochReport) -> list[tuple[Any, ...]]:
    """Return the rows that `read_layer` reads."""
    return [
        (report.trial, report.epoch, number, *astuple(layer))
        for number, layer in enumerate(report.layers, 1)
    ]
