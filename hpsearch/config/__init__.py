"""From a config file to a checked `SearchConfig`: sections, rules, and errors in one line."""

__all__ = [
    "auto_epochs",
    "auto_sampler",
    "choices",
    "documents",
    "lint",
    "loading",
    "network",
    "search_config",
    "target_warnings",
]
