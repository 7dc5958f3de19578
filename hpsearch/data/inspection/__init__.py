"""What a source is, before anything is trained on it: its columns, warnings, a config to begin."""

__all__ = ["initial_config", "inspection"]
