"""Trained models: one that predicts, which of them are averaged, and their predictions as files."""

__all__ = ["ensemble", "fitted_network", "metrics", "model", "prediction", "run_ensembles"]
