"""Ray clusters and machines: where they are, what they have, and how they are left."""

__all__ = [
    "addresses",
    "discovery",
    "heartbeat",
    "local_cluster",
    "machine",
    "nodes",
    "ray_internals",
    "stderr",
]
