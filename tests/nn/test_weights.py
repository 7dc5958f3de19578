"""Rows that weigh more or less in the loss, whatever the loss and the optimizer."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from workers.nn.checks.gradient_check import check_gradients
from workers.nn.families.losses import LOSSES
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

RNG = np.random.default_rng(0)
ROWS = 40
X = RNG.normal(size=(ROWS, 5))
COUNTS = RNG.integers(0, 4, ROWS)


def targets(loss: str) -> tuple[np.ndarray, int]:
    """Return targets that fit a loss, and how many outputs they have."""
    if LOSSES[loss].task == "regression":
        return np.random.default_rng(1).normal(size=(ROWS, 2)), 2
    outputs = 2 if LOSSES[loss].one_score else 3
    return np.random.default_rng(1).integers(outputs, size=ROWS), outputs


def learner(
    *specs: NetworkSpec,
    outputs: int,
    weights: list[np.ndarray] | None,
    rows: int = ROWS,
    seeds: tuple[int, ...] = (0,),
    dtype: Any = np.float64,
) -> Learner:
    return Learner(
        specs,
        features=5,
        outputs=outputs,
        epochs=3,
        rows=rows,
        ema_decay=0.9,
        initial=[np.random.default_rng(seed) for seed in seeds],
        splits=len(weights or [0]),
        weights=weights,
        dtype=dtype,
    )


def train(net: Learner, x: Any, y: Any, keys: tuple[int, ...] = (0,)) -> list[float]:
    losses = [0.0]
    for epoch in range(1, 4):
        order = np.random.default_rng(epoch).permutation(len(x[0]) if len(x) == 2 else len(x))
        rows = np.array([order] * len(x)) if len(x) == 2 else order
        losses = net.run_epoch(x, y, order=rows, epoch=epoch, dropout_keys=keys).tolist()
    return losses


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_of_weight_two_is_there_twice(loss: str, optimizer: str) -> None:
    y, outputs = targets(loss)
    smoothing = 0.1 if LOSSES[loss].parameter == "label_smoothing" else 0.0
    spec = NetworkSpec(
        hidden=(4,),
        activation="tanh",
        loss=loss,
        label_smoothing=smoothing,
        optimizer=optimizer,
        batch_size="full",
        lbfgs_iterations=5,
        learning_rate=0.1,
        l2=0.01,
    )
    often = np.repeat(np.arange(ROWS), COUNTS)
    weighted = learner(spec, outputs=outputs, weights=[COUNTS * ROWS / len(often)])
    repeated = learner(spec, outputs=outputs, weights=None, rows=len(often))
    losses = train(weighted, X, y), train(repeated, X[often], y[often])
    np.testing.assert_allclose(*losses, rtol=1e-9)
    found, wanted = (net.state(0)["parameters"] for net in (weighted, repeated))
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_right(loss: str) -> None:
    y, outputs = targets(loss)
    smoothing = 0.1 if LOSSES[loss].parameter == "label_smoothing" else 0.0
    spec = NetworkSpec(hidden=(6,), activation="tanh", loss=loss, label_smoothing=smoothing)
    rng, weights = np.random.default_rng(0), RNG.exponential(size=ROWS)
    findings = check_gradients(spec, X, y, outputs=outputs, weights=weights, rng=rng)
    assert {one.verdict for one in findings} <= {"right", "acceptable"}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_member_learns_as_if_it_were_alone(loss: str) -> None:
    y, outputs = targets(loss)
    specs = [
        NetworkSpec(hidden=(6,), loss=loss, batch_size=16, learning_rate=rate, dropout=0.2)
        for rate in (0.1, 0.01, 0.03, 0.2)
    ]
    one, other = RNG.exponential(size=(2, ROWS)).astype(np.float32)
    both: dict[str, Any] = {"outputs": outputs, "dtype": np.float32}
    pack = learner(*specs, weights=[one, other], seeds=(0, 1, 2, 3), **both)
    train(pack, [X, X[::-1]], [y, y[::-1]], keys=(0, 1, 2, 3))
    for member, spec in enumerate(specs):
        weights, turn = ((one, 1), (other, -1))[member // 2]
        alone = learner(spec, weights=[weights], seeds=(member,), **both)
        train(alone, X[::turn], y[::turn], keys=(member,))
        states = alone.state(0), pack.state(member)
        assert [v.tobytes() for v in states[0].values()] == [
            v.tobytes() for v in states[1].values()
        ]


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_one_change_nothing_but_rounding(loss: str) -> None:
    y, outputs = targets(loss)
    smoothing = 0.1 if LOSSES[loss].parameter == "label_smoothing" else 0.0
    spec = NetworkSpec(hidden=(6,), loss=loss, batch_size=16, label_smoothing=smoothing)
    weighted, plain = (
        learner(spec, outputs=outputs, weights=weights) for weights in ([np.ones(ROWS)], None)
    )
    np.testing.assert_allclose(train(weighted, X, y), train(plain, X, y), rtol=1e-12)
    found, wanted = (net.state(0)["parameters"] for net in (weighted, plain))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_linear_network_is_scikit_learns_weighted_logistic_regression() -> None:
    y, outputs = targets("softmax")
    penalty = 0.05
    theirs = LogisticRegression(C=1 / (penalty * ROWS), tol=1e-10, max_iter=10_000)
    theirs.fit(X, y, sample_weight=COUNTS / COUNTS.mean())
    spec = NetworkSpec(
        hidden=(), optimizer="lbfgs", batch_size="full", l2=penalty, lbfgs_iterations=1000
    )
    ours = learner(spec, outputs=outputs, weights=[COUNTS / COUNTS.mean()])
    train(ours, X, y)
    scores = ours.predict(X)[0]
    found = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, theirs.predict_proba(X), atol=1e-4)
