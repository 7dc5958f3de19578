"""Files in blocks of whole rows, so that memory holds a block and never the file."""

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, cast

from hpsearch.data.tables.dialect import encoding_of, quoted_or_comment
from hpsearch.data.tables.raw_table import (
    Source,
    bad_text,
    check_size,
    regular_file,
    shown,
    unreadable,
)
from workers.errors import InputError

BLOCK: Final = 1 << 22
"""So many bytes of a text file are read at a time."""

BLOCK_VALUES: Final = 1 << 20
"""So many values of other files are read at a time."""

LONGEST: Final = 1 << 28
"""The most bytes that a row may have where a file is read in blocks."""

Ends = Callable[[bytes], int]
"""From bytes that begin with a row to where the last whole row in them ends; 0 without one."""


def rows_at_once(columns: int) -> int:
    """Return of how many rows a block of so many columns is, where it is no text."""
    return max(1, BLOCK_VALUES // max(1, columns))


def text_blocks(source: Source, ends: Ends, *, limited: bool = False) -> Iterator[bytes]:
    """Yield the content of a file, gzipped or not, in blocks of whole rows in UTF-8.

    It has the source's encoding, unless a byte-order mark tells another. If ``limited``, it may
    have MAX_BYTES at most.

    Raises
    ------
    InputError
        If it can't be read, is damaged, is empty, or is no such text.
    """
    path, rest, size = source.path, b"", 0
    for fresh, more in _in_utf8(_pieces(path, limited=limited), source):
        size += len(fresh)
        if limited:
            check_size(path, size)
        rest += fresh
        end = ends(rest) if more else len(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
        if len(rest) > LONGEST:
            raise InputError(
                f"a row of {shown(path)} must have at most {LONGEST >> 20} MiB",
                "a longer one",
                "check line ends and quotes",
            )
    if not size:
        raise InputError("a data file must have rows", f"{shown(path)}, empty", "replace it")


def ends_of_lines(data: bytes) -> int:
    r"""Return where the last whole line ends.

    >>> ends_of_lines(b"1\n2\n3")
    4
    """
    return max(data.rfind(b"\n"), data.rfind(b"\r")) + 1


def ends_of_rows(source: Source) -> Ends:
    r"""Return what finds the end of the last whole row of CSV: no line end within quotes counts.

    >>> end = ends_of_rows(Source("x"))
    >>> end(b'1,"a\nb"\n2,"c\n'), end(b'5" pipe\n6" pipe')
    (8, 8)
    """
    quoted, marks = re.compile(quoted_or_comment(source)), source.quote.encode()
    marks += b"" if source.comment is None else source.comment.encode()
    marked = re.compile(b"[" + re.escape(marks) + b"]")

    def end_of_rows(data: bytes) -> int:
        spans = [found.span() for found in quoted.finditer(data)] if marked.search(data) else []
        behind = len(data)
        for start, stop in reversed(spans):
            if end := ends_of_lines(data[stop:behind]):
                return stop + end
            behind = start
        return ends_of_lines(data[:behind])

    return end_of_rows


def _pieces(path: str, *, limited: bool) -> Iterator[tuple[bytes, bool]]:
    """Yield what is read at a time, and whether there is more."""
    file = regular_file(path, limited=limited)
    try:
        with file.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if packed else plain
            piece = stream.read(BLOCK)
            while piece:
                following = stream.read(BLOCK)
                yield piece, bool(following)
                piece = following
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None


def _in_utf8(pieces: Iterator[tuple[bytes, bool]], source: Source) -> Iterator[tuple[bytes, bool]]:
    """Yield pieces of text in UTF-8, after making sure that they are text."""
    decoder, encoding = None, "utf-8"
    for piece, more in pieces:
        if decoder is None:
            encoding = encoding_of(piece, source)
            decoder = codecs.getincrementaldecoder(encoding)()
        try:
            if encoding != "utf-8":
                yield _without_nul(decoder.decode(piece, not more).encode(), source), more
                continue
            if decoder.getstate()[0] or not piece.isascii():
                decoder.decode(piece, not more)
        except UnicodeDecodeError as error:
            raise bad_text(source.path, error, encoding) from None
        except UnicodeError as error:  # as some have it of surrogates, or of marks
            rule = f"{shown(source.path)} must be text in {encoding.upper()}"
            raise InputError(rule, shown(error), "correct data.encoding") from None
        yield _without_nul(piece, source), more


def _without_nul(piece: bytes, source: Source) -> bytes:
    if b"\0" in piece:
        raise bad_text(source.path, None)
    return piece
