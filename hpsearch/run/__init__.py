"""One run from its config to its summary."""

__all__ = ["master", "preflight", "session", "signals", "summary", "warm_start"]
