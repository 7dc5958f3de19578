"""Charts as inline SVG: a frame of two axes, and lines and bands within it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hpsearch.charts.axes import Axis
from hpsearch.charts.marks import stage_class
from hpsearch.charts.markup import Child, Markup, cut, join, tag

ROW: Final = 13
"""The room that one band takes below a plot, in the chart's units."""

_FOOT: Final = 40
_LETTER: Final = 6.2


@dataclass(frozen=True)
class Frame:
    """Two axes and where they are drawn; ``bands`` is how many have room below the plot."""

    x: Axis
    y: Axis
    width: float = 480
    height: float = 290
    left: float = 62
    bands: int = 0

    @property
    def right(self) -> float:
        """The plot's right end."""
        return self.width - 14

    @property
    def top(self) -> float:
        """The plot's upper end."""
        return 26

    @property
    def bottom(self) -> float:
        """The plot's lower end."""
        return self.height - _FOOT - self.bands * ROW - 4 * bool(self.bands)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pair of values lies in the chart's units."""
        return self.across(x), self.bottom - self.y.place(y) * (self.bottom - self.top)

    def across(self, x: float) -> float:
        """Return where a value lies from left to right."""
        return self.left + self.x.place(x) * (self.right - self.left)

    def draw(self, *layers: Markup, label: str) -> Markup:
        """Return the chart; ``label`` says what it shows to who can't see it."""
        box = f"0 0 {self.width:g} {self.height:g}"
        return tag("svg", _grid(self), *layers, viewBox=box, role="img", aria_label=label)


def line(frame: Frame, pairs: Iterable[tuple[float, float]], *, kind: str, title: str) -> Markup:
    """Return a line through pairs of values, broken where one is not finite."""
    words, pen = [], "M"
    for x, y in pairs:
        if math.isfinite(x) and math.isfinite(y):
            across, down = frame.at(x, y)
            words.append(f"{pen}{across:.1f} {down:.1f}")
            pen = "L"
        else:
            pen = "M"
    return tag("g", tag("path", tag("title", title), d="".join(words)), class_=f"line {kind}")


def band(frame: Frame, low: float, high: float, *, row: int, stage: int, name: str) -> Markup:
    """Return a stage's range: a tint over the plot, and a bar with its name below it."""
    left, right = frame.across(low), frame.across(high)
    style, y = stage_class(stage), frame.bottom + 6 + ROW * row
    place = {"x": f"{left:.1f}", "width": f"{max(right - left, 2):.1f}"}
    tint = _box(frame.top, frame.bottom - frame.top, f"tint {style}", **place)
    bar = _box(y, 6, f"bar {style}", **place)
    return join(
        [tint, tag("g", tag("title", name), bar), _text(name, frame.left - 6, y + 6, "end", 60)]
    )


def rule(frame: Frame, x: float, name: str) -> Markup:
    """Return a vertical line with a name beside it, where something begins."""
    across = frame.across(x)
    word = _text(name, across + 4, frame.top - 3, "start", frame.right - across)
    return join([_line(across, frame.top, across, frame.bottom, style="rule"), word])


def _box(y: float, height: float, style: str, **place: Child) -> Markup:
    return tag("rect", y=f"{y:.1f}", height=f"{height:.1f}", class_=style, **place)


def _grid(frame: Frame) -> Markup:
    """Return the plot's ground, its grid lines with their values, and the axes' titles."""
    width, foot, parts = frame.right - frame.left, frame.height - _FOOT, []
    for value, label in frame.y.ticks:
        y = frame.bottom - frame.y.place(value) * (frame.bottom - frame.top)
        parts.append(_line(frame.left, y, frame.right, y))
        parts.append(_text(label, frame.left - 6, y + 3.5, "end", frame.left))
    for value, label in frame.x.ticks:
        x = frame.across(value)
        parts.append(_line(x, frame.top, x, foot))
        parts.append(_text(label, x, foot + 15, "middle", width / len(frame.x.ticks)))
    titles = [
        _text(frame.y.title, 4, 11, "title start"),
        _text(frame.x.title, frame.left + width / 2, frame.height - 7, "title middle"),
    ]
    place = {"x": f"{frame.left:.1f}", "width": f"{width:.1f}"}
    return join([_box(frame.top, frame.bottom - frame.top, "ground", **place), *parts, *titles])


def _line(x1: float, y1: float, x2: float, y2: float, *, style: str = "grid") -> Markup:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    return tag("line", class_=style, **ends)


def _text(label: str, x: float, y: float, style: str, room: float = 420) -> Markup:
    short = cut(label, max(3, int(room / _LETTER)))
    title = tag("title", label) if short != label else None
    return tag("text", title, short, x=f"{x:.1f}", y=f"{y:.1f}", class_=style)
