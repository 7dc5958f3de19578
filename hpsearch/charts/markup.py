"""HTML and SVG as text in which nothing is markup but what this module wrote."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias, final

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, overrides of the direction of writing, halves of a character."""

VOID: Final = frozenset({"meta", "br", "hr"})
"""Elements without content."""


@final
class Markup(str):
    """Text that is HTML already; only `tag`, `join` and `literal` make it."""

    __slots__ = ()


Child: TypeAlias = str | float | None
"""What an element holds: Markup as it is, other text escaped, None left out."""


def escape(value: object) -> Markup:
    """Return a value as text that is safe in an element and in a quoted attribute.

    >>> escape('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_HIDDEN.sub("\ufffd", str(value))))


def cut(value: object, length: int) -> str:
    """Return a value's text, shortened to ``length`` characters.

    >>> cut("learning_rate", 8)
    'learnin…'
    """
    text = str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def tag(name: str, /, *children: Child, **attributes: Child) -> Markup:
    """Return an element, closed as XML wants it, so that either parser reads the page.

    ``class_`` stands for ``class`` and ``stroke_width`` for ``stroke-width``; an attribute
    that is None is left out.

    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(children: Iterable[Child], separator: str = "") -> Markup:
    """Return children one after the other, what is no Markup escaped."""
    return Markup(escape(separator).join(escape(child) for child in children if child is not None))


def literal(text: str) -> Markup:
    """Return a constant of the program as Markup; never for what comes from a run."""
    return Markup(text)


def table(
    headings: Sequence[Child], rows: Iterable[Sequence[Child]], *, text_columns: int = 1
) -> Markup:
    """Return a table whose first ``text_columns`` are set left and the others right."""
    sides = ["left" if column < text_columns else None for column in range(len(headings))]
    head = [tag("th", h, scope="col", class_=s) for h, s in zip(headings, sides, strict=True)]
    body = [
        tag("tr", *(tag("td", c, class_=s) for c, s in zip(row, sides, strict=True)))
        for row in rows
    ]
    whole = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", whole, class_="scroll")
