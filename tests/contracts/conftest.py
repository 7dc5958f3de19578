"""A small data set for every task, and learners on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.nn.families.losses import LOSSES
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

ROWS, FEATURES = 50, 7


@dataclass(frozen=True)
class Bench:
    """Trains members by number; the same number always means the same randomness."""

    specs: Sequence[NetworkSpec]
    epochs: int = 4
    ema_decay: float = 0.9
    dtype: type = np.float32

    @property
    def outputs(self) -> int:
        loss = LOSSES[self.specs[0].loss]
        return 2 if loss.one_score or loss.task == "regression" else 3

    @property
    def x(self) -> NDArray[Any]:
        return np.random.default_rng(1).standard_normal((ROWS, FEATURES)).astype(self.dtype)

    @property
    def y(self) -> NDArray[Any]:
        if LOSSES[self.specs[0].loss].task == "regression":
            return np.stack([self.x[:, 0] * 2 + 1, self.x[:, 1] * self.x[:, 2]], axis=1)
        return np.random.default_rng(2).integers(0, self.outputs, ROWS)

    def learner(self, members: Sequence[int]) -> Learner:
        return Learner(
            [self.specs[member] for member in members],
            features=FEATURES,
            outputs=self.outputs,
            epochs=self.epochs,
            rows=ROWS,
            ema_decay=self.ema_decay,
            initial=[np.random.default_rng(member) for member in members],
            dtype=self.dtype,
        )

    def train(self, learner: Learner, members: Sequence[int], first: int, last: int) -> Learner:
        for epoch in range(first, last + 1):
            learner.run_epoch(
                self.x,
                self.y,
                order=np.random.default_rng(epoch).permutation(ROWS),
                epoch=epoch,
                dropout_keys=[1000 * member + epoch for member in members],
            )
            losses = [values["loss"] for values in learner.evaluate(self.x, self.y)]
            learner.observe(-np.array(losses))
        return learner


@pytest.fixture
def bench() -> type[Bench]:
    return Bench
