"""The finished data set as workers see it, and what was fitted on its training rows."""

__all__ = ["categories", "columns", "dataset", "encoder", "preprocessing", "target_scale"]
