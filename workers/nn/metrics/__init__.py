"""Metrics: functions of predictions and what was wanted; of classes, of ranks, of targets."""

__all__ = ["metrics"]
