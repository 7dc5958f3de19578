"""Ranges narrow where the evidence says so, look outside, and grow back."""

import math
import random
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from hpsearch.config.sections.stages import NarrowConfig
from hpsearch.narrowing.narrow import StageResult, narrow
from hpsearch.narrowing.significance import DRAWS, absence, closeness
from hpsearch.sampling.surrogate.model import Model
from hpsearch.search.exploration import Exploration
from hpsearch.space.dimensions import CategoricalDimension, FloatDimension
from hpsearch.space.scales import from_unit
from hpsearch.space.space import SearchSpace
from tests.simulated_search import SimulatedSearch
from tests.support import tiny_config

RATE = FloatDimension(type="float", low=1e-6, high=10.0, log=True)
NOISE = FloatDimension(type="float", low=0.0, high=0.6)
SPACE = SearchSpace({"rate": RATE, "noise": NOISE})


def test_few_trials_are_compared_with_every_subset() -> None:
    """0.1 and 0.2 of five: of the ten pairs 0 0.1, 0.1 0.2 and 0.2 0.3 are as close."""
    assert closeness([0.1, 0.2, 0.0, 0.9, 0.3], [0, 1]) == pytest.approx(3 / 10)
    assert closeness([0.1, 0.2, 0.0, 0.9, 0.3], [3, 2]) == 1
    assert closeness([0.5] * 4, [0, 1]) == 1


def test_many_trials_are_compared_with_drawn_subsets() -> None:
    rng = np.random.default_rng(1)
    places = [*rng.uniform(0.3, 0.6, 4), *rng.random(16)]
    variances = [np.var([places[i] for i in some]) for some in combinations(range(20), 4)]
    exact = np.mean(np.array(variances) <= np.var(places[:4]) + 1e-12)
    assert closeness(places, range(4)) == pytest.approx(exact, abs=4 * math.sqrt(exact / DRAWS))


def test_a_choice_is_missing_by_chance_as_often_as_scipy_says() -> None:
    expected = stats.hypergeom(M=30, n=7, N=6).pmf(0)
    assert absence(trials=30, tried=7, best=6) == pytest.approx(expected, rel=1e-12)


def stage(seed: int, count: int = 30) -> list[StageResult]:
    """Trials of which only the rate decides, and a little chance."""
    rng = np.random.default_rng(seed)
    places = rng.random((count, 2))
    scores = -((places[:, 0] - 0.6) ** 2) + 0.02 * rng.standard_normal(count)
    return [
        StageResult(n, {"rate": from_unit(RATE, r), "noise": from_unit(NOISE, o)}, float(score))
        for n, ((r, o), score) in enumerate(zip(places, scores, strict=True))
    ]


def test_what_decides_narrows_and_what_does_not_keeps_its_range() -> None:
    narrowed = {"rate": 0, "noise": 0}
    for seed in range(100):
        after, _ = narrow(SPACE, SPACE, stage(seed), NarrowConfig())
        for name in narrowed:
            narrowed[name] += after[name] != SPACE[name]
    assert narrowed["rate"] >= 85
    assert narrowed["noise"] <= 7  # 2.5 are expected: the two share a level of 0.05


def test_the_sentence_says_why_a_range_stays() -> None:
    _, (rate, noise) = narrow(SPACE, SPACE, stage(0), NarrowConfig())
    assert rate.believed
    assert "; next " in rate.text
    assert not noise.believed
    assert noise.text.startswith("noise: best ")
    assert "lies inside 0 .. 0.6; it stays: as many trials lie as close together by" in noise.text


def test_it_grows_back_to_best_values_outside() -> None:
    """As of explored trials: the best lie below what the stage before has left."""
    narrowed = SPACE.with_ranges({"rate": (1e-2, 1.0)})
    places = [1e-4, 2e-4, 3e-4, *np.geomspace(1e-2, 1.0, 12)]
    found = [
        StageResult(n, {"rate": float(rate), "noise": 0.05 * (n % 12)}, -n)
        for n, rate in enumerate(places)
    ]
    after, (rate, _) = narrow(narrowed, SPACE, found, NarrowConfig())
    assert after["rate"].low == pytest.approx(10**-4.25)
    assert after["rate"].high < 1e-2
    assert "lies outside 0.01 .. 1 (log); grows back to 5.62e-05 .. " in rate.text
    # Without evidence it stays, but for the side where the best one lies.
    after, (rate, _) = narrow(narrowed, SPACE, found, NarrowConfig(keep_top=1.0))
    assert (after["rate"].low, after["rate"].high) == (RATE.low, 1.0)


