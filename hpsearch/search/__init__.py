"""The master's logic as a state machine without I/O: what to train, on whom, and until when."""

__all__ = ["events", "progress", "search", "stage_sequence", "trials"]
