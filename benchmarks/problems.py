"""The problems that all contenders train: shapes, data, first weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.initializers import initial
from workers.nn.layout import Layout, layout, views
from workers.nn.spec import NetworkSpec

LEARNING_RATE = {"momentum": 1e-2, "adam": 1e-3}
MOMENTUM, L2 = 0.9, 1e-4
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Weights = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Problem:
    """A network, how it is trained, and on how many rows: ``steps`` batches an epoch.

    ``members`` networks train at once where the contender can. ``options`` are further
    fields of the network's spec and, like ``ema_decay``, ``evaluate`` (a validation set of
    a quarter of the rows is scored after each epoch) and ``diagnostics`` (which look at the
    layers in that, too), for hpsearch alone.
    """

    features: int
    hidden: tuple[int, ...]
    classes: int
    batch: int
    members: int = 1
    optimizer: str = "momentum"
    steps: int = 100
    options: Mapping[str, Any] = field(default_factory=dict)
    ema_decay: float = 0.0
    evaluate: bool = False
    diagnostics: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.features, *self.hidden, self.classes)

    @property
    def rows(self) -> int:
        return self.steps * self.batch

    @property
    def learning_rate(self) -> float:
        return LEARNING_RATE[self.optimizer]

    @property
    def spec(self) -> NetworkSpec:
        return NetworkSpec(
            hidden=self.hidden,
            optimizer=self.optimizer,
            batch_size=self.batch,
            learning_rate=self.learning_rate,
            momentum=MOMENTUM,
            beta1=BETA1,
            beta2=BETA2,
            epsilon=EPSILON,
            l2=L2,
            **self.options,
        )

    @property
    def layout(self) -> Layout:
        return layout(self.spec, features=self.features, scores=self.classes)

    def data(self) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs, classes that depend on them, and the order of an epoch's rows."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.rows, self.features), np.float32)
        y = (x @ rng.standard_normal((self.features, self.classes), np.float32)).argmax(axis=1)
        return x, y.astype(np.int64), rng.permutation(self.rows)

    def generators(self) -> list[np.random.Generator]:
        return [np.random.default_rng(1 + member) for member in range(self.members)]

    def weights(self, member: int = 0) -> Weights:
        """Return the weights ``(inputs, units)`` and biases with which hpsearch starts."""
        plan = self.layout
        row = initial(self.spec, plan, rng=self.generators()[member]).astype(np.float32)
        return [
            (np.ascontiguousarray(views(row[np.newaxis], w)), row[b.start : b.stop])
            for w, b in zip(plan.weights, plan.biases, strict=True)
        ]


@dataclass(frozen=True)
class Bar:
    """A line of the table: its problem and PyTorch's time over ours to reach."""

    name: str
    problem: Problem
    momentum: float
    adam: float


BARS = (
    Bar("64-50-10, 32, alone", Problem(64, (50,), 10, 32), 17, 13),
    Bar("64-50-10, 32, pack of 16", Problem(64, (50,), 10, 32, 16), 36, 30),
    Bar("20-32-16-10, 16, pack of 64", Problem(20, (32, 16), 10, 16, 64), 95, 85),
    Bar("16-100-26, 32, pack of 16", Problem(16, (100,), 26, 32, 16), 22, 16),
    Bar("784-100-10, 100", Problem(784, (100,), 10, 100, steps=60), 2.5, 2.5),
    Bar("784-256-128-10, 128", Problem(784, (256, 128), 10, 128, steps=40), 1.7, 1.45),
    Bar("784-(10 x 128)-10, 64", Problem(784, (128,) * 10, 10, 64, steps=60), 2.4, 2.3),
    Bar("3072-512-256-10, 256", Problem(3072, (512, 256), 10, 256, steps=20), 1.0, 0.95),
)