def test_a_narrowed_border_with_worse_trials_beyond_is_none() -> None:
    narrowed = SPACE.with_ranges({"rate": (1e-2, 1.0)})
    values = [1.01e-2, 0.05, 0.2, 0.9, 0.5]
    found = [StageResult(n, {"rate": v, "noise": 0.1 * n}, -n) for n, v in enumerate(values)]
    _, (rate, _) = narrow(narrowed, SPACE, found, NarrowConfig())
    assert rate.at_border == "low"
    beyond = StageResult(9, {"rate": 1e-4, "noise": 0.3}, -99)
    _, (rate, _) = narrow(narrowed, SPACE, [*found, beyond], NarrowConfig())
    assert rate.at_border is None


def test_what_was_narrowed_by_ranks_that_did_not_hold_grows_back() -> None:
    kinds = CategoricalDimension(type="categorical", choices=("a", "b", "c"))
    whole = SearchSpace({"rate": RATE, "kind": kinds})
    narrowed = whole.with_ranges({"rate": (1e-2, 1.0), "kind": ("a",)})
    found = [StageResult(n, {"rate": 0.02 + 0.1 * n, "kind": "a"}, -n) for n in range(8)]
    after, (rate, kind) = narrow(narrowed, whole, found, NarrowConfig(), doubted="coarse")
    assert after == whole
    assert rate.text.endswith(
        "grows back to 1e-06 .. 10 (log), since the ranks of stage coarse did not hold"
    )
    assert kind.text.endswith("; back b, c, since the ranks of stage coarse did not hold")


@pytest.mark.parametrize("sampler", ["random", "sobol", "tpe", "gp"])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_fifth_trial_looks_outside(sampler: str, workers: int) -> None:
    rule = {"significance": 1.0, "explore": 0.2}
    stages = [
        {"name": "coarse", "num_trials": 20, "epochs": 1},
        {"name": "fine", "num_trials": 15, "epochs": 2, "narrow": rule, "sampler": sampler},
    ]
    config = tiny_config(stages=stages)
    search = SimulatedSearch(config, workers=workers).finish()
    space = search.stages[1]["space"]
    inside = [space.contains(search.trials[number]["params"]) for number in range(20, 35)]
    assert all(inside[n] for n in range(15) if n % 5 != 4)
    assert sampler == "gp" or not all(inside)  # where that one looks it says itself
    interrupted = SimulatedSearch(config, workers=workers)
    while len(interrupted.trials) < 27:
        interrupted.step(random.Random(0))
    interrupted.begin()
    again = interrupted.finish()
    assert [t["params"] for t in again.trials.values()] == [
        t["params"] for t in search.trials.values()
    ]
    assert again.stages[1:] == search.stages[1:]


@pytest.mark.parametrize("seed", range(6))
def test_what_looks_outside_knows_what_was_asked_inside(seed: int) -> None:
    kinds = CategoricalDimension(type="categorical", choices=("sgd", "adam", "momentum", "rmsprop"))
    rule = {"explore": 0.5}
    stages = [
        {"name": "coarse", "num_trials": 4, "epochs": 1},
        {"name": "fine", "num_trials": 4, "epochs": 2, "narrow": rule},
    ]
    space = {"optimizer": {"type": "categorical", "choices": list(kinds.choices)}}
    config = tiny_config(stages=stages, search_space=space, study__seed=seed)
    narrowed = config.search_space.with_ranges({"optimizer": ("sgd", "adam", "momentum")})
    model = Model(config.search_space, epochs=2)
    exploration = Exploration(config, 1, narrowed, first=4, model=model)
    asked = [exploration.of(number).ask(number) for number in range(4, 7)]
    names = [params["optimizer"] for params in asked if params is not None]
    assert len(names) == len(set(names)) == 3
