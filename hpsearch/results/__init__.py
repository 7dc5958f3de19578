"""The tables of a run as pandas has them, and what follows from them without training."""
