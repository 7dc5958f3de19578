"""Create a search's database, open it for its master, or read it without a trace."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hpsearch.storage.sqlite import schema
from workers.checkpoints import atomic_files
from workers.errors import InputError

_MAX_VALUE_BYTES = 2**26
_SHARED = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "fuse", "gluster")


def create(path: Path, meta: Mapping[str, str]) -> sqlite3.Connection:
    """Return a connection to a new database of mode 0600.

    Raises
    ------
    InputError
        If something of that name exists.
    RunError
        If the disk is full, read-only or failing.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
        atomic_files.sync_folder(path.parent)
        connection = _configured(_connect(path, "mode=rw"), path)
        schema.build(connection, meta)
    except FileExistsError as error:
        rule = "a new run needs a folder without a search.db"
        raise InputError(rule, str(path), "resume it or choose another name") from error
    except (OSError, sqlite3.Error) as error:
        raise schema.unusable(path, error) from error
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """Return the master's connection to an existing database, once it is found sound.

    Raises
    ------
    InputError
        If it is not there, not a search's database, newer, or damaged.
    RunError
        If the disk is read-only or failing.
    """
    _require_file(path)
    try:
        checked = _checked(_connect(path, "mode=rw"), path, thorough=True)
        return schema.upgraded(_configured(checked, path), writes=True)
    except sqlite3.Error as error:
        raise schema.unusable(path, error) from error


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that changes nothing, beside a master or on a folder at rest.

    A database at rest is opened as immutable. Beside its write-ahead log or journal it
    is read through SQLite's locks, and if those can't be had (a copied folder, a
    read-only disk after a crash) from a copy in memory. Raises as `open_writer` does.
    """
    _require_file(path)
    try:
        if not _has_company(path):
            return _readable(_connect(path, "mode=ro&immutable=1"), path)
        if _beside(path, "-wal").exists() and not _beside(path, "-shm").exists():
            return _readable(_copied(path), path)
        try:
            return _readable(_connect(path, "mode=ro"), path)
        except sqlite3.OperationalError:
            return _readable(_copied(path), path)
    except (sqlite3.Error, OSError) as error:
        raise schema.unusable(path, error) from error


def _connect(path: Path, options: str) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?{options}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _configured(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Set the journal: write-ahead needs shared memory, so not on a network's disk."""
    wanted = "DELETE" if _file_system(path).startswith(_SHARED) else "WAL"
    (mode,) = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
    connection.execute(f"PRAGMA synchronous = {'FULL' if mode == 'wal' else 'EXTRA'}")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _file_system(path: Path) -> str:
    """Return the type of the file system that holds ``path``, or "" if unknown."""
    try:
        device = os.stat(path).st_dev  # noqa: PTH116 - the device number only
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        if line.split()[2] == wanted:
            return line.partition(" - ")[2].split()[0]
    return ""


def _readable(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    return schema.upgraded(_checked(connection, path), writes=False)


def _checked(
    connection: sqlite3.Connection, path: Path, *, thorough: bool = False
) -> sqlite3.Connection:
    """Return the connection if the file is whole and has the tables that we know."""
    try:
        schema.check(connection, path, thorough=thorough)
    except (TypeError, ValueError) as error:
        connection.close()
        raise schema.damaged(path, "its tables are described in other than text") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _require_file(path: Path) -> None:
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        regular = False
    if not regular:
        rule = "a run's folder must hold the file search.db"
        raise InputError(rule, f"no such file {str(path)!a}", "name the folder of a run")


def _beside(path: Path, suffix: str) -> Path:
    return path.resolve().with_name(path.resolve().name + suffix)


def _has_company(path: Path) -> bool:
    """Tell whether a writer may be there, or has left work that is not in the file yet."""
    with path.open("rb") as file:
        write_ahead = file.read(20)[18:19] == b"\x02"
    return not write_ahead or any(_beside(path, s).exists() for s in ("-wal", "-shm", "-journal"))


def _copied(path: Path) -> sqlite3.Connection:
    """Return a database in memory with what the file and its log or journal hold."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal", "-journal"):
            if _beside(path, suffix).exists():
                shutil.copyfile(_beside(path, suffix), Path(folder) / f"copy{suffix}")
        source = _connect(Path(folder) / "copy", "mode=rw")
        try:
            source.backup(memory)
        finally:
            source.close()
    return memory
