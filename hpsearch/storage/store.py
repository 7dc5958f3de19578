"""The search's SQLite file: trials, epochs and stages. Only the master writes it."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from hpsearch.storage.sqlite import opening, rows, schema, values
from hpsearch.storage.sqlite.database import Database
from hpsearch.storage.sqlite.rows import EpochRow, FailureRow, LayerRow, StageRow, TrialRow
from workers.checkpoints.tensors import canonical
from workers.messages import Checkpoint, EpochReport

_ADVANCE = (
    "UPDATE trials SET epochs_done = coalesce(?4, epochs_done) WHERE number = ?1"
    " AND attempt = ?2 AND state = 'running' AND epochs_done >= ?3 - 1 AND epochs_done < ?3"
)
_ADD_EPOCH = "INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_LAYER = "INSERT INTO layers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KEPT = "SELECT * FROM epochs WHERE kept ORDER BY trial, epoch"
_META = "SELECT key, value FROM meta WHERE key != 'master'"
_FORGET = "UPDATE epochs SET kept = 0 WHERE kept AND checkpoint = ?"
_IMPROVE = (
    "UPDATE trials SET best_epoch = ?2, best_score = ?3"
    " WHERE number = ?1 AND (best_score IS NULL OR ?3 * ?4 > best_score * ?4)"
)


class Store:
    """A search's database; made by `create`, `open` or `read`, closed by ``with``.

    Each writing method is a transaction, or part of the one around it: when it returns it is
    on disk; when it raises, nothing of it is. Writing raises `RunError` if the disk is full,
    read-only or failing, or if the rows don't allow it; reading raises `InputError` if the
    file is damaged. Nothing is ordered by a clock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        try:
            meta = self.meta()
            self._metric = meta["metric"]
            self._sign = 1 if meta["direction"] == "maximize" else -1
            database.count_master()
        except BaseException:
            database.close()
            raise

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, Any]) -> Self:
        """Make a file; ``meta`` has at least ``name, metric, direction, seed``; it must be new."""
        texts = {key: canonical(value) for key, value in meta.items()}
        return cls(Database(opening.create(path, texts), path, writes=True))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing file for the master, once it is found sound.

        Raises `InputError` if it is not there, not a search's database, newer, or damaged.
        """
        return cls(Database(opening.open_writer(path), path, writes=True))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open an existing file to read it, changing nothing; raises as `open` does."""
        return cls(Database(opening.open_reader(path), path, writes=False))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what is written inside as one; for a reader, see one state of it all."""
        return self._database.transaction()

    def begin_stage(self, number: int, name: str, space: Mapping[str, Any], first: int = 0) -> None:
        """Write down a stage, the ranges that it samples from and its first new trial."""
        statement = "INSERT INTO stages VALUES (?, ?, 'running', ?, '[]', ?)"
        self._database.change_one(statement, number, name, json.dumps(space), first)  # in order

    def promote_trial(self, number: int, stage: int, epochs: float) -> None:
        """Write down that a complete trial goes on in a stage, to ``epochs`` in all."""
        statement = (
            "UPDATE trials SET stage = ?2, epochs = ?3, state = 'waiting', reason = NULL"
            " WHERE number = ?1 AND state = 'complete' AND epochs < ?3"
        )
        self._database.change_one(statement, number, stage, epochs)

    def end_stage(self, number: int, verdicts: Sequence[Mapping[str, Any]]) -> None:
        """Write down that a stage is over and what was learned about its ranges."""
        statement = "UPDATE stages SET state = 'complete', verdicts = ? WHERE number = ?"
        self._database.change_one(statement, canonical(verdicts), number)

    def add_trial(self, number: int, stage: int, params: Mapping[str, Any], epochs: float) -> None:
        """Write down a new trial, waiting."""
        statement = "INSERT INTO trials VALUES (?, ?, ?, ?, 'waiting', 0, 0, 0, NULL, NULL, NULL)"
        self._database.change_one(statement, number, stage, canonical(params), epochs)

    def start_trial(self, number: int, attempt: int) -> None:
        """Write down that an attempt begins; its number must be above all before."""
        statement = (
            "UPDATE trials SET state = 'running', attempt = ?2"
            " WHERE number = ?1 AND attempt < ?2 AND state IN ('waiting', 'running')"
        )
        self._database.change_one(statement, number, attempt)

    def record(self, reports: Iterable[EpochReport]) -> tuple[EpochReport, ...]:
        """Write down epochs, as one, and return the reports that were accepted.

        Accepted is what comes from a running trial's current attempt and is its next epoch,
        or a part of it, so none counts twice. An accepted report of a failure writes no epoch.
        """
        with self.transaction():
            return tuple(report for report in reports if self._accept(report))

    def note_failure(self, number: int, attempt: int, epoch: float, cause: str) -> None:
        """Write down why the current attempt ended; its trial waits for another."""
        with self.transaction():
            self._database.change_one(
                "UPDATE trials SET failures = failures + 1, state = 'waiting'"
                " WHERE number = ? AND attempt = ? AND state = 'running'",
                *(number, attempt),
            )
            self._database.change_one(
                "INSERT INTO failures VALUES (?, ?, ?, ?)", number, attempt, epoch, cause
            )

    def end_trial(self, number: int, state: rows.State, reason: str | None = None) -> None:
        """Write down a trial's final state."""
        statement = (
            "UPDATE trials SET state = ?, reason = ?"
            " WHERE number = ? AND state IN ('waiting', 'running')"
        )
        self._database.change_one(statement, state, reason, number)

    def forget_checkpoints(self, names: Iterable[str]) -> None:
        """Write down that these files are no longer kept; unknown names are let be."""
        with self.transaction():
            for name in names:
                self._database.change(_FORGET, name)

    def meta(self) -> dict[str, Any]:
        """Return what holds for the search as a whole."""
        meta = dict(self._database.select(_META, rows.read_pair))
        kinds = {"name": str, "metric": str, "direction": str, "seed": int}
        wrong = [key for key, kind in kinds.items() if not isinstance(meta.get(key), kind)]
        if wrong or meta["direction"] not in {"maximize", "minimize"}:
            raise schema.damaged(self._database.path, f"no good {wrong or 'direction'} in meta")
        return meta

    def stages(self) -> tuple[StageRow, ...]:
        """Return all stages in order."""
        return self._database.select("SELECT * FROM stages ORDER BY number", rows.read_stage)

    def trials(self) -> tuple[TrialRow, ...]:
        """Return all trials in order."""
        return self._database.select("SELECT * FROM trials ORDER BY number", rows.read_trial)

    def epochs(self) -> tuple[EpochRow, ...]:
        """Return all acknowledged epochs, ordered by trial and epoch."""
        return self._database.select("SELECT * FROM epochs ORDER BY trial, epoch", rows.read_epoch)

    def layers(self) -> tuple[LayerRow, ...]:
        """Return all acknowledged layers, ordered by trial, epoch and layer."""
        statement = "SELECT * FROM layers ORDER BY trial, epoch, layer"
        return self._database.select(statement, rows.read_layer)

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Return the checkpoints that are kept, ordered by trial and epoch."""
        kept = self._database.select(_KEPT, rows.read_epoch)
        return tuple(row.checkpoint for row in kept if row.checkpoint is not None)

    def failures(self) -> tuple[FailureRow, ...]:
        """Return all failed attempts, ordered by trial and attempt."""
        return self._database.select(
            "SELECT * FROM failures ORDER BY trial, attempt", rows.read_failure
        )

    def _accept(self, report: EpochReport) -> bool:
        trial, attempt, epoch = report.trial, report.attempt, report.epoch
        reached = epoch if report.failure is None else None
        if not self._database.change(_ADVANCE, trial, attempt, epoch, reached):
            return False
        if report.failure is not None:
            return True
        score = report.metrics.get(self._metric, math.nan)
        if math.isfinite(score):
            self._database.change(_IMPROVE, trial, epoch, score, self._sign)
        self._database.change_one(_ADD_EPOCH, *values.of_epoch(report))
        for layer in values.of_layers(report):
            self._database.change_one(_ADD_LAYER, *layer)
        return True
