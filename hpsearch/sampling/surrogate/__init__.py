"""A Gaussian process of how scores follow from params and epochs, and what it proposes."""

__all__ = ["model"]
