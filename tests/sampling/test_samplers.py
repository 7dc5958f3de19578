import logging
import math
import subprocess
import sys
import warnings
from typing import get_args

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hpsearch.config.sections.stages import ENUMERATING, LEARNING, SamplerName
from hpsearch.sampling.samplers import SAMPLERS
from hpsearch.sampling.studies import StageStudy
from hpsearch.sampling.surrogate.model import Model
from hpsearch.space.dimensions import (
    CategoricalDimension,
    FixedDimension,
    FloatDimension,
    IntDimension,
)
from hpsearch.space.space import SearchSpace

INDEPENDENT = ("random", "sobol")
"""The samplers of ranges that do not learn from scores."""

RANGES = [name for name in SAMPLERS if name not in ENUMERATING]
"""The samplers that take continuous ranges."""

SPACE = SearchSpace(
    {
        "learning_rate": FloatDimension(type="float", low=1e-6, high=10.0, log=True),
        "dropout": FloatDimension(type="float", low=0.0, high=0.6),
        "momentum": FloatDimension(type="float", low=0.0, high=1.0, step=0.3),
        "units": IntDimension(type="int", low=8, high=512, log=True),
        "layers": IntDimension(type="int", low=1, high=10, step=4),
        "hidden": CategoricalDimension(type="categorical", choices=((64,), (64, 32), True, 1.5)),
    }
)


def score(params):
    return -abs(math.log10(params["learning_rate"]) + 2) - params["dropout"]


def study(sampler="random", seed=0, space=SPACE, **rest):
    return StageStudy(space, sampler=sampler, seed=seed, **rest)


@pytest.mark.parametrize("sampler", RANGES)
class TestEverySampler:
    def test_stays_in_the_space_in_its_order_and_in_plain_types(self, sampler):
        stage = study(sampler)
        for number in range(40):
            params = stage.ask(number)
            assert SPACE.contains(params)
            assert list(params) == list(SPACE)
            assert type(params["dropout"]) is float
            assert type(params["units"]) is int
            assert params["momentum"] in (0.0, 0.3, 0.6, 0.9)
            assert params["layers"] in (1, 5, 9)
            assert params["hidden"] in SPACE["hidden"].choices
            stage.tell(number, score(params))

    def test_the_seed_decides(self, sampler):
        first, same, other = (study(sampler, seed=seed) for seed in (1, 1, 2))
        for number in range(5):
            params = first.ask(number)
            assert same.ask(number) == params
            assert other.ask(number) != params

    def test_trials_differ(self, sampler):
        stage = study(sampler)
        values = [stage.ask(number)["dropout"] for number in range(30)]
        assert len(set(values)) == 30

    def test_order_of_the_config_changes_nothing(self, sampler):
        turned = SearchSpace(dict(reversed(list(SPACE.items()))))
        assert study(sampler).ask(3) == study(sampler, space=turned).ask(3)

    def test_restored_study_goes_on_as_the_uninterrupted_one(self, sampler):
        whole, told = study(sampler), []
        for number in range(25):
            params = whole.ask(number)
            state = "failed" if number % 7 == 3 else "complete"
            value = score(params) if state == "complete" else None
            whole.tell(number, value, state)
            told.append((number, params, value, state))
        running = whole.ask(25)
        resumed = study(sampler)
        for number, params, value, state in told:
            resumed.restore(number, params)
            resumed.tell(number, value, state)
        resumed.restore(25, running)
        assert [resumed.ask(n) for n in (26, 27)] == [whole.ask(n) for n in (26, 27)]
        resumed.tell(25, 0.5)

    def test_no_warning_no_log_and_filters_as_before(self, sampler, caplog, capsys):
        filters = list(warnings.filters)
        with caplog.at_level(logging.DEBUG):
            stage = study(sampler)
            stage.tell(0, score(stage.ask(0)))
            stage.tell(1, score(stage.ask(1)))
        assert warnings.filters == filters
        assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("sampler", INDEPENDENT)
def test_a_number_gets_the_same_whatever_was_asked_and_told_before(sampler):
    alone = study(sampler).ask(17)
    stage = study(sampler)
    for number in (5, 3, 30):
        stage.ask(number)
    stage.tell(3, 1.0)
    stage.tell(5, math.nan)
    assert stage.ask(17) == alone


