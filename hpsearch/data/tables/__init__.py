"""Named columns of any kind to raw rows, and what all readers share."""

__all__ = ["columns", "dialect", "kinds", "numbers", "raw_table"]
