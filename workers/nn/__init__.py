"""Stacked NumPy networks: knows NumPy and Numba, and nothing of searches, files or Ray."""

__all__ = ["jit", "kernel_cache", "layer_statistics", "layout", "spec"]
