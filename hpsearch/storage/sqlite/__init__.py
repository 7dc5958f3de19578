"""The search's SQLite file: opening it, and its rows as dataclasses."""
