"""From one stage's results to the next stage's ranges, and whether its ranks can be believed."""
