"""Where compiled kernels are kept: the first place that can be written."""

import functools
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_NAME = "hpsearch-kernels"
_STAMP = "kernels.sha256"


@functools.cache
def place(sources: Path) -> Path | None:
    """Return the folder for the machine code of the kernels in ``sources``; None for nowhere.

    The first of these that can be written: one in the folder that ``NUMBA_CACHE_DIR`` names,
    the one beside the sources, one in the user's cache, one below the temporary folder. The
    last two are taken only if nobody else can have planted code there. Code that was made
    from other sources is never found: Numba watches a kernel's own file only, not those of
    the functions inlined into it, so a changed one would leave wrong code behind.
    """
    digest = _digest(sources)
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named and _can_write(folder := Path(named).absolute() / f"{_NAME}-{digest[:16]}"):
        return folder
    beside = sources / "__pycache__"
    if _can_write(beside) and _without_stale(beside, digest):
        return beside
    for private in _private_folders():
        if is_private(private) and _can_write(folder := private / digest[:16]):
            return folder
    return None


def sentence() -> str:
    """Say where the machine code of the networks' kernels is kept, for a log."""
    folder = place(Path(__file__).parent)
    where = "nowhere, since no place for it can be written" if folder is None else f"in {folder}"
    return f"machine code is kept {where}"


def is_private(folder: Path) -> bool:
    """Make a folder if it is missing; return whether it is this user's alone.

    So it is if it is a folder and no link to one, the user's own, closed to all others, and
    lies where nobody but the user and root can put another one in its place.
    """
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found, above = folder.lstat(), folder.parent.stat()
    except OSError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    closed = not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    shared = above.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not above.st_mode & stat.S_ISVTX
    return mine and closed and not shared and above.st_uid in (0, os.geteuid())


def _digest(sources: Path) -> str:
    files = sorted(sources.rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _can_write(folder: Path) -> bool:
    """Make a folder if it is missing; return whether files can be made in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _without_stale(folder: Path, digest: str) -> bool:
    """Remove code made from other sources; return whether only that of these is left.

    Other processes may do the same at once: what Numba misses it compiles again.
    """
    stamp = folder / _STAMP
    try:
        if not stamp.is_file() or stamp.read_text() != digest:
            for code in folder.rglob("*.nb[ic]"):
                code.unlink(missing_ok=True)
            stamp.write_text(digest)
    except OSError:
        return False
    return True


def _private_folders() -> Iterator[Path]:
    """Yield what may become a folder of this user alone."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    if cache.is_absolute():  # Without a home, the tilde stays.
        with suppress(OSError):
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield cache / _NAME
    with suppress(OSError):
        temporary = Path(tempfile.gettempdir())
        if temporary != Path.cwd():  # Python's choice where there is none; it is to be left alone.
            yield temporary / f"{_NAME}-{os.geteuid()}"
