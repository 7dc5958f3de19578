"""The tables of the search's database, and what to say of a file that lacks them."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from workers.errors import InputError, RunError

VERSION = 2
"""The version of the tables; a file with a newer one is refused, an older one is upgraded."""

_APPLICATION = 0x68707372  # "hpsr"
_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE stages (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " state TEXT NOT NULL, space TEXT NOT NULL, verdicts TEXT NOT NULL,"
    " first INTEGER NOT NULL)",
    "CREATE TABLE trials (number INTEGER PRIMARY KEY,"
    " stage INTEGER NOT NULL REFERENCES stages, params TEXT NOT NULL,"
    " epochs INTEGER NOT NULL, state TEXT NOT NULL, epochs_done INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, failures INTEGER NOT NULL, reason TEXT,"
    " best_epoch INTEGER, best_score REAL)",
    "CREATE TABLE epochs (trial INTEGER NOT NULL REFERENCES trials, epoch INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, metrics TEXT NOT NULL, seconds REAL NOT NULL,"
    " checkpoint TEXT, score REAL, size INTEGER, digest TEXT, kept INTEGER NOT NULL,"
    " PRIMARY KEY (trial, epoch)) WITHOUT ROWID",
    "CREATE INDEX kept_checkpoints ON epochs (checkpoint) WHERE kept",
    "CREATE TABLE failures (trial INTEGER NOT NULL REFERENCES trials,"
    " attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, cause TEXT NOT NULL,"
    " PRIMARY KEY (trial, attempt)) WITHOUT ROWID",
)
_LAYERS = (
    "TABLE layers (trial INTEGER NOT NULL, epoch INTEGER NOT NULL, layer INTEGER NOT NULL,"
    " update_ratio REAL, gradient_norm REAL, activation_mean REAL, activation_std REAL,"
    " dead REAL, saturated REAL, PRIMARY KEY (trial, epoch, layer),"
    " FOREIGN KEY (trial, epoch) REFERENCES epochs) WITHOUT ROWID"
)
"""What version 2 has more than version 1: numbers of each layer after each epoch."""

_TABLES = {1: _SCHEMA, 2: (*_SCHEMA, f"CREATE {_LAYERS}")}


def build(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Make the tables and fill ``meta``, in one transaction; raises `sqlite3.Error`."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES[VERSION]:
        connection.execute(statement)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def upgraded(connection: sqlite3.Connection, *, writes: bool) -> sqlite3.Connection:
    """Give a file that was checked what this version has more; of a reader, no trace in it.

    Raises `sqlite3.Error`.
    """
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    if _version(connection) < VERSION:
        connection.execute(f"CREATE {'' if writes else 'TEMP '}{_LAYERS}")
        if writes:
            connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return connection


def check(connection: sqlite3.Connection, path: Path, *, thorough: bool) -> None:
    """Check that the file is a search's, not newer, and has exactly its version's tables.

    If ``thorough``, that all its pages are sound too.

    Raises
    ------
    InputError
        If it is not so.
    sqlite3.Error
        If the file is damaged or can't be read.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = _version(connection)
    if application != _APPLICATION:
        raise damaged(path, "another program's, or its creation was interrupted")
    if version > VERSION:
        rule = f"this hpsearch reads databases up to version {VERSION}"
        raise InputError(rule, f"version {version} in {path}", "install a newer hpsearch")
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL").fetchall()
    if sorted(sql for (sql,) in found) != sorted(_TABLES.get(version, ())):
        raise damaged(path, "its tables are not those of a search")
    if thorough and connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise damaged(path, "its pages are not sound")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def unusable(path: Path, error: Exception) -> InputError | RunError:
    """Return what to raise for an error of SQLite: the file's fault, or the disk's."""
    why = f"{str(error)!a:.300}"
    fault = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if isinstance(error, OSError) or fault not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return RunError(f"can't use {path.name}: {why}; mend the cause and resume the run")
    return damaged(path, why)


def damaged(path: Path, why: str) -> InputError:
    """Return what to raise for a file that is not as a search left it."""
    rule = "search.db must be the database of a search"
    return InputError(rule, f"{path} ({why})", "restore it from a copy or start a new run")
