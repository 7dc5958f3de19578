"""Checkpoint files: whole or not there, and believed only as far as they are checked."""
