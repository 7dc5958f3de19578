"""Members of a stack, and interrupted learners, equal lone uninterrupted ones to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.nn.families.activations import ACTIVATIONS
from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.families.schedules import SCHEDULES
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

# Different in everything that may vary; the third one diverges under most rules.
VARIANTS = (
    {"learning_rate": 0.01, "schedule": "cosine", "l2": 0.01, "beta1": 0.8},
    {"learning_rate": 0.05, "dropout": 0.3, "input_dropout": 0.1, "l1": 0.01, "clip_norm": 0.5},
    {"learning_rate": 1e9, "initializer": "normal", "initial_scale": 1e4},
    {"learning_rate": 0.02, "max_norm": 1.0, "fan_in_scaling": True, "swa_fraction": 0.5},
)
EVERYONE = range(len(VARIANTS))


def _specs(**shared):
    if shared.get("optimizer") == "lbfgs":
        changes = [{"l2": l2, "learning_rate": 1.0} for l2 in (0.0, 0.1, 0.2, 0.3)]
        shared["batch_size"] = "full"
    else:
        changes = VARIANTS
    base = NetworkSpec(**({"hidden": (6, 5), "batch_size": 8} | shared))
    return [replace(base, **change) for change in changes]


def _assert_same(state, other):
    assert state.keys() == other.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def _assert_each_as_if_alone(bench):
    together = bench.train(bench.learner(EVERYONE), EVERYONE, 1, bench.epochs)
    for member in EVERYONE:
        alone = bench.train(bench.learner([member]), [member], 1, bench.epochs)
        _assert_same(alone.state(0), together.state(member))
        for averaged in (False, True):
            np.testing.assert_array_equal(
                alone.predict(bench.x, averaged=averaged)[0],
                together.predict(bench.x, averaged=averaged)[member],
            )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("normalized", [False, True])
def test_optimizers_beside_diverging_members(bench, optimizer, normalized):
    specs = _specs(optimizer=optimizer, batch_normalization=normalized)
    _assert_each_as_if_alone(bench(specs))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(bench, activation):
    _assert_each_as_if_alone(bench(_specs(activation=activation), epochs=2))


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(bench, loss):
    _assert_each_as_if_alone(bench(_specs(loss=loss), epochs=2))


def test_a_diverging_member_shows_in_its_loss_alone(bench):
    specs = _specs(optimizer="sgd")
    found = bench(specs).train(bench(specs).learner(EVERYONE), EVERYONE, 1, 2)
    finite = [np.isfinite(found.state(m)["parameters"]).all() for m in EVERYONE]
    assert finite == [True, True, False, True]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_save_and_resume_equals_no_interruption(bench, optimizer, schedule):
    specs = [
        replace(spec, schedule=schedule, stall_epochs=1, decay_epochs=1.0, batch_normalization=True)
        for spec in _specs(optimizer=optimizer, momentum_start=0.5)
    ]
    desk = bench(specs)
    whole = desk.train(desk.learner(EVERYONE), EVERYONE, 1, 4)
    half = desk.train(desk.learner(EVERYONE), EVERYONE, 1, 2)
    resumed = desk.learner(EVERYONE)
    for member in EVERYONE:
        resumed.restore(member, half.state(member))
    desk.train(resumed, EVERYONE, 3, 4)
    for member in EVERYONE:
        _assert_same(resumed.state(member), whole.state(member))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_members_go_on_when_others_are_dropped(bench, optimizer):
    desk = bench(_specs(optimizer=optimizer))
    whole = desk.train(desk.learner(EVERYONE), EVERYONE, 1, 4)
    fewer = desk.train(desk.learner(EVERYONE), EVERYONE, 1, 2)
    fewer.keep([3, 1])
    desk.train(fewer, [3, 1], 3, 4)
    assert fewer.members == 2
    _assert_same(fewer.state(0), whole.state(3))
    _assert_same(fewer.state(1), whole.state(1))


rates = st.floats(0.0, 0.9)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    hidden=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    batch=st.integers(1, 60) | st.just("full"),
    activation=st.sampled_from(["relu", "tanh", "maxout"]),
    optimizer=st.sampled_from(["momentum", "adam"]),
    normalized=st.booleans(),
    varying=st.lists(
        st.fixed_dictionaries(
            {
                "learning_rate": st.floats(1e-6, 1e3),
                "l2": rates,
                "l1": rates,
                "dropout": rates,
                "input_dropout": rates,
                "momentum": rates,
                "label_smoothing": rates,
                "clip_norm": st.none() | st.floats(0.1, 10),
                "max_norm": st.none() | st.floats(0.1, 10),
                "initializer": st.sampled_from(["he", "uniform", "xavier_normal"]),
            }
        ),
        min_size=2,
        max_size=4,
    ),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_any_stack_of_any_shape(
    bench, hidden, batch, activation, optimizer, normalized, varying, dtype
):
    base = NetworkSpec(
        hidden=hidden,
        batch_size=batch,
        activation=activation,
        optimizer=optimizer,
        batch_normalization=normalized and batch != 1,
    )
    specs = [replace(base, **values) for values in varying]
    desk = bench(specs, epochs=2, dtype=dtype)
    everyone = range(len(specs))
    together = desk.train(desk.learner(everyone), everyone, 1, 2)
    for member in everyone:
        alone = desk.train(desk.learner([member]), [member], 1, 2)
        _assert_same(alone.state(0), together.state(member))


@pytest.mark.parametrize(
    ("features", "hidden", "outputs", "loss", "batch"),
    [
        (16, (100,), 26, "softmax", 32),
        (784, (100,), 10, "softmax", 100),
        (37, (53, 29), 2, "max_margin", 7),
        (300, (1,), 2, "logistic", 64),
        (200, (), 300, "hinge", 20),
        (6, (40, 60, 50), 3, "softmax", 32),
        (6, (190, 170, 20), 3, "softmax", 33),
    ],
)
def test_products_of_real_sizes(features, hidden, outputs, loss, batch):
    rows = 2 * batch + batch // 2
    x = np.random.default_rng(0).standard_normal((rows, features)).astype(np.float32)
    y = np.random.default_rng(1).integers(0, outputs, rows)
    specs = [
        NetworkSpec(hidden=hidden, loss=loss, batch_size=batch, learning_rate=rate)
        for rate in (1e-3, 1e30, 1e-2)
    ]

    def parameters(members):
        learner = Learner(
            [specs[member] for member in members],
            features=features,
            outputs=outputs,
            epochs=1,
            rows=rows,
            ema_decay=0.0,
            initial=[np.random.default_rng(member) for member in members],
        )
        keys = [0] * len(members)
        learner.run_epoch(x, y, order=np.arange(rows)[::-1], epoch=1, dropout_keys=keys)
        return [learner.state(member)["parameters"] for member in range(len(members))]

    together = parameters([0, 1, 2])
    for member in range(3):
        np.testing.assert_array_equal(parameters([member])[0], together[member])
