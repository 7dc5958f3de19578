"""Samplers, pruners and studies: the only place with Optuna."""
