"""A stack in training: its epochs, its updates, and what it carries from one to the next."""

__all__ = ["lbfgs", "learner", "state", "updates"]
