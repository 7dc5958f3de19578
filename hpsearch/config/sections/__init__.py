"""The sections of a config file, as frozen pydantic models."""
