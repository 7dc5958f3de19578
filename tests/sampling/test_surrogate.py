"""The model over params and epochs, and searches that it leads."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from hpsearch.sampling.surrogate.features import candidates, rows
from hpsearch.sampling.surrogate.gaussian import GaussianProcess
from hpsearch.sampling.surrogate.inputs import Inputs
from hpsearch.sampling.surrogate.model import Model
from hpsearch.space.dimensions import CategoricalDimension, FloatDimension, IntDimension
from hpsearch.space.space import SearchSpace
from tests.simulated_search import SimulatedSearch
from tests.support import tiny_config
from workers.messages import Trial

AWAY = 1e9
"""A length scale so long that a column does not count."""


@pytest.fixture
def inputs() -> Inputs:
    rng = np.random.default_rng(0)
    return Inputs(rng.random((12, 3)), rng.choice([0.0, 0.5, 1.0], 12), (0, 1, 1))


@pytest.fixture
def process(inputs: Inputs) -> GaussianProcess:
    x = inputs.features
    return GaussianProcess(inputs, np.sin(4 * x[:, 0]) + x[:, 1] * inputs.times)


def test_the_gradient_is_that_of_the_loss(process: GaussianProcess) -> None:
    for parameters in (process.parameters, np.linspace(-1, 0.5, 6)):
        numeric = approx_fprime(parameters, lambda p: process.loss(p)[0], 1e-7)
        np.testing.assert_allclose(process.loss(parameters)[1], numeric, rtol=1e-4, atol=1e-4)


def test_means_and_deviations_are_those_of_scikit_learn(
    inputs: Inputs, process: GaussianProcess
) -> None:
    *lengths, height, time, shared, noise = np.exp(process.parameters)
    settings = Matern([lengths[0], lengths[1], lengths[1], AWAY], nu=2.5)
    kernel = ConstantKernel(height) * settings * Matern([AWAY, AWAY, AWAY, time], nu=0.5)
    kernel += ConstantKernel(shared) * Matern([AWAY, AWAY, AWAY, 2.0], nu=0.5) + WhiteKernel(noise)
    known = np.column_stack([inputs.features, inputs.times])
    other = GaussianProcessRegressor(kernel, alpha=1e-10, optimizer=None)
    other.fit(known, process._scores)
    rng = np.random.default_rng(1)
    new, pending = (Inputs(rng.random((5, 3)), np.ones(5), inputs.scales) for _ in range(2))
    points = np.column_stack([new.features, new.times])
    np.testing.assert_allclose(process.mean(new), other.predict(points), rtol=1e-5)
    # What is assumed of the pending points changes no mean, and no deviation depends on it.
    assumed = np.column_stack([pending.features, pending.times])
    every = np.concatenate([process._scores, process.mean(pending)])
    other.fit(np.concatenate([known, assumed]), every)
    mean, deviation = other.predict(points, return_std=True)
    np.testing.assert_allclose(process.mean(new), mean, rtol=1e-5)
    # Ours is that of the score without noise, theirs with it.
    ours = np.sqrt(process.deviation(new, pending) ** 2 + noise)
    np.testing.assert_allclose(ours, deviation, rtol=1e-5)


SPACE = SearchSpace(
    {
        "learning_rate": FloatDimension(type="float", low=1e-4, high=1.0, log=True),
        "optimizer": CategoricalDimension(type="categorical", choices=("momentum", "adam", "sgd")),
        "momentum": FloatDimension(
            type="float", low=0.5, high=0.99, when={"optimizer": ("momentum",)}
        ),
        "layers": IntDimension(type="int", low=1, high=7, step=2),
    }
)


def test_rows_are_places_in_ranges_and_choices_are_one_apart() -> None:
    some = [
        {"learning_rate": 1e-2, "optimizer": "momentum", "momentum": 0.99, "layers": 1},
        {"learning_rate": 1e-2, "optimizer": "adam", "layers": 1},
    ]
    first, second = rows(SPACE, some)
    # Layers, learning rate, three choices, momentum: those a condition depends on first.
    assert first == pytest.approx([0, 0.5, math.sqrt(0.5), 0, 0, 1])
    assert ((first - second)[2:5] ** 2).sum() == pytest.approx(1)
    assert second[5] == 0.5


def test_candidates_lie_in_the_space_and_half_of_them_near_good_ones() -> None:
    good = [{"learning_rate": 1e-3, "optimizer": "momentum", "momentum": 0.9, "layers": 5}]
    some = candidates(SPACE, good, count=200, rng=np.random.default_rng(0))
    assert all(SPACE.contains(params) for params in some)
    assert {params["layers"] for params in some} == {1, 3, 5, 7}
    far = [abs(math.log10(params["learning_rate"]) + 3) for params in some]
    assert np.mean(far[:200]) > 3 * np.mean(far[200:])
    assert np.mean([params["optimizer"] == "momentum" for params in some[200:]]) > 0.7


def test_a_batch_spreads_out() -> None:
    """What runs is not known yet, but it is not tried again next to it."""
    space = SearchSpace({"dropout": FloatDimension(type="float", low=0.0, high=1.0)})
    model = Model(space, epochs=9)
    for place in np.linspace(0, 1, 6):
        model.learn({"dropout": float(place)}, {9: math.sin(9 * place)})
    first = model.propose(space, [], 9, seed=0)
    second, third = (model.propose(space, some, 9, seed=1) for some in ([], [first]))
    alike, apart = (abs(other["dropout"] - first["dropout"]) for other in (second, third))
    assert alike < 0.03 < apart


EARLY, LATE = 0.3, 3e-3
"""The best learning rate after one epoch, and after fifty: early on a large one is ahead."""


def misleading(trial: Trial, epoch: int) -> float:
    """Return the score of a valley that moves from EARLY to LATE in the first ten epochs."""
    moved = min(math.log(epoch) / math.log(10), 1.0)
    centre = (1 - moved) * math.log10(EARLY) + moved * math.log10(LATE)
    far = math.log10(trial.spec.learning_rate) - centre
    return -0.2 * far**2 - math.exp(-epoch / 10) - 0.1 * float(trial.spec.dropout)  # type: ignore[arg-type]


def search_of(seed: int, *stages: dict[str, Any]) -> SimulatedSearch:
    """Return a finished search of the misleading valley."""
    space = {
        "learning_rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.6},
    }
    named = [{"name": f"s{number}"} | stage for number, stage in enumerate(stages)]
    config = tiny_config(stages=named, search_space=space, study__seed=seed)
    return SimulatedSearch(config, score=misleading).finish()


def distance(search: SimulatedSearch) -> float:
    """Return how many decades the best trial's rate lies from the late optimum."""
    best = max(search.epochs.values(), key=lambda report: report.metrics["val_accuracy"])
    return float(abs(math.log10(search.trials[best.trial]["params"]["learning_rate"] / LATE)))


