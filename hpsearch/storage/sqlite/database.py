"""Transactions on a search's database, with errors that a person can read."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from hpsearch.storage.sqlite import schema
from workers.checkpoints.failpoints import failpoint
from workers.errors import RunError

Row = TypeVar("Row")


class Database:
    """A connection to the file at ``path``, for its one master or for a reader."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, writes: bool) -> None:
        self.path = path
        self._master: int | None = None
        self._connection = connection
        self._writes = writes
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside as one, or nothing of it if anything is raised.

        Inside another transaction it is a part of that one.

        Raises
        ------
        RunError
            If SQLite can't do it.
        """
        if self._connection.in_transaction:
            yield
            return
        try:
            self._connection.execute(self._begin)
            self._check_master()
            yield
            self._commit()
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                raise schema.unusable(self.path, error) from error
            raise

    def change(self, statement: str, *values: Any) -> bool:
        """Run one writing statement and return whether it changed a row.

        Raises
        ------
        RunError
            If SQLite can't do it.
        """
        with self.transaction():
            return self._connection.execute(statement, values).rowcount > 0

    def change_one(self, statement: str, *values: Any) -> None:
        """Run one writing statement that must change a row.

        Raises
        ------
        RunError
            If it changes none, or SQLite can't do it.
        """
        with self.transaction():
            if not self.change(statement, *values):
                raise RunError(f"{self.path.name} has no row to change: {statement} {values}")

    def select(self, statement: str, read: Callable[[Sequence[Any]], Row]) -> tuple[Row, ...]:
        """Return what ``read`` makes of each row.

        Raises
        ------
        InputError
            If the file is damaged.
        RunError
            If the disk is failing.
        """
        try:
            with closing(self._connection.execute(statement)) as cursor:
                return tuple(read(values) for values in cursor)
        except sqlite3.Error as error:
            raise schema.unusable(self.path, error) from error
        except (ValueError, RecursionError) as error:
            raise schema.damaged(self.path, f"{str(error)!a:.300}") from error

    def count_master(self) -> None:
        """Become the file's one master, if this writes: those before it can no more.

        Raises
        ------
        RunError
            If SQLite can't do it.
        """
        if self._writes:
            with self.transaction():
                master = (self._last_master() or 0) + 1
                statement = "INSERT OR REPLACE INTO meta VALUES ('master', ?)"
                self._connection.execute(statement, (str(master),))
            self._master = master

    def _last_master(self) -> int | None:
        statement = "SELECT value FROM meta WHERE key = 'master'"
        row = self._connection.execute(statement).fetchone()
        return int(row[0]) if row and str(row[0]).isdecimal() else None

    def _check_master(self) -> None:
        """Refuse to write after another process took the run over."""
        if self._master is not None and self._last_master() != self._master:
            raise RunError(f"another process took over {self.path.parent}; this one must end")

    def _commit(self) -> None:
        try:
            failpoint("store.before_commit")
            self._connection.execute("COMMIT")
            failpoint("store.after_commit")
        except OSError as error:
            raise schema.unusable(self.path, error) from error

    def _roll_back(self) -> None:
        # After some errors, such as a full disk, SQLite has already done it.
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
