"""Whether networks compute what they should: gradients, precision, and the notes' sanity checks."""
