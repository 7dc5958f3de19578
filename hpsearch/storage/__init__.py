"""What a run leaves on disk: its folder, its lock, its database, its log."""
