"""A source's rows before they are split, and what all readers share."""

import codecs
import gzip
import re
import stat
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from numpy.typing import NDArray

from workers.data.columns import Column
from workers.errors import InputError

MISSING: Final = (
    *("", "?", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "NaN", "nan", "-nan", "-NaN"),
    *("NULL", "null", "None"),
)
"""What stands for a missing value of a feature where the config does not say otherwise."""

MAX_BYTES = 1 << 31
"""The largest file that is read, and what a compressed one may unpack to, in bytes."""


@dataclass(frozen=True)
class Source:
    """What to read and how; the fields are those of the config's ``data`` section.

    ``features`` names the columns that are wanted (None: all but the target and those to
    ``drop``), and ``labelled`` is false where a target is neither needed nor read. ``kinds`` says
    of what kind columns are, ``known`` of all what they are, and ``missing`` which text is no
    value; in ``complete`` rows no value may be missing. ``beside`` names columns that are kept as
    they are beside the rows, and are no features unless these name them too. Where rows are a part
    of their file, ``first_row`` is the number of the first one in it, counted from 0.
    """

    path: str
    format: str | None = None
    labels: str | None = None
    target: str | int | None = None
    header: bool = True
    delimiter: str = ","
    decimal: str = "."
    thousands: str | None = None
    quote: str = '"'
    comment: str | None = None
    encoding: str = "utf-8"
    sheet: str | None = None
    task: str = "classification"
    features: tuple[str, ...] | None = None
    labelled: bool = True
    kinds: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    known: tuple[Column, ...] | None = None
    complete: bool = False
    beside: tuple[str, ...] = ()
    first_row: int = 0


@dataclass(frozen=True, eq=False)
class Table:
    """Raw rows.

    ``x`` is (rows, features) of any real type; ``y`` (rows,) of numbers or of objects that
    are text, or (rows, outputs) of numbers, and None if it was not read. ``typed`` is false
    where the file says nothing of types, so that all labels are text at first. ``columns`` are
    those of ``x`` where some are no numbers, and ``left_out`` says which were and why. ``beside``
    are the columns that the source names so, as the file has them: text where it has no types.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None
    feature_names: tuple[str, ...]
    target: str
    typed: bool = True
    columns: tuple[Column, ...] | None = None
    left_out: tuple[str, ...] = ()
    beside: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)


def shown(value: object) -> str:
    """Return ``value`` as an error shows it: cut to 60 characters, no password in a URL.

    >>> shown("s3://key:secret@bucket/x.csv")
    "'s3://***@bucket/x.csv'"
    """
    text = re.sub(r"//[^/@]*@", "//***@", str(value))
    return repr(text if len(text) <= 60 else text[:57] + "...")


def listed(names: Sequence[str]) -> str:
    """Return names for an error, cut after twelve of them.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    text = ", ".join(shown(name) for name in names[:12])
    return text if len(names) <= 12 else f"{text}, ... ({len(names)} in all)"


def regular_file(path: str, *, limited: bool = True) -> Path:
    """Return the path of a regular file that is there and, if ``limited``, has MAX_BYTES at most.

    Raises
    ------
    InputError
        For anything else: nothing there, a folder, a FIFO, a device.
    """
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            "a data source must be a built-in set or a readable file",
            f"{shown(path)} ({reason})",
            "correct the path (it counts from the current folder)",
        ) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise InputError("a data source must be a file", f"{shown(path)}, {kind}", "name a file")
    if limited:
        check_size(path, status.st_size)
    return Path(path)


def read_bytes(path: str) -> bytes:
    """Return a file's content, unpacked if it is gzipped.

    Raises
    ------
    InputError
        If it can't be read, is empty, is damaged or unpacks to more than MAX_BYTES.
    """
    file = regular_file(path)
    try:
        with file.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(file) if packed else file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None
    check_size(path, len(data))
    if not data:
        raise InputError("a data file must have rows", f"{shown(path)}, empty", "replace it")
    return data


def check_size(path: str, size: int) -> None:
    """Raise InputError if ``size``, in bytes, is more than MAX_BYTES."""
    if size > MAX_BYTES:
        raise InputError(
            f"a data file must hold at most {MAX_BYTES >> 30} GiB unpacked",
            f"{shown(path)}, which holds more",
            "take fewer rows or columns",
        )


def check_text(data: bytes, path: str) -> None:
    """Raise InputError if ``data`` is not text in UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, 0 if data.isascii() else len(data), 1 << 20):
            decoder.decode(view[start : start + (1 << 20)], start + (1 << 20) >= len(data))
    except UnicodeDecodeError as error:
        raise bad_text(path, error) from None
    if b"\0" in data:
        raise bad_text(path, None)


def bad_text(path: str, error: UnicodeDecodeError | None, encoding: str = "utf-8") -> InputError:
    """Return what is to be said of bytes that are no text; without an error of NUL bytes."""
    rule = f"{shown(path)} must be text in {encoding.upper()}"
    if error is None:
        return InputError(rule, "NUL bytes", "save it as plain text")
    found = error.object[error.start : error.start + 4].hex(" ")
    remedy = "save it as UTF-8, or give its format or data.encoding, such as latin-1 or cp1252"
    return InputError(rule, f"bytes that are not ({found})", remedy)


def unreadable(path: str, error: Exception) -> InputError:
    """Return what is to be said of a file that can't be read, or not be unpacked."""
    return InputError(
        "a data file must be readable", f"{shown(path)} ({error})", "check or replace it"
    )
