"""A pack of trials trained as one stack, an epoch at a time, and the Ray actor that does it."""

__all__ = ["actor", "blas", "class_weights", "cross_validation", "early_stopping", "train"]
