"""Where packs are trained: in this process or on Ray, and when a worker counts as lost."""

__all__ = ["backend", "executors"]
