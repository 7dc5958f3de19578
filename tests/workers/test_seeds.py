"""Derived randomness: the same name, the same numbers, in every process and for ever."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import seeds
from workers.seeds import Purpose

SEEDS = st.integers(0, 2**63 - 1)
NUMBERS = st.integers(0, 2**31)
NAMES = st.tuples(SEEDS, st.sampled_from(Purpose), NUMBERS, NUMBERS)


def key(seed: int, purpose: Purpose, trial: int, epoch: int) -> int:
    return seeds.key(seed, purpose, trial=trial, epoch=epoch)


def test_values_that_runs_on_disk_depend_on() -> None:
    """Changing one would make every interrupted run end otherwise than it began."""
    assert {p.name: int(p) for p in Purpose} == {
        "SPLIT": 0,
        "SAMPLE": 1,
        "INITIALIZE": 2,
        "SHUFFLE": 3,
        "DROPOUT": 4,
        "CHECK": 5,
        "RETRY": 6,
        "SCORE": 7,
    }
    assert key(0, Purpose.SHUFFLE, 0, 3) == 11312481341768498253
    assert key(7, Purpose.DROPOUT, 41, 3) == 8324436685456731543


def test_every_name_has_numbers_of_its_own() -> None:
    names = list(product(range(3), Purpose, range(10), range(10)))
    assert len({key(*name) for name in names}) == len(names)


@given(NAMES, NAMES)
def test_keys_differ_as_names_do(one: tuple[int, Purpose, int, int], other: object) -> None:
    assert (key(*one) == key(*other)) == (one == other)  # type: ignore[misc]


@given(NAMES)
def test_numbers_do_not_depend_on_what_was_drawn_before(
    name: tuple[int, Purpose, int, int],
) -> None:
    seed, purpose, trial, epoch = name
    first = seeds.generator(seed, purpose, trial=trial, epoch=epoch).random(5)
    seeds.generator(seed, purpose, trial=trial, epoch=epoch + 1).random(100)
    np.random.default_rng(3).random(10)
    second = seeds.generator(seed, purpose, trial=trial, epoch=epoch).random(5)
    assert (first == second).all()


@given(NAMES)
def test_ranges(name: tuple[int, Purpose, int, int]) -> None:
    seed, purpose, trial, epoch = name
    assert 0 <= key(*name) < 2**64
    assert 0 <= seeds.integer(seed, purpose, trial=trial, epoch=epoch) < 2**31


def test_keys_fill_all_64_bits() -> None:
    keys = [key(0, Purpose.DROPOUT, trial, 1) for trial in range(200)]
    assert np.bitwise_or.reduce(np.array(keys, np.uint64)) == 2**64 - 1
    assert np.bitwise_and.reduce(np.array(keys, np.uint64)) == 0


def test_another_process_draws_the_same() -> None:
    code = "from workers import seeds; print(seeds.key(9, seeds.Purpose.SAMPLE, trial=4, epoch=2))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert int(printed) == key(9, Purpose.SAMPLE, 4, 2)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        seeds.generator(-1, Purpose.SPLIT)
