"""The tables of a run as pandas has them, and what follows from them without training."""

__all__ = ["failures", "finalists", "stage_verdicts", "tables"]