@pytest.mark.parametrize("sampler", INDEPENDENT)
def test_log_scale_is_sampled_evenly_by_decade(sampler):
    stage = study(sampler)
    decades = [math.log10(stage.ask(number)["learning_rate"]) for number in range(350)]
    counts, _ = np.histogram(decades, bins=7, range=(-6, 1))
    # Each is binomial with mean 50 and standard deviation 6.5: five of these either side.
    assert counts.min() > 17
    assert counts.max() < 83


def test_sobol_fills_every_cell_of_a_fine_grid_once():
    # 64 points of a scrambled Sobol sequence: one in each 1/64 of every axis.
    stage = study("sobol")
    places = sorted(stage.ask(number)["dropout"] / 0.6 * 64 for number in range(64))
    assert [math.floor(place) for place in places] == list(range(64))


@pytest.mark.parametrize("sampler", LEARNING)
def test_what_learns_comes_nearer(sampler):
    space = SearchSpace({name: SPACE[name] for name in ("learning_rate", "dropout")})
    stage = study(sampler, space=space)
    distances = []
    for number in range(60):
        params = stage.ask(number)
        distances.append(-score(params))
        stage.tell(number, score(params))
    assert np.median(distances[40:]) < 0.5 * np.median(distances[:10])


PLANE = SearchSpace({name: SPACE[name] for name in ("learning_rate", "dropout")})


def model(best):
    """Return what is known of 100 trials each, of which the ``best`` rate does best, by epochs."""
    known = Model(PLANE, epochs=max(best))
    rng = np.random.default_rng(0)
    for epochs, rate in best.items():
        for decade, dropout in rng.uniform([-6, 0], [1, 0.6], (100, 2)):
            params = {"learning_rate": 10**decade, "dropout": dropout}
            known.learn(params, {epochs: -abs(decade - math.log10(rate))})
    return known


def off(stage, rate, numbers):
    """Return by how many decades the median proposal misses a rate."""
    decades = [math.log10(stage.ask(number)["learning_rate"]) for number in numbers]
    return np.median([abs(decade - math.log10(rate)) for decade in decades])


def test_tpe_begins_a_stage_with_what_the_longest_trials_before_have_shown():
    best = {1: 1.0, 5: 1e-4}
    led, alone = (
        study("tpe", space=PLANE, first=first, epochs=50, model=model(best)) for first in (200, 0)
    )
    assert off(led, 1e-4, range(200, 212)) < 0.8 < off(alone, 1e-4, range(12))


def test_tpe_goes_by_the_most_epochs_of_which_there_are_enough():
    best = {1: 1e-4, 5: 1.0}
    few = model({1: 1e-4})
    for _, seen in zip(range(3), model(best).longest(PLANE, 20), strict=False):
        few.learn(seen.params, {5: seen.score})
    stage = study("tpe", space=PLANE, first=200, epochs=50, model=few)
    assert off(stage, 1e-4, range(200, 212)) < 0.8


def test_tpe_learns_from_those_that_went_on():
    stage = study("tpe", space=PLANE, first=200, epochs=50, model=model({1: 1.0}))
    for seen in model({50: 1e-4}).longest(PLANE, 20):
        stage.learn(seen.params, {50: seen.score})
    assert off(stage, 1e-4, range(200, 212)) < 0.8


def test_the_gaussian_process_computes_in_one_thread(monkeypatch):
    seen = []

    def propose(study, space, ask):
        seen.extend(pool["num_threads"] for pool in threadpool_info())
        return SAMPLERS["random"](study, space, ask)

    monkeypatch.setitem(SAMPLERS, "gp", propose)
    with threadpool_limits(2):
        before = threadpool_info()
        study("gp").ask(0)
        assert threadpool_info() == before
    assert set(seen) == {1}


def test_the_tables_agree():
    assert {"auto", *SAMPLERS} == set(get_args(SamplerName))
    assert {*LEARNING, *ENUMERATING} < set(SAMPLERS)


