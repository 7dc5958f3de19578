"""Who trains. A module's ``prepare(problem)`` returns what trains one epoch.

That function returns the mean data loss of the epoch, of the first member if there are
several; the floor, which has none, returns None. Modules import their library on their
own import, so that a missing one is no one else's trouble.
"""

from collections.abc import Callable
from importlib.util import find_spec

from problems import Problem

Epoch = Callable[[], float | None]
Prepare = Callable[[Problem], Epoch]

OURS, TORCH, FLOOR = "hpsearch", "pytorch", "products"

MODULES = {
    OURS: ("contenders.ours", "numpy"),
    TORCH: ("contenders.eager_torch", "torch"),
    "compiled": ("contenders.compiled_torch", "torch"),
    "jax": ("contenders.jax_scan", "jax"),
    "sklearn": ("contenders.sklearn_mlp", "sklearn"),
    FLOOR: ("contenders.products", "numpy"),
}
"""Module and the library that it needs, by name."""


def available(name: str) -> bool:
    return find_spec(MODULES[name][1]) is not None
