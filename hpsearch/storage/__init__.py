"""What a run leaves on disk: its folder, its lock, its database, its log."""

__all__ = ["data_sources", "folder", "locks", "run_log", "store"]
