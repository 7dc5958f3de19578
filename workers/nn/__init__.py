"""Stacked NumPy networks: knows NumPy and Numba, and nothing of searches, files or Ray."""
