"""The finished data set as workers see it, and what was fitted on its training rows."""

__all__ = ["dataset", "preprocessing", "target_scale"]
