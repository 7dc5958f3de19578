"""The sections of a config file, as frozen pydantic models.

Rules that concern one section live here; rules that join sections, and everything about reading
the file, live in `hpsearch.config`.
"""

__all__ = ["base", "data", "outputs", "pruners", "stages", "study"]
