"""Diagnostics of layers: worked by hand, each trial's own, and nothing else changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from workers.nn.layer_statistics import LayerStatistics, average
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

TINY_RATE = 1e-30  # moves no weight of float32


def learner(
    *specs: NetworkSpec, features: int, rows: int, outputs: int = 2, members: Sequence[int] = (0,)
) -> Learner:
    return Learner(
        specs,
        features=features,
        outputs=outputs,
        epochs=3,
        rows=rows,
        ema_decay=0.9,
        initial=[np.random.default_rng(member) for member in members],
    )


def with_parameters(made: Learner, *values: float) -> Learner:
    made.restore(0, made.state(0) | {"parameters": np.array(values, np.float32)})
    return made


def watch(made: Learner, x: Any, y: Any, seen: Any) -> list[tuple[LayerStatistics, ...]]:
    """Train an epoch in the given order and look at the rows ``seen``."""
    x, seen = np.array(x, np.float32), np.array(seen, np.float32)
    probe = made.probe()
    keys = list(range(made.members))
    made.run_epoch(x, np.array(y), order=np.arange(len(x)), epoch=1, dropout_keys=keys, probe=probe)
    made.evaluate(seen, np.zeros(len(seen), np.int64), probe=probe)
    return probe.layers()


def alone(spec: NetworkSpec, parameters: Sequence[float], seen: Any) -> tuple[LayerStatistics, ...]:
    """Return the layers of a network of one input whose step goes nowhere."""
    made = with_parameters(learner(spec, features=1, rows=1), *parameters)
    return watch(made, [[1.0]], [0], seen)[0]


def test_gradient_and_update_of_a_linear_model() -> None:
    # Equal weights give both classes 1/2; the gradient at x = 2 is (-1/2, 1/2) * 2.
    spec = NetworkSpec(hidden=(), optimizer="sgd", learning_rate=0.01, batch_size=1)
    made = with_parameters(learner(spec, features=1, rows=1), 3, 3, 0, 0)
    (layer,) = watch(made, [[2.0]], [0], [[1.0], [-1.0]])[0]
    assert layer.gradient_norm == pytest.approx(2**0.5, rel=1e-6)
    assert layer.update_ratio == pytest.approx(0.01 * 2**0.5 / (3 * 2**0.5), rel=1e-4)
    # Weights 3.01 and 2.99 with biases 0.005 and -0.005: scores 3.015, 2.985, -3.005, -2.995.
    assert layer.activation_mean == pytest.approx(0, abs=1e-6)
    assert layer.activation_std == pytest.approx((36.0005 / 4) ** 0.5, rel=1e-6)
    assert layer.dead is None
    assert layer.saturated is None


def test_the_gradient_is_of_the_data_alone_and_the_update_has_the_penalty() -> None:
    # One class is certain, so the data's gradient vanishes; L2 alone shrinks all weights.
    spec = NetworkSpec(hidden=(), optimizer="sgd", learning_rate=0.1, batch_size=1, l2=0.5)
    made = with_parameters(learner(spec, features=1, rows=1), 500, -500, 0, 0)
    (layer,) = watch(made, [[1.0]], [0], [[1.0]])[0]
    assert layer.gradient_norm == 0
    assert layer.update_ratio == pytest.approx(0.1 * 0.5, rel=1e-5)


def test_the_last_full_mini_batch_is_watched() -> None:
    # Only the second row pulls at its class; the third one would pull the other way, harder.
    spec = NetworkSpec(hidden=(), optimizer="sgd", learning_rate=TINY_RATE, batch_size=1)
    made = with_parameters(learner(spec, features=1, rows=3), 0, 0, 0, 0)
    assert watch(made, [[1.0], [3.0], [8.0]], [0, 0, 1], [[1.0]])[0][0].gradient_norm == (
        pytest.approx(8 / 2**0.5, rel=1e-6)
    )
    two = NetworkSpec(hidden=(), optimizer="sgd", learning_rate=TINY_RATE, batch_size=2)
    made = with_parameters(learner(two, features=1, rows=3), 0, 0, 0, 0)
    (layer,) = watch(made, [[1.0], [3.0], [8.0]], [0, 0, 1], [[1.0]])[0]
    assert layer.gradient_norm == pytest.approx(2 / 2**0.5, rel=1e-6)
    assert layer.update_ratio is None  # weights of no length


def test_a_unit_is_dead_if_it_is_zero_on_every_row() -> None:
    spec = NetworkSpec(hidden=(2,), activation="relu", learning_rate=TINY_RATE, batch_size=1)
    parameters = [1, -1, 0.5, 0.5, 0.5, 0.5, 0, -10, 0, 0]
    hidden, scores = alone(spec, parameters, [[1.0], [3.0]])  # units 1, 3 and 0, 0
    assert (hidden.dead, hidden.saturated) == (0.5, None)
    assert hidden.activation_mean == pytest.approx(1)
    assert hidden.activation_std == pytest.approx((10 / 4 - 1) ** 0.5)
    assert (scores.dead, scores.saturated) == (None, None)
    assert scores.activation_mean == pytest.approx(1)
    assert alone(spec, parameters, [[1.0], [-11.0]])[0].dead == 0  # the second unit is 1 there


def test_many_rows_count_beyond_one_batch_of_scoring() -> None:
    spec = NetworkSpec(hidden=(2,), activation="relu", learning_rate=TINY_RATE, batch_size=1)
    parameters = [1, -1, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0]
    seen = np.ones((300, 1))
    assert alone(spec, parameters, seen)[0].dead == 0.5
    seen[299] = -4
    layer = alone(spec, parameters, seen)[0]
    assert layer.dead == 0
    assert layer.activation_mean == pytest.approx((299 + 4) / 600)


@pytest.mark.parametrize(
    ("activation", "inputs", "saturated"),
    [
        ("tanh", [0.0, 0.1, 5.0, -5.0, 2.0], 2 / 5),
        ("sigmoid", [0.0, 4.3, 4.4, -4.3, -4.4, -9.0], 3 / 6),
        ("hard_tanh", [0.9, 1.1, -3.0, 0.0], 2 / 4),
        ("softsign", [30.0, 50.0, -50.0, 0.0], 2 / 4),
    ],
)
def test_saturation(activation: str, inputs: list[float], saturated: float) -> None:
    spec = NetworkSpec(hidden=(1,), activation=activation, learning_rate=TINY_RATE, batch_size=1)
    hidden = alone(spec, [1, 0.5, 0.5, 0, 0, 0], [[value] for value in inputs])[0]
    assert hidden.saturated == pytest.approx(saturated)
    assert hidden.dead is None


@pytest.mark.parametrize("activation", ["maxout", "elu", "leaky_relu", "identity"])
def test_units_that_neither_die_nor_saturate(activation: str) -> None:
    made = learner(NetworkSpec(hidden=(3,), activation=activation), features=1, rows=40)
    hidden = watch(made, np.ones((40, 1)), np.zeros(40, np.int64), [[1.0]])[0][0]
    assert (hidden.dead, hidden.saturated) == (None, None)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"hidden": (5, 6, 4), "activation": "tanh", "optimizer": "adam"},
    "normalized": {"batch_normalization": True, "dropout": 0.3, "l1": 1e-3},
    "one row left": {"batch_normalization": True, "batch_size": 23},
    "one batch and a row": {"batch_normalization": True, "batch_size": 69},
    "clipped": {"clip_norm": 0.1, "max_norm": 1.0, "optimizer": "rmsprop"},
    "maxout": {"activation": "maxout"},
    "full": {"batch_size": "full", "optimizer": "lbfgs", "lbfgs_iterations": 3},
    "linear": {"hidden": ()},
}


@pytest.mark.parametrize("kind", KINDS)
def test_stacked_equals_alone_and_watching_changes_nothing(kind: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((70, 4)).astype(np.float32), rng.integers(0, 2, 70)
    specs = [NetworkSpec(**{"learning_rate": r, **KINDS[kind]}) for r in (0.1, 0.01, 0.5)]
    numbers = [0, 1, 2]
    pack = learner(*specs, features=4, rows=70, members=numbers)
    unwatched = learner(*specs, features=4, rows=70, members=numbers)
    stacked = watch(pack, x, y, x)
    unwatched.run_epoch(x, y, order=np.arange(70), epoch=1, dropout_keys=numbers)
    for number, spec in enumerate(specs):
        left, right = pack.state(number), unwatched.state(number)
        assert {k: v.tobytes() for k, v in left.items()} == {
            k: v.tobytes() for k, v in right.items()
        }
        one = learner(spec, features=4, rows=70, members=[number])
        probe = one.probe()
        one.run_epoch(x, y, order=np.arange(70), epoch=1, dropout_keys=[number], probe=probe)
        one.evaluate(x, y, probe=probe)
        assert probe.layers()[0] == stacked[number]
        assert len(stacked[number]) == len(spec.hidden) + 1
        assert all(layer.activation_std is not None for layer in stacked[number])
    assert stacked[0] != stacked[1]


def test_numbers_that_are_not_finite_are_left_out() -> None:
    spec = NetworkSpec(hidden=(), optimizer="sgd", learning_rate=TINY_RATE, batch_size=1)
    made = with_parameters(learner(spec, features=1, rows=1), np.inf, 1, 0, 0)
    (layer,) = watch(made, [[1.0]], [0], [[1.0]])[0]
    assert layer.update_ratio is None
    assert layer.activation_mean is None


def test_the_mean_over_networks_misses_what_one_of_them_lacks() -> None:
    first = [LayerStatistics(1.0, None, 0.5, 2.0, dead=0.25), LayerStatistics(0, 0, 0, 0)]
    second = [LayerStatistics(3.0, 1.0, 1.5, 2.0, dead=0.75), LayerStatistics(0, 0, 0, 1)]
    assert average([first, second]) == (
        LayerStatistics(2.0, None, 1.0, 2.0, dead=0.5),
        LayerStatistics(0, 0, 0, 0.5),
    )
