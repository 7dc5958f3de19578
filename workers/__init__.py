"""What a cluster node needs to train networks for a search; knows nothing of the master."""

__all__ = ["arithmetic", "errors", "messages", "seeds"]
