"""The networks of one trial, one for each split: who trains with whom, metrics, arrays."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.data.dataset import Dataset
from workers.errors import CheckpointError
from workers.nn.network.stack import plan
from workers.nn.spec import NetworkSpec

MOST: Final = 100
"""How many splits a search may have."""

STACKED: Final = 80_000
"""Parameters of the largest networks whose splits train together; of larger ones, one fills
the cache alone (see benchmarks/README.md)."""

Arrays = Mapping[str, NDArray[Any]]

_PREFIX = "split"


def stacks(data: Dataset, spec: NetworkSpec) -> list[list[int]]:
    """Return the splits' numbers, in lists of those whose networks train as one stack.

    These have equally many rows and features, tables of equal size, and networks of at most
    `STACKED` parameters.
    """
    groups: dict[Any, list[int]] = {}
    for number, split in enumerate(data.splits):
        inputs: Any = {"features": split.features, "lookups": split.lookups}
        size = plan([spec], **inputs, outputs=data.outputs).size
        alone = number if size > STACKED else None
        shape = (split.x_train.shape, split.x_validation.shape, split.lookups, alone)
        groups.setdefault(shape, []).append(number)
    return list(groups.values())


def combine(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over the splits, and how validation varies.

    ``val_loss_std`` is the standard deviation of ``val_loss`` (divisor splits - 1), and so
    for each metric of the validation rows. A single split has none.

    >>> combine([{"train_loss": 1.0, "val_loss": 2.0}, {"train_loss": 3.0, "val_loss": 4.0}])
    {'train_loss': 2.0, 'val_loss': 3.0, 'val_loss_std': 1.4142135623730951}
    """
    if len(metrics) == 1:
        return dict(metrics[0])
    values = {name: np.array([one[name] for one in metrics]) for name in metrics[0]}
    validation = [name for name in values if name.removeprefix("ema_").startswith("val_")]
    with np.errstate(all="ignore"):
        means = {name: float(all_of.mean()) for name, all_of in values.items()}
        return means | {f"{name}_std": float(values[name].std(ddof=1)) for name in validation}


def join(networks: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
    """Return the arrays of all networks under names of their own.

    ``parameters`` becomes ``split.0.parameters``, ``split.1.parameters``, ...; the arrays of
    a single network keep their names.

    >>> sorted(join([{"a": np.zeros(1)}, {"a": np.ones(1)}]))
    ['split.0.a', 'split.1.a']
    """
    if len(networks) == 1:
        return dict(networks[0])
    return {
        f"{_PREFIX}.{number}.{name}": array
        for number, arrays in enumerate(networks)
        for name, array in arrays.items()
    }


def part(arrays: Arrays, count: Any) -> list[dict[str, NDArray[Any]]]:
    """Return each network's arrays under their own names: what :func:`join` was given.

    Raises
    ------
    CheckpointError
        If these are not the arrays of ``count`` networks.
    """
    if type(count) is not int or not 1 <= count <= MOST:
        raise CheckpointError(f"splits must be a number from 1 to {MOST}, got {count!r}")
    if count == 1:
        return [dict(arrays)]
    networks: list[dict[str, NDArray[Any]]] = [{} for _ in range(count)]
    numbers = {str(number): network for number, network in enumerate(networks)}
    for name, array in arrays.items():
        prefix, number, own = (*name.split(".", 2), "", "")[:3]
        if prefix != _PREFIX or number not in numbers or not own:
            raise CheckpointError(f"array {name[:60]} belongs to none of {count} splits")
        numbers[number][own] = array
    return networks
