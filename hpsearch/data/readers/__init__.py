"""Files of data and built-in sets to raw tables, a reader a format."""

__all__ = ["formats", "parquet_files"]
