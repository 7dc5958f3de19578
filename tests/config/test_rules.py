"""What sections contradict each other in: one line each, when the config is read."""

from typing import Any

import pytest

from hpsearch.config.loading import build
from hpsearch.config.network import compose
from tests.support import tiny, tiny_config
from workers.errors import InputError
from workers.nn.spec import NetworkSpec

FIRST = {"name": "first", "num_trials": 6, "epochs": 2}


def two(**second: Any) -> dict[str, Any]:
    return {"stages": [FIRST, {"name": "second", "num_trials": 4, "epochs": 4} | second]}


def dimension(**values: Any) -> dict[str, Any]:
    return {"search_space__momentum": {"type": "float", "low": 0.1, "high": 0.9} | values}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (two(num_trials=0), "has nothing to do"),
        (two(promote=7), "can promote at most the 6 trials of 'first'"),
        (two(promote=2, epochs=2), "leaves promoted trials nothing to do: epochs are totals"),
        (two(num_trials=0, promote=2, narrow={}), "narrows ranges that nothing is sampled from"),
        (two(narrow={"keep_top": 7}), "keep_top must not be above the 6 trials of 'first'"),
        (two(narrow={"min_width": 0.0}), "min_width must be above 0"),
        (two(epochs=1, pruner="median"), "a pruner needs scores before the last epoch"),
        (two(pruner={"type": "asha", "min_epochs": 4}), "asha must decide before the last epoch"),
        (two(pruner={"type": "threshold"}), "a threshold needs lower or upper"),
        (two(sampler="grid"), "grid needs a finite space"),
        (two(sampler="brute"), "brute needs a finite space"),
        (two(sampler="cmaes", fixed={"dropout": 0.1}), "cmaes needs at least two ranges"),
        (two(fixed={"l2": 0.1}), "fixed takes learning_rate, dropout"),
        (two(fixed={"dropout": 0.9}), "fixed.dropout must lie in 0 .. 0.5"),
        ({"stages__0__promote": 2}, "the first stage has no results to promote from"),
        ({"stages__0__num_trials": 1}, "can't narrow from fewer than 2 trials"),
        (dimension(when={"optimizer": "adam"}), "when must name another dimension"),
        (dimension(when={"dropout": 0.9}), "when must name a value that can be"),
        (dimension(when={"momentum": 0.5}), "must not go round in a circle"),
        ({"enqueue": [{"l2": 0.1}]}, "enqueue.0 takes learning_rate, dropout"),
        ({"enqueue": [{"dropout": 0.9}]}, "enqueue.0.dropout must lie in 0 .. 0.5"),
        ({"enqueue": [{"dropout": 0.1}] * 2}, "enqueue.1 stands in the list already"),
        ({"enqueue": [{"dropout": n / 100} for n in range(7)]}, "must fit into the first stage"),
        ({"rescore": {"top": 11}}, "rescore.top must not be above the number of trials"),
        (
            {"search_space__hidden_layers": {"type": "float", "low": 1.0, "high": 2.0}},
            "hidden_layers must be whole numbers from 1",
        ),
        (
            {"search_space__hidden_layers": {"type": "int", "low": 1, "high": 10**9}},
            "hidden_layers must be whole numbers from 1 to 100; got 1000000000",
        ),
        (
            {
                "search_space__hidden_units_1": {"type": "int", "low": 8, "high": 10**9},
                "search_space__hidden_layers": {"type": "int", "low": 1, "high": 2},
            },
            "hidden_units_1 must be whole numbers from 1 to 1,000,000; got 1000000000",
        ),
        ({"network__hidden": [10**9]}, "network.hidden.0 must be less than or equal to 1000000"),
        ({"network__hidden": [1] * 101}, "network.hidden must have at most 100 items"),
    ],
)
def test_a_contradiction_is_refused_in_one_line(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(InputError) as caught:
        build(tiny(**changes))
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_close_to_a_contradiction_passes() -> None:
    tiny_config(**two(num_trials=0, promote=6, epochs=3))
    tiny_config(**two(narrow={"keep_top": 6}, pruner={"type": "asha", "min_epochs": 3}))
    tiny_config(**dimension(when={"dropout": [0.9, 0.2]}))
    tiny_config(enqueue=[{"dropout": 0.5}], rescore={"top": 10, "seeds": 2})


@pytest.mark.parametrize(
    ("params", "hidden"),
    [
        ({"hidden_layers": 1}, (8,)),
        ({"hidden_layers": 3}, (8, 4, 4)),
        ({"hidden_units": 5}, (5, 5)),
        ({"hidden_units_2": 7}, (8, 7)),
        ({"hidden_layers": 3, "hidden_units": 5, "hidden_units_2": 7}, (5, 7, 5)),
        ({}, (8, 4)),
    ],
)
def test_parts_of_the_structure_make_the_whole(params: dict[str, int], hidden: Any) -> None:
    assert compose(NetworkSpec(hidden=(8, 4)), params).hidden == hidden


def test_units_of_a_layer_are_searched_where_there_is_one() -> None:
    config = tiny_config(
        search_space__hidden_layers={"type": "int", "low": 1, "high": 3},
        search_space__hidden_units_2={"type": "int", "low": 4, "high": 9},
    )
    assert config.search_space["hidden_units_2"].when == {"hidden_layers": (2, 3)}
