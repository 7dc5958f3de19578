"""Looking vectors up is the product of a one-hot matrix and a table, whatever is around it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from workers.nn.checks.gradient_check import check_gradients
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.layout import Lookup, layout, views
from workers.nn.network import lookup
from workers.nn.network.evaluation import predict
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

LOOKUPS = (Lookup(5), Lookup(7, columns=2))
"""Of the six inputs below the last three are codes, two of which share a table."""

RNG = np.random.default_rng(0)
ROWS = 30
X = np.hstack([RNG.normal(size=(ROWS, 3)), RNG.integers(-1, [5, 7, 7], (ROWS, 3))])
Y = RNG.integers(3, size=ROWS)

OPTIONS: list[dict[str, Any]] = [
    {"l2": 0.05, "l1": 0.01},
    {"clip_norm": 0.1, "l2": 0.05},
    {"max_norm": 0.5},
    {"input_dropout": 0.4, "dropout": 0.3},
    {"batch_normalization": True, "swa_fraction": 0.5},
    {"fan_in_scaling": True, "label_smoothing": 0.1, "schedule": "cosine"},
    {"hidden": ()},
    {"activation": "maxout", "momentum_start": 0.5, "initializer": "normal"},
    {"batch_size": "full", "weight_decay": 0.1},
]


def learner(
    *specs: NetworkSpec, seeds: tuple[int, ...] = (0,), dtype: Any = np.float64, splits: int = 1
) -> Learner:
    return Learner(
        specs,
        features=6,
        outputs=3,
        lookups=LOOKUPS,
        epochs=4,
        rows=ROWS,
        ema_decay=0.9,
        initial=[np.random.default_rng(seed) for seed in seeds],
        splits=splits,
        dtype=dtype,
    )


def train(net: Learner, keys: tuple[int, ...], x: Any = X, y: Any = Y) -> list[float]:
    losses = [0.0]
    for epoch in range(1, 4):
        order = np.random.default_rng(epoch).permutation(ROWS)
        rows = order if isinstance(x, np.ndarray) else np.array([order, ROWS - 1 - order])
        told = [key + epoch for key in keys]
        losses = net.run_epoch(x, y, order=rows, epoch=epoch, dropout_keys=told).tolist()
    return losses


def one_hot(inputs: np.ndarray, tables: np.ndarray) -> Iterator[tuple[np.ndarray, slice, slice]]:
    """Yield each column's one-hot rows, where its vectors lie and where its table does."""
    for column, (place, start, values, size) in enumerate(tables):
        codes = inputs[..., tables[0, 0] + column]
        hot = (codes[..., np.newaxis] == np.arange(values)).astype(float)
        yield hot, slice(place, place + size), slice(start, start + values * size)


def products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks multiply one-hot matrices, as the specification has it."""

    def gather(inputs: Any, rows: Any, tables: Any, out: Any) -> None:
        out[..., : tables[0, 0]] = inputs[..., : tables[0, 0]]
        for hot, into, table in one_hot(inputs, tables):
            vectors = rows[:, table].reshape(len(rows), hot.shape[-1], -1)
            out[..., into] = hot @ vectors

    def scatter(d: Any, inputs: Any, gradient: Any, tables: Any) -> None:
        first = tables[0, 0]
        for _, _, table in one_hot(inputs, tables):
            gradient[:, table] = 0
        for hot, into, table in one_hot(inputs, tables):
            part = np.swapaxes(hot, -1, -2) @ d[..., into.start - first : into.stop - first]
            gradient[:, table] += part.reshape(len(d), -1)

    monkeypatch.setattr(lookup, "gather", gather)
    monkeypatch.setattr(lookup, "scatter", scatter)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_is_the_one_hot_product_for_every_optimizer(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(NetworkSpec(hidden=(6,), optimizer=optimizer, batch_size=8, l2=0.01), monkeypatch)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
def test_it_is_the_one_hot_product_under_every_option(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain: dict[str, Any] = {"hidden": (6,), "optimizer": "adamw", "batch_size": 8}
    compare(NetworkSpec(**plain | options), monkeypatch)


def compare(spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = learner(spec, spec, seeds=(0, 1))
    losses = train(fast, (3, 4))
    products(monkeypatch)
    slow = learner(spec, spec, seeds=(0, 1))
    np.testing.assert_allclose(losses, train(slow, (3, 4)), rtol=1e-10)
    for member in (0, 1):
        for name, array in slow.state(member).items():
            found = fast.state(member)[name]
            np.testing.assert_allclose(found, array, rtol=1e-7, atol=1e-10, err_msg=name)
    for averaged in (False, True):
        found = fast.predict(X, averaged=averaged)
        np.testing.assert_allclose(found, slow.predict(X, averaged=averaged), rtol=1e-8)


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_tables_of_unit_vectors_are_the_one_hot_code_itself(hidden: tuple[int, ...]) -> None:
    values, x = 4, np.array([[0.5, 0], [1.5, 3], [-1, 2], [2, -1], [2, 4], [1, np.nan]])
    hot = np.hstack([x[:, :1], x[:, 1:] == np.arange(values)])
    spec = NetworkSpec(hidden=hidden, embedding_size=values)
    coded = layout(spec, features=2, scores=3, lookups=(Lookup(values),))
    dense = layout(spec, features=1 + values, scores=3)
    row = np.random.default_rng(1).normal(size=(1, coded.size))
    views(row, coded.tables[0])[...] = np.eye(values)
    shape: dict[str, Any] = {"outputs": 3}
    found = predict([spec], row, x, features=2, lookups=(Lookup(values),), **shape)
    expected = predict(
        [spec], row[:, coded.tables[0].stop :], hot, features=dense.features, **shape
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("options", [{"dropout": 0.3, "input_dropout": 0.2}, {"hidden": ()}])
def test_gradients_are_right(options: dict[str, Any]) -> None:
    spec = NetworkSpec(**{"hidden": (6,), "activation": "tanh", "l2": 0.1} | options)
    rng = np.random.default_rng(0)
    findings = check_gradients(spec, X, Y, outputs=3, lookups=LOOKUPS, rng=rng)
    assert {one.subject for one in findings} >= {"table.0", "table.1"}
    assert {one.verdict for one in findings} <= {"right", "acceptable"}


@pytest.mark.parametrize("hidden", [(), (6,), (40, 6)])
def test_a_member_learns_as_if_it_were_alone(hidden: tuple[int, ...]) -> None:
    specs = [
        NetworkSpec(hidden=hidden, batch_size=8, learning_rate=rate, input_dropout=drop)
        for rate, drop in ((0.1, 0.3), (0.01, 0.0), (0.3, 0.3), (0.2, 0.1))
    ]
    kind = np.float32
    together = learner(*specs, seeds=(0, 1, 2, 3), dtype=kind)
    train(together, (5, 6, 7, 8))
    apart = learner(*specs, seeds=(0, 1, 2, 3), dtype=kind, splits=2)
    train(apart, (5, 6, 7, 8), [X, X[::-1]], [Y, Y[::-1]])
    for member, spec in enumerate(specs):
        alone = learner(spec, seeds=(member,), dtype=kind)
        train(alone, (5 + member,))
        same(alone.state(0), together.state(member))
        same(alone.state(0), apart.state(member))


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in other.items()}


def test_vectors_begin_about_as_long_as_a_one_hot_row() -> None:
    spec = NetworkSpec(embedding_size=64)
    net = learner(spec)
    vectors = net.state(0)["parameters"][: 5 * 64].reshape(5, 64)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=0.3)
