"""From a source's rows to labelled splits, preprocessed for training."""

__all__ = ["datasets", "encoding", "label_types", "old_digest", "rows"]
