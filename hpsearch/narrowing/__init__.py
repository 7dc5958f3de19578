"""From one stage's results to the next stage's ranges, and whether its ranks can be believed."""

__all__ = ["narrow", "rank_agreement", "stage_length", "verdicts"]
