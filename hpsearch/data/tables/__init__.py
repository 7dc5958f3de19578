"""Named columns of any kind to raw rows, and what all readers share."""

__all__ = ["columns", "kinds", "raw_table"]
