"""What networks are scored on after each epoch: all validation rows, and training rows."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from workers import seeds
from workers.data.dataset import Dataset
from workers.nn.network.diagnostics import Probe
from workers.nn.training.learner import Learner
from workers.seeds import Purpose

Metrics = dict[str, float]

ENOUGH: Final = 512
"""So many training rows are scored at least, if there are as many."""


COPIED: Final = 1 << 24
"""Training rows of so many bytes are copied to be scored, more are gathered batch by batch."""


def sample(data: Dataset, *, seed: int, split: int = 0) -> NDArray[np.int64] | None:
    """Return which training rows of a split are scored, in ascending order; None stands for all.

    They are as many as validate, at least `ENOUGH`, and drawn without replacement: in
    classification each class has its share of them, to less than one row. The same for all
    trials and epochs, since they depend on the search's seed, the rows and the split only.
    """
    rows = data.rows
    count = max(ENOUGH, len(data.x_validation))
    if rows <= count:
        return None
    rng = seeds.generator(seed, Purpose.SCORE, split=split)
    order = rng.permutation(rows)
    if data.classes:
        order = order[np.argsort(data.y_train[order], kind="stable")]
    # Every (rows / count)th of the rows, class by class, from a random one of the first.
    places = (np.arange(count) * rows + rng.integers(rows)) // count
    return np.sort(order[places])


class _Chosen:
    """Rows of a matrix, gathered when they are asked for: no copy of what workers share."""

    def __init__(self, matrix: NDArray[Any], rows: NDArray[np.int64]) -> None:
        self._matrix, self._rows = matrix, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice) -> NDArray[Any]:
        return np.asarray(self._matrix[self._rows[part]])


def _chosen(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return rows as an array, or as what is sliced like one where they are large."""
    size = array[:1].nbytes * len(rows)
    return array[rows] if size <= COPIED else cast(NDArray[Any], _Chosen(array, rows))


class Scoring:
    """Scores the networks of splits of equal shape, as one stack.

    Parameters
    ----------
    splits
        Their data.
    numbers
        Their numbers among all splits.
    seed, pursued
        The search's, and its metric, which is told beside the usual ones.
    """

    def __init__(
        self, splits: Sequence[Dataset], numbers: Sequence[int], *, seed: int, pursued: str
    ) -> None:
        self._pursued = pursued
        self._units = [s.target_scale.deviation for s in splits if s.target_scale] or None
        self._validation = [s.x_validation for s in splits], [s.y_validation for s in splits]
        self._training: tuple[list[NDArray[Any]], list[NDArray[Any]]] = [], []
        for split, number in zip(splits, numbers, strict=True):
            rows = sample(split, seed=seed, split=number)
            for into, array in zip(self._training, (split.x_train, split.y_train), strict=True):
                into.append(array if rows is None else _chosen(array, rows))

    def metrics(
        self, learner: Learner, *, averaging: Sequence[bool], probe: Probe | None
    ) -> list[Metrics]:
        """Return each member's metrics by name, but for ``train_loss``, which training tells.

        Parameters
        ----------
        learner
            The stack.
        averaging
            Whose averaged parameters are scored too.
        probe
            What watches the layers on the validation rows.
        """
        score = partial(learner.evaluate, units=self._units, pursued=self._pursued)
        seen, raw = score(*self._training), score(*self._validation, probe=probe)
        smooth: list[Metrics] = [{} for _ in raw]
        if any(averaging):
            scored = score(*self._validation, averaged=True)
            smooth = [s if wanted else {} for s, wanted in zip(scored, averaging, strict=True)]
        return [
            {f"train_{name}": value for name, value in fit.items() if name != "loss"}
            | {f"val_{name}": value for name, value in plain.items()}
            | {f"ema_val_{name}": value for name, value in averaged.items()}
            for fit, plain, averaged in zip(seen, raw, smooth, strict=True)
        ]
