"""Ray clusters and machines: where they are, what they have, and how they are left."""
