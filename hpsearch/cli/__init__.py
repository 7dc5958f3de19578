"""The command line: its commands, the live view, and what is printed."""

__all__ = ["main"]
