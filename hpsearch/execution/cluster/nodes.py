"""What the nodes of a Ray cluster have to train with, as ``ray.nodes`` lists them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from hpsearch.execution.cluster.machine import Memory

_MEMORY = ("memory", "object_store_memory")


def cpus(nodes: Iterable[Mapping[str, Any]]) -> int:
    """Return how many workers of one CPU fit, at least 1.

    >>> cpus([{"Alive": True, "Resources": {"CPU": 2.5}}, {"Alive": True, "Resources": {}}])
    2
    """
    return max(1, sum(int(resources.get("CPU", 0)) for resources in _alive(nodes)))


def least_memory(nodes: Iterable[Mapping[str, Any]]) -> Memory:
    """Return the memory of the smallest node that can hold a worker of one CPU.

    What Ray counts, of both kinds together: what was available when the node started, unless
    its owner told Ray otherwise. Infinite if there is no such node: they may come on demand.
    """
    able = [resources for resources in _alive(nodes) if resources.get("CPU", 0) >= 1]
    found = [sum(resources.get(kind, 0) for kind in _MEMORY) for resources in able]
    return Memory(min(found, default=math.inf), "on the cluster's smallest node")


def _alive(nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, float]]:
    return [node["Resources"] for node in nodes if node["Alive"]]
