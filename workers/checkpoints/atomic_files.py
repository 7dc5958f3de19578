"""Files that are either whole or not there, and reads that believe nothing."""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from workers.checkpoints.failpoints import failpoint

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""The numbers of errors that are the disk's fault, whatever path the user chose."""

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{16}\.tmp")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file of at most ``max_bytes`` bytes.

    Raises
    ------
    OSError
        If it can't be read, is a symbolic link or no regular file, or is too large.
    ValueError
        If the path itself is impossible, such as one with a NUL byte.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > max_bytes:
            raise OSError(errno.EFBIG, f"more than {max_bytes} bytes", str(path))
        return file.read(max_bytes)


def write_new(path: Path, data: bytes, *, settle: bool = True) -> None:
    """Create ``path`` with mode 0600 and exactly ``data``, durably and in one step.

    Temporary file in the same folder, write, fsync, hard link to the name, fsync of the
    folder; without ``settle`` the last is left to the caller, once for many files. Where
    there are no hard links it is a rename after a check, and the caller must see to it that
    two writers of one name write the same bytes.

    Raises
    ------
    FileExistsError
        If something of that name is there; it is left alone.
    OSError
        If the disk is full, read-only or failing; no file of that name was made, unless
        it was the last fsync that failed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with _created(temporary) as file:
            file.write(data)
        _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if settle:
        sync_folder(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Give ``path`` exactly ``data`` and mode 0600, durably; a reader sees old or new.

    Raises
    ------
    OSError
        If the disk is full, read-only or failing; what was there is there still, unless
        it was the last fsync that failed.
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give ``path`` what is written to a file, as :func:`replace` does; an exception leaves it.

    Raises `OSError`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with _created(temporary) as file:
            yield file
        failpoint("file.before_replace")
        temporary.replace(path)
        failpoint("file.after_replace")
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def make_folders(path: Path) -> None:
    """Make a folder and those above it where they are missing, durably, or none of them.

    Raises `OSError`.
    """
    missing = [path.absolute()]
    while not missing[-1].is_dir():
        missing.append(missing[-1].parent)
    made: list[Path] = []
    try:
        for folder in reversed(missing[:-1]):
            folder.mkdir(exist_ok=True)
            made.append(folder)
            sync_folder(folder.parent)
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise


def rename_folder(folder: Path, name: str) -> None:
    """Give a folder another name beside its own, durably; raises `OSError`."""
    sync_folder(folder)
    failpoint("folder.before_rename")
    folder.rename(folder.with_name(name))
    failpoint("folder.after_rename")
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable; raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        failpoint("file.before_sync_folder")
        os.fsync(descriptor)
        failpoint("file.after_sync_folder")
    finally:
        os.close(descriptor)


def temporary_target(name: str) -> str | None:
    """Return for which file name ``name`` is a temporary file of `write_new`, else None.

    >>> temporary_target(".summary.json.0123456789abcdef.tmp")
    'summary.json'
    """
    match = _TEMPORARY.fullmatch(name)
    return match[1] if match else None


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    """Make a file for writing; when all is written it is on disk."""
    failpoint("file.before_open")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - as above
        os.fchmod(descriptor, 0o600)  # A umask may have taken even the owner's bits.
        failpoint("file.before_write")
        yield file
        file.flush()
        failpoint("file.before_sync")
        os.fsync(descriptor)
        failpoint("file.after_sync")


def _publish(temporary: Path, path: Path) -> None:
    failpoint("file.before_link")
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temporary.rename(path)
    failpoint("file.after_link")
