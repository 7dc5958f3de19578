"""Weights of classes in the loss, against imbalance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.data.dataset import Dataset
from workers.errors import InputError
from workers.nn.spec import NetworkSpec

Weights = NDArray[np.float32]


def row_weights(spec: NetworkSpec, splits: Sequence[Dataset]) -> list[Weights] | None:
    """Return what the training rows of each split weigh ``(rows,)``, None if all weigh 1.

    That is what they weigh in the data times what their class does.
    """
    found: list[Weights] = []
    for data in splits:
        by_class = class_weights(spec, data.classes, data.y_train)
        if by_class is not None:
            weights = by_class[data.y_train]
            found.append(weights if data.weights is None else weights * data.weights)
        elif data.weights is not None:
            found.append(data.weights)
    return found or None


def class_weights(spec: NetworkSpec, classes: tuple[str, ...], y: NDArray[Any]) -> Weights | None:
    """Return what classes weigh ``(classes,)``, where training rows are of classes ``y``.

    Balanced classes weigh ``rows/(classes*rows of the class)``, as in scikit-learn: the mean over
    the rows is 1, and each class has the same sum.

    Raises
    ------
    InputError
        If there is no such class, or none that weighs anything.
    """
    given = spec.class_weight
    if given == "none":
        return None
    if given == "balanced" and classes:
        counts = np.bincount(y, minlength=len(classes))
        return (len(y) / (len(classes) * np.maximum(counts, 1))).astype(np.float32)
    named = {} if given == "balanced" else dict(given)
    unknown = [name for name in named if name not in classes]
    if unknown or not classes:
        raise InputError(
            "class_weight must name classes of the target",
            repr(unknown[0]) if classes else "a regression",
            f"choose among {', '.join(classes[:12])}" if classes else "leave it out",
        )
    weights = np.array([named.get(name, 1.0) for name in classes], np.float32)
    if not weights.any():
        raise InputError("a class must weigh more than 0", "0 for all", "raise class_weight")
    return weights
