"""Trained models: one that predicts, which of them are averaged, and their predictions as files."""