@pytest.mark.parametrize("seed", range(4))
def test_a_late_optimum_is_found_though_early_epochs_mislead(seed: int) -> None:
    """At equal epochs narrowing by the first epoch cuts the optimum off, and it stays so."""
    led = search_of(
        seed,
        {"num_trials": 9, "epochs": 2, "sampler": "sobol"},
        {"num_trials": 6, "epochs": 10, "promote": 4, "sampler": "gp", "narrow": {}},
        {"num_trials": 3, "epochs": 50, "promote": 2, "sampler": "gp", "narrow": {}},
    )
    blind = {"significance": 1.0, "explore": 0.0}
    narrowed = search_of(
        seed,
        {"num_trials": 60, "epochs": 1},
        {"num_trials": 11, "epochs": 50, "narrow": blind},
    )
    told = [verdict for stage in led.stages for verdict in stage["verdicts"]]
    print(f"\n{distance(led):.2f} decades off, {distance(narrowed):.2f} if blind")  # noqa: T201
    print(*(verdict.text for verdict in told), sep="\n")  # noqa: T201 (see pytest -s)
    assert len(led.epochs) < len(narrowed.epochs)
    assert distance(led) < 0.3
    assert distance(narrowed) > 0.9
    # Nothing that the first epochs said has cut the late optimum off.
    assert all(stage["space"].takes("learning_rate", LATE) for stage in led.stages)
    stay = [verdict for verdict in told if "; it stays" in verdict.text]
    assert len(stay) >= 2
    assert all(verdict.after == verdict.before for verdict in stay)
