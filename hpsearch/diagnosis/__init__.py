"""Training read as the CS231n notes read it: learning curves and layers, in words."""

__all__ = ["layers", "learning_curves"]
