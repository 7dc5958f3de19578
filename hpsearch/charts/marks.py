"""What stands for trials in charts and their legends: shapes and colours by stage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hpsearch.charts.markup import Markup, cut, join, tag

SHAPES: Final = (
    "m-3.3 0a3.3 3.3 0 1 0 6.6 0a3.3 3.3 0 1 0-6.6 0z",
    "m-3-3h6v6h-6z",
    "m0-4.2l4 7.2h-8z",
    "m0-4.3l4.3 4.3-4.3 4.3-4.3-4.3z",
)
"""The marks of the first stages, so that they are told apart without their colours."""

COLOURS: Final = 6
"""How many colours the style has; later stages begin again with other shapes."""

_CROSS: Final = "m-3-3l6 6m0-6l-6 6"
_RING: Final = "m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0z"


@dataclass(frozen=True, slots=True)
class Mark:
    """A point at ``(x, y)`` in the chart's units, of a ``stage`` by its index.

    ``faint`` is for what ended early.
    """

    x: float
    y: float
    stage: int
    title: str
    faint: bool = False


def points(marks: Iterable[Mark]) -> Markup:
    """Return points, each in its stage's colour and shape, with its title as tooltip."""
    groups: dict[str, list[Markup]] = {}
    for mark in marks:
        style = stage_class(mark.stage) + " faint" * mark.faint
        groups.setdefault(style, []).append(_path(mark, _shape(mark.stage)))
    return join(tag("g", *paths, class_=style) for style, paths in groups.items())


def crosses(marks: Iterable[Mark]) -> Markup:
    """Return points as crosses, for what failed."""
    return tag("g", *(_path(mark, _CROSS) for mark in marks), class_="failed")


def ring(mark: Mark) -> Markup:
    """Return a ring around a point, with its title as tooltip."""
    return tag("g", _path(mark, _RING), class_="best")


def thinned(marks: Sequence[Mark], limit: int) -> list[Mark]:
    """Return at most ``limit`` marks, those that come first being preferred.

    Of marks of one stage that lie in one cell of a grid the first stays; the grid is made
    coarser until few enough are left, so that what is crowded is thinned and what stands
    apart stays.
    """
    size, kept = 1.0, list(marks)
    while len(kept) > limit and size < 1e3:
        size *= 1.3
        cells: dict[tuple[int, int, int], Mark] = {}
        for mark in marks:
            cells.setdefault((mark.stage, round(mark.x / size), round(mark.y / size)), mark)
        kept = list(cells.values())
    return kept[:limit]


def stage_class(stage: int) -> str:
    """Return the style's class for a stage's colour."""
    return f"s{stage % COLOURS}"


def legend(entries: Iterable[tuple[str, str, str]]) -> Markup:
    """Return a legend; an entry is a style's class, a path, and its name."""
    items = (
        tag("span", _swatch(style, d), cut(name, 40), class_="key") for style, d, name in entries
    )
    return tag("p", *items, class_="legend")


def stage_entries(
    names: Sequence[str], *, pruned: bool, failed: bool
) -> list[tuple[str, str, str]]:
    """Return the entries of a legend of stages, and of what else is drawn."""
    entries = [(stage_class(i), f"M12 6{_shape(i)}", name) for i, name in enumerate(names)]
    entries += [("best", f"M12 6{_RING}", "best trial")]
    entries += [("s0 faint", f"M12 6{_shape(0)}", "pruned trial")] * pruned
    return entries + [("failed", f"M12 6{_CROSS}", "failed trial")] * failed


def _shape(stage: int) -> str:
    return SHAPES[stage % len(SHAPES)]


def _swatch(style: str, d: str) -> Markup:
    drawing = tag("g", tag("path", d=d), class_=style)
    box = {"viewBox": "-3 -3 30 18", "width": "30", "height": "18", "aria_hidden": "true"}
    return tag("svg", drawing, class_="swatch", **box)


def _path(mark: Mark, shape: str) -> Markup:
    return tag("path", tag("title", mark.title), d=f"M{mark.x:.1f} {mark.y:.1f}{shape}")
