"""Every schedule at points worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from workers.nn.families.schedules import SCHEDULES, Moments, averaging_starts, momenta, plan
from workers.nn.layout import layout
from workers.nn.spec import NetworkSpec
from workers.nn.training.state import STALLS, UPDATES, training_state
from workers.nn.training.updates import fill_rates

POINTS = {
    "constant": ({}, [(0, 1), (7.3, 1)]),
    "step": ({"decay_epochs": 4.0, "decay_factor": 0.1}, [(3.9, 1), (4, 0.1), (8.5, 0.01)]),
    "exponential": ({"decay_rate": 0.5}, [(0, 1), (2, np.exp(-1))]),
    "inverse": ({"decay_rate": 0.5}, [(0, 1), (2, 0.5), (6, 0.25)]),
    "converge": ({"decay_epochs": 4.0}, [(0, 1), (4, 1), (8, 0.5)]),
    "stall": ({"decay_factor": 0.5}, [(0, 0.25), (9, 0.25)]),
    "cosine": ({}, [(0, 1), (5, 0.5), (10 / 3, 0.75)]),
}


def _at(spec, time, width=0.1):
    at = Moments(np.array([float(time)]), width, epochs=10, stalls=2)
    warm, shape = plan(spec, at)
    momentum = momenta([spec], at.times, at.epochs)
    return spec.learning_rate * warm[0] * shape[0], momentum[0, 0]


def test_every_schedule_has_its_points():
    assert set(POINTS) == set(SCHEDULES)


@pytest.mark.parametrize("name", POINTS)
def test_worked_points(name):
    options, points = POINTS[name]
    spec = NetworkSpec(schedule=name, learning_rate=2.0, **options)
    for time, factor in points:
        assert _at(spec, time)[0] == pytest.approx(2.0 * factor)


def test_cosine_restarts_at_the_top():
    spec = NetworkSpec(schedule="cosine", cosine_cycles=2, learning_rate=1.0)
    assert _at(spec, 2.5)[0] == pytest.approx(0.5)
    assert _at(spec, 4.999)[0] < 1e-3
    assert _at(spec, 5)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_warmup_grows_linearly_from_the_first_step(name):
    cold = NetworkSpec(schedule=name, learning_rate=1.0)
    warm = NetworkSpec(schedule=name, learning_rate=1.0, warmup_epochs=2.0)
    assert _at(warm, 0)[0] == pytest.approx(_at(cold, 0)[0] * 0.05)
    assert _at(warm, 0.9)[0] == pytest.approx(_at(cold, 0)[0] * 0.5)
    assert _at(warm, 1.9)[0] == _at(warm, 2)[0] == _at(cold, 0)[0]


# The rates of PyTorch 2.13.0: SequentialLR of LinearLR(1/5, 1, total_iters=4) and, from step 5
# of 10, ConstantLR, StepLR(2, 0.5), ExponentialLR(exp(-0.1)), LambdaLR(1/(1 + 0.1*t)),
# CosineAnnealingLR(5) and, in two cycles of what is left, CosineAnnealingWarmRestarts(2).
AFTER_WARMUP = [
    ("constant", 10, {}, [1, 1, 1, 1, 1]),
    ("step", 10, {"decay_epochs": 2.0}, [1, 1, 0.5, 0.5, 0.25]),
    ("exponential", 10, {}, [1, 0.9048374, 0.8187308, 0.7408182, 0.6703200]),
    ("inverse", 10, {}, [1, 0.9090909, 0.8333333, 0.7692308, 0.7142857]),
    ("cosine", 10, {}, [1, 0.9045085, 0.6545085, 0.3454915, 0.0954915]),
    ("cosine", 9, {"cosine_cycles": 2}, [1, 0.5, 1, 0.5]),
    ("converge", 10, {"decay_epochs": 2.0}, [1, 1, 1, 2 / 3, 0.5]),
]


@pytest.mark.parametrize(("name", "epochs", "options", "rest"), AFTER_WARMUP)
def test_the_schedule_begins_where_the_warmup_ends(name, epochs, options, rest):
    spec = NetworkSpec(schedule=name, learning_rate=1.0, warmup_epochs=5.0, **options)
    warm, shape = plan(spec, Moments(np.arange(float(epochs)), 1.0, epochs, stalls=0))
    np.testing.assert_allclose(warm * shape, [0.2, 0.4, 0.6, 0.8, 1.0, *rest], atol=5e-8)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [4.0, 4.5, 1000.0])
def test_a_budget_within_the_warmup_only_grows(name, warmup):
    spec = NetworkSpec(schedule=name, learning_rate=1.0, warmup_epochs=warmup)
    times = np.arange(8) / 2
    warm, shape = plan(spec, Moments(times, 0.5, epochs=4, stalls=0))
    np.testing.assert_allclose(warm * shape, (times + 0.5) / warmup)


def test_steps_and_cycles_are_complete_where_rounding_falls_short():
    # 0.3/0.1 is 2.9999999999999996 in floating point, and 1.3 - 0.1 is a bit more than 1.2.
    spec = NetworkSpec(schedule="step", decay_epochs=0.1, decay_factor=0.5, learning_rate=1.0)
    assert _at(spec, 0.3)[0] == 0.125
    spec = NetworkSpec(schedule="cosine", cosine_cycles=100, learning_rate=1.0)
    assert _at(spec, 0.3)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(("share", "averaged"), [(0.07, 7), (0.14, 14), (0.28, 28), (0.071, 8)])
def test_a_share_of_the_budget_is_not_rounded_up_for_its_last_bit(share, averaged):
    assert 100 - averaging_starts(NetworkSpec(swa_fraction=share), 100) == averaged


def test_momentum_grows_over_the_budget():
    spec = NetworkSpec(momentum=0.99, momentum_start=0.5)
    found = [_at(spec, time)[1] for time in (0, 5, 10)]
    assert found == pytest.approx([0.5, 0.745, 0.99])


def test_the_rate_stands_still_while_weights_are_averaged():
    spec = NetworkSpec(schedule="cosine", swa_fraction=0.5, learning_rate=1.0)
    assert [_at(spec, time)[0] for time in (5, 7, 9.9)] == pytest.approx([0.5] * 3)


CHANGES = {
    "learning_rate": 0.3,
    "decay_factor": 0.2,
    "decay_epochs": 2.0,
    "decay_rate": 0.7,
    "cosine_cycles": 3,
    "warmup_epochs": 2.5,
    "swa_fraction": 0.5,
    "momentum": 0.6,
    "momentum_start": 0.1,
    "beta1": 0.5,
    "beta2": 0.9,
}


def _numbers(specs, stalls):
    plan = layout(specs[0], features=2, scores=2)
    past = training_state(specs, np.zeros((len(specs), plan.size)), plan, ema_decay=0.0)
    past.counters[:, STALLS] = stalls
    past.counters[:, UPDATES] = 12
    found = np.zeros((4, len(specs), 5))
    fill_rates(past, found, epoch=4, epochs=5)
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_beside_others_every_member_follows_its_own_numbers(schedule):
    base = NetworkSpec(schedule=schedule, optimizer="adam", momentum_start=0.2)
    specs = [base, base, *(replace(base, **{name: new}) for name, new in CHANGES.items())]
    stalls = [0, 1, *[0] * len(CHANGES)]
    together = _numbers(specs, stalls)
    for member, spec in enumerate(specs):
        alone = _numbers([spec], stalls[member])
        np.testing.assert_array_equal(together[:, member], alone[:, 0])
