"""Checkpoint files: whole or not there, and believed only as far as they are checked."""

__all__ = ["atomic_files", "checkpoint_files", "failpoints", "tensors"]
