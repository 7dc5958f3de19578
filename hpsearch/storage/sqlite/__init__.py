"""The search's SQLite file: opening it, and its rows as dataclasses."""

__all__ = ["database", "opening", "rows", "schema", "values"]
