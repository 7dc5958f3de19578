"""Whether networks compute what they should: gradients, precision, and the notes' sanity checks."""

__all__ = ["gradient_check", "precision_check", "sanity_check"]
