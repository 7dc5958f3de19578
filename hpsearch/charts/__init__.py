"""Charts as inline SVG: axes, marks, frames, and markup that stays text."""

__all__ = ["axes", "frame", "marks", "markup"]
