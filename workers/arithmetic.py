"""The generation of the arithmetic: what decides whether two versions train to the same bits."""

from typing import Final

GENERATION: Final = 2
"""Goes up by one whenever the same config, data and seed come to other numbers than before.

A run that is not finished goes on under the generation that it began with only, so that its
table is that of an uninterrupted run; what it has is read and predicted with by every later one.
"""

VERSIONS: Final = {1: "0.1", 2: "0.2"}
"""The versions of hpsearch that train under each generation."""
