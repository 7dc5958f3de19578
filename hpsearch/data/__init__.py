"""From a source's rows to labelled splits, preprocessed for training."""
