"""The search space: its dimensions, their scales, and all points of a finite one."""
