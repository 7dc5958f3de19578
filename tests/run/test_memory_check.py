"""A network that no memory holds is refused before anything is made of it."""

from typing import Any

import pytest

from hpsearch.data import datasets
from hpsearch.execution.cluster.machine import Memory
from hpsearch.run import memory_check
from tests.support import tiny_config
from workers.errors import InputError, RunError

LAYERS = {"type": "int", "low": 1, "high": 2}
"""Of a network on iris: 4 inputs, 3 classes, a hidden layer of 8 units, mini-batches of 16."""


def choices(*values: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(values)}


@pytest.mark.parametrize(
    ("changes", "parameters", "copies", "activations"),
    [
        # Copies: parameters, gradient, velocity, running average (of twice the size).
        ({}, 4 * 8 + 8 + 8 * 3 + 3, 5, 16 * (8 + 3)),
        ({"checkpoint__ema_decay": 0.0}, 4 * 8 + 8 + 8 * 3 + 3, 3, 16 * (8 + 3)),
        ({"search_space__optimizer": choices("sgd", "adam")}, 67, 6, 16 * (8 + 3)),
        ({"search_space__hidden": choices([9], [8, 8], [])}, 139, 5, 16 * (8 + 8 + 3)),
        # 150 rows, of which 30 test and 24 of the rest validate.
        ({"search_space__batch_size": choices(16, "full")}, 67, 5, 96 * (8 + 3)),
        ({"network__batch_size": 10**6}, 67, 5, 96 * (8 + 3)),
        (
            {"search_space__activation": choices("relu", "maxout")},
            2 * (4 * 8 + 8) + 8 * 3 + 3,
            5,
            16 * (2 * 8 + 3),
        ),
        (
            {
                "search_space__hidden_layers": LAYERS,
                "search_space__hidden_units_2": {"type": "int", "low": 1, "high": 50},
            },
            4 * 8 + 8 + 8 * 50 + 50 + 50 * 3 + 3,
            5,
            16 * (8 + 50 + 3),
        ),
        (
            {"search_space__preprocess": choices(["standardize"], ["pca"]), "network__hidden": []},
            4 * 3 + 3,
            5,
            16 * 3,
        ),
    ],
)
def test_the_least_that_the_largest_network_needs(
    changes: dict[str, Any],
    parameters: int,
    copies: int,
    activations: int,
) -> None:
    config = tiny_config(**changes)
    data = datasets.load(config.data, seed=3, chains=config.chains).dataset
    needed = 4 * (parameters * copies + 2 * activations)
    memory_check.check(config, data, Memory(needed))
    with pytest.raises(InputError, match=f" {parameters:,} parameters"):
        memory_check.check(config, data, Memory(needed - 1))


def test_the_ranges_of_a_stage_count_in_place_of_the_configs() -> None:
    """Four layers of 50 units, where the config ends at two layers of 9."""
    units = {"type": "int", "low": 1, "high": 9}
    config = tiny_config(search_space={"hidden_layers": LAYERS, "hidden_units": units})
    data = datasets.load(config.data, seed=3).dataset
    grown = config.search_space.with_ranges({"hidden_layers": (1, 4), "hidden_units": (1, 50)})
    parameters = 4 * 50 + 50 + 3 * (50 * 50 + 50) + 50 * 3 + 3
    needed = 4 * (parameters * 5 + 2 * 16 * (4 * 50 + 3))
    memory_check.check_grown(config, data, Memory(needed), grown)
    with pytest.raises(RunError, match=rf"hidden \[50, 50, 50, 50\].* {parameters:,} parameters"):
        memory_check.check_grown(config, data, Memory(needed - 1), grown)
    memory_check.check_grown(config, data, Memory(needed - 1), config.search_space)


def test_the_remedy_is_where_the_memory_goes() -> None:
    data = datasets.load(tiny_config().data, seed=3).dataset
    for batch, remedy in ((1, "hidden"), ("full", "batch_size")):
        config = tiny_config(network__batch_size=batch)
        with pytest.raises(InputError) as caught:
            memory_check.check(config, data, Memory(0))
        assert caught.value.remedy == f"lower {remedy}"


@pytest.mark.parametrize(
    ("memory", "text"),
    [(2.6e8, "with 0.3 GB there"), (3.14e11, "with 314 GB there")],
)
def test_small_limits_are_told_apart(memory: float, text: str) -> None:
    config = tiny_config(network__hidden=[10**6, 10**5])
    data = datasets.load(config.data, seed=3).dataset
    with pytest.raises(InputError) as caught:
        memory_check.check(config, data, Memory(memory, "there"))
    assert text in str(caught.value)
