"""The search space: its dimensions, their scales, and all points of a finite one."""

__all__ = ["dimensions", "grid", "scales", "space", "strict_model"]
