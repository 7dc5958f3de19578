"""How a file writes values, as pandas' ``read_csv`` names it."""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from hpsearch.data.tables.raw_table import Source, shown
from workers.errors import CheckpointError, InputError

DIALECT: Final = (
    *("header", "delimiter", "decimal", "thousands", "quote", "comment", "encoding"),
    *("sheet", "missing"),
)
"""The fields of a source, and keys of a config's ``data``, that new rows share with a source."""

_DEFAULT: Final = {one.name: one.default for one in fields(Source) if one.name in DIALECT}

_MARKS: Final = (
    *((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)


def dialect_of(source: Source) -> dict[str, Any]:
    """Return what of a source's dialect is not the default, as a checkpoint has it."""
    plain = {name: getattr(source, name) for name in DIALECT}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in plain.items()
        if value != _DEFAULT[name]
    }


def dialect_from_json(found: Any) -> dict[str, Any]:
    """Return the fields of a source that a checkpoint's dialect gives.

    Raises
    ------
    CheckpointError
        If it is none.
    """
    if not isinstance(found, Mapping) or not {*found} <= {*DIALECT}:
        raise CheckpointError("the checkpoint's dialect must name what it knows of")
    for name, value in found.items():
        kind = {"header": bool, "missing": list}.get(name, str)
        texts = value if isinstance(value, list) else []
        if type(value) is not kind or not all(isinstance(text, str) for text in texts):
            raise CheckpointError(f"the checkpoint's dialect must have {name} as {kind.__name__}")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


def check_dialect(source: Source) -> Source:
    """Return the source, whose delimiter is a tab if its name ends in ``.tsv``.

    Raises
    ------
    InputError
        If two of its marks are the same, or one can't be such a mark.
    """
    tabbed = source.path.removesuffix(".gz").endswith(".tsv") and source.delimiter == ","
    marks = {
        "delimiter": "\t" if tabbed else source.delimiter,
        "quote": source.quote,
        "decimal": source.decimal,
        "thousands": source.thousands,
        "comment": source.comment,
    }
    for name, mark in marks.items():
        odd = mark is not None and (len(mark) != 1 or mark in "\r\n\0" or mark.isalnum())
        if mark is not None and (odd or not (mark.isascii() or name == "thousands")):
            rule = f"{name} must be one ASCII character, no letter, digit or line end"
            raise InputError(rule, repr(mark), "correct it")
        twin = next((other for other in marks if other != name and marks[other] == mark), None)
        if mark is not None and twin is not None and {name, twin} != {"delimiter", "decimal"}:
            rule = f"{name} must be another character than {twin}"
            raise InputError(rule, repr(mark), f"set data.{name} or data.{twin}")
        if mark is not None and twin is not None:
            rule = "decimal must be another character than delimiter"
            raise InputError(rule, repr(mark), 'set data.delimiter, such as ";"')
    return replace(source, delimiter=str(marks["delimiter"]))


def encoding_of(first: bytes, source: Source) -> str:
    """Return how a file is encoded that begins so: a byte-order mark says it, else the source.

    Raises
    ------
    InputError
        If there is no such encoding of text.
    """
    marked = next((name for mark, name in _MARKS if first.startswith(mark)), None)
    name = marked or source.encoding
    try:
        " ".encode(name)
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        rule = "encoding must be one of text that Python knows, such as utf-8, latin-1 or cp1252"
        raise InputError(rule, shown(name), "correct data.encoding") from None
    return "utf-8" if found in ("utf-8", "utf-8-sig", "ascii") else found


def without_comments(source: Source) -> Callable[[bytes], bytes]:
    r"""Return what takes comments out of rows: from their mark, outside quotes, to the line's end.

    >>> without_comments(Source("x", comment="#"))(b'1,"a#b" # c\n# d\n2,3\n')
    b'1,"a#b" \n\n2,3\n'
    """
    if source.comment is None:
        return lambda data: data
    spans = re.compile(quoted_or_comment(source))
    mark = source.comment.encode()

    def stripped(data: bytes) -> bytes:
        if mark not in data:
            return data
        return spans.sub(lambda found: b"" if found[0].startswith(mark) else found[0], data)

    return stripped


def quoted_or_comment(source: Source) -> bytes:
    """Return a pattern of what no line end and no mark counts in: quoted values, comments.

    Quotes count where a value begins with one, and doubled they are a part of it.
    """
    mark, between = (re.escape(one.encode()) for one in (source.quote, source.delimiter))
    quoted = rb"(?:\A|(?<=[\r\n])|(?<=%b))%b[^%b]*(?:%b%b[^%b]*)*(?:%b|\Z)"
    pattern = quoted % (between, mark, mark, mark, mark, mark, mark)
    comment = (
        b"" if source.comment is None else rb"|%b[^\r\n]*" % re.escape(source.comment.encode())
    )
    return pattern + comment
