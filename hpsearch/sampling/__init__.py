"""Samplers, pruners and studies: the only place with Optuna."""

__all__ = ["pruners", "samplers", "studies"]