FINITE = SearchSpace(
    {
        "units": IntDimension(type="int", low=8, high=24, step=8),
        "dropout": FloatDimension(type="float", low=0.0, high=0.2, step=0.1),
        "l2": FixedDimension(type="fixed", value=0.5),
    }
)
POINTS = {(u, d, 0.5) for u in (8, 16, 24) for d in (0.0, 0.1, 0.2)}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_finite_space_is_tried_point_by_point_and_then_used_up(sampler):
    stage = study(sampler, space=FINITE)
    seen = []
    while (params := stage.ask(len(seen))) is not None:
        seen.append(tuple(params.values()))
        stage.tell(len(seen) - 1, params["units"] + params["dropout"])
    assert len(set(seen)) == len(seen)
    assert set(seen) == POINTS


@pytest.mark.parametrize("sampler", ENUMERATING)
def test_the_order_of_a_grid_is_random_by_the_seed(sampler):
    orders = []
    for seed in (1, 1, 2):
        stage = study(sampler, seed=seed, space=FINITE)
        orders.append([tuple(stage.ask(number).values()) for number in range(9)])
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("sampler", [*INDEPENDENT, "tpe", "brute"])
def test_conditional_dimensions_come_only_with_their_condition(sampler):
    space = SearchSpace(
        {
            "beta1": FloatDimension(
                type="float", low=0.5, high=0.9, step=0.1, when={"optimizer": "adam"}
            ),
            "optimizer": CategoricalDimension(type="categorical", choices=("adam", "momentum")),
            "momentum": FixedDimension(type="fixed", value=0.9, when={"optimizer": ["momentum"]}),
            "layers": IntDimension(type="int", low=1, high=3),
        }
    )
    stage = study(sampler, space=space)
    kinds = set()
    for number in range(18):
        params = stage.ask(number)
        stage.tell(number, params["layers"])
        kinds.add(tuple(params))
        assert space.contains(params)
    assert kinds == {("beta1", "optimizer", "layers"), ("optimizer", "momentum", "layers")}
    # 3 layers: with 5 betas and adam, or with momentum: 18 points in all.
    assert stage.ask(18) is None


def test_given_values_are_taken_and_the_rest_is_sampled():
    stage = study("tpe")
    params = stage.ask(0, {"dropout": 0.25, "hidden": (64, 32)})
    assert (params["dropout"], params["hidden"]) == (0.25, (64, 32))
    assert SPACE.contains(params)
    assert stage.ask(1)["dropout"] != 0.25


def test_one_point_given_twice_is_tried_once():
    stage = study()
    given = dict(stage.ask(0))
    assert stage.ask(1, given) != given


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf])
def test_a_trial_without_a_finite_score_counts_as_failed(bad):
    taught, failed = study("tpe"), study("tpe")
    for number in range(15):
        params = taught.ask(number)
        assert failed.ask(number) == params
        if number == 4:
            taught.tell(number, bad)
            failed.tell(number, None, "failed")
        else:
            taught.tell(number, score(params))
            failed.tell(number, score(params))
    assert taught.ask(15) == failed.ask(15)


class TestMisuse:
    def test_a_number_is_asked_once(self):
        stage = study()
        stage.ask(4)
        with pytest.raises(ValueError, match="trial 4 is in this study already"):
            stage.ask(4)
        with pytest.raises(ValueError, match="trial 4 is in this study already"):
            stage.restore(4, {})

    def test_a_trial_ends_once(self):
        stage = study()
        stage.ask(0)
        stage.tell(0, 1.0)
        with pytest.raises(ValueError, match="COMPLETE trial"):
            stage.tell(0, 1.0)

    def test_unknown_number_state_and_sampler(self):
        stage = study()
        with pytest.raises(KeyError):
            stage.tell(9, 1.0)
        stage.ask(0)
        with pytest.raises(KeyError):
            stage.tell(0, 1.0, "done")
        with pytest.raises(KeyError):
            study("magic").ask(0)

    def test_restore_refuses_what_lies_outside_and_stays_usable(self):
        stage = study()
        params = stage.ask(0)
        with pytest.raises(ValueError, match="dropout"):
            stage.restore(1, {**params, "dropout": 7.0})
        stage.restore(1, {**params, "hidden": [64, 32]})
        assert SPACE.contains(stage.ask(2))


def test_a_config_and_its_narrowing_need_no_optuna():
    modules = "hpsearch.narrowing.narrow, hpsearch.config.loading, hpsearch.config.choices"
    code = f"import {modules}, sys; print('optuna' in sys.modules, 'ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
