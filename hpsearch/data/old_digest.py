"""The digest of data as versions before 0.2 had it, so that their runs know theirs again."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workers.data import target_scale
from workers.data.dataset import Dataset

if TYPE_CHECKING:
    from hpsearch.data.datasets import Split


def digest_of_before(split: "Split") -> str:
    """Return what ``split.digest`` was where targets were rounded to 32 bits when they were read.

    So they were a regression's; classes have the digest that they had.
    """
    if split.dataset.task != "regression":
        return split.digest
    ends = np.cumsum([len(x) for x in split.x_validation])[:-1]
    targets = list(zip(split.y_train, np.split(split.y_validation, ends), strict=True))

    def before(dataset: Dataset) -> Dataset:
        parts = [_rounded(p, *y) for p, y in zip(dataset.splits, targets, strict=True)]
        others = {chain: before(other) for chain, other in dataset.alternatives.items()}
        return replace(parts[0], further=tuple(parts[1:]), alternatives=others)

    y_test = None if split.y_test is None else split.y_test.astype(np.float32)
    return replace(split, dataset=before(split.dataset), y_test=y_test).digest


def _rounded(part: Dataset, train: NDArray[Any], validation: NDArray[Any]) -> Dataset:
    y = [targets.astype(np.float32) for targets in (train, validation)]
    scale = target_scale.fit(y[0]) if part.target_scale else None
    y_train, y_validation = [scale.apply(targets) for targets in y] if scale else y
    return replace(part, y_train=y_train, y_validation=y_validation, target_scale=scale, further=())
