"""Who is taken into an ensemble: worked by hand."""

from itertools import combinations_with_replacement
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.sections.outputs import EnsembleMethod
from hpsearch.ensembles.selection import METHODS, Score


def columns(*shares: list[float]) -> list[np.ndarray]:
    """Each candidate's probability of the right class, row by row."""
    return [np.array(own, np.float32)[:, np.newaxis] for own in shares]


def right(averages: np.ndarray) -> float:
    """The share of rows in which the right one of two classes has more than half."""
    return float((averages[:, 0] > 0.5).mean())


def test_the_config_knows_the_methods() -> None:
    assert set(get_args(EnsembleMethod)) == set(METHODS)


def test_top_takes_the_first_ones_at_equal_weights() -> None:
    candidates = columns([0.9], [0.8], [0.7], [0.6])
    assert METHODS["top"](candidates, right, 2) == {0: 0.5, 1: 0.5}
    assert METHODS["top"](candidates, right, 10) == {0: 0.25, 1: 0.25, 2: 0.25, 3: 0.25}


def test_greedy_takes_a_worse_candidate_that_errs_elsewhere() -> None:
    # Alone: 3, 3 and 2 of 4 rows right. The first two err in the same row.
    # First and third: 0.75, 0.75, 0.55, 0.65, all four rows right.
    candidates = columns([0.9, 0.9, 0.9, 0.4], [0.9, 0.9, 0.9, 0.4], [0.6, 0.6, 0.2, 0.9])
    assert METHODS["greedy"](candidates, right, 4) == {0: 0.5, 2: 0.5}


def test_greedy_takes_one_twice_where_that_helps() -> None:
    # Row by row with weights (2/3, 1/3): 0.567, 0.567, 0.533; with (1/2, 1/2) the last
    # two rows fail: 0.7, 0.45 and 0.45.
    candidates = columns([0.5, 0.8, 0.7], [0.9, 0.1, 0.2])
    assert METHODS["greedy"](candidates, right, 3) == {0: pytest.approx(2 / 3), 1: 1 / 3}


def test_greedy_prefers_one_already_taken_to_an_equal_one() -> None:
    # The second one is the first taken, two rows of three being right. So are two of three
    # after it again, or after the first one. With the second one twice the last one helps:
    # 0.633, 0.567, 0.533; with the two it does not: 0.633, 0.567, 0.467.
    candidates = columns([0.5, 0.8, 0.5], [0.5, 0.8, 0.7], [0.9, 0.1, 0.2])
    assert METHODS["greedy"](candidates, right, 3) == {1: pytest.approx(2 / 3), 2: 1 / 3}


def test_greedy_stops_at_the_shortest_that_is_as_good() -> None:
    candidates = columns([0.9, 0.9], [0.8, 0.8])
    assert METHODS["greedy"](candidates, right, 5) == {0: 1.0}


def test_greedy_prefers_the_better_of_equals() -> None:
    candidates = columns([0.9, 0.4], [0.9, 0.4], [0.4, 0.9])
    assert set(METHODS["greedy"](candidates, right, 2)) == {0, 2}


TARGETS = np.array([0.3, -1.2, 0.7, 2.0, -0.4, 1.1])


def closeness(targets: np.ndarray) -> Score:
    """Return the score of a regression: minus the mean squared error."""
    return lambda averages: -float(((averages[:, 0] - targets) ** 2).mean())


def by_brute_force(candidates: list[np.ndarray], score: Score, size: int) -> dict[int, float]:
    """Return the shares of the best multiset of at most ``size`` candidates."""
    sets = [
        chosen
        for count in range(1, size + 1)
        for chosen in combinations_with_replacement(range(len(candidates)), count)
    ]
    best = max(sets, key=lambda chosen: score(np.mean([candidates[i] for i in chosen], axis=0)))
    return {index: best.count(index) / len(best) for index in sorted(set(best))}


@pytest.mark.parametrize("unit", [1.0, 2.0**-15, 2.0**-60, 2.0**60])
def test_greedy_chooses_alike_in_any_unit_and_as_brute_force(unit: float) -> None:
    # In units of 2**-15 the errors are near 1e-9: 1.6e-9 of the best one alone, 3.3e-10 of three.
    errors = [[2, 0, 0, 1, -1, -2], [0, 2, -2, 0, 2, 1], [-2, 1, 2, 2, 0, 1], [3, 3, 3, 3, 3, 3]]
    candidates = [((TARGETS + np.array(e)) * unit)[:, np.newaxis] for e in errors]
    score = closeness(TARGETS * unit)
    found = METHODS["greedy"](candidates, score, 3)
    assert set(found) == {0, 1, 2}
    assert found == by_brute_force(candidates, score, 3)


def test_greedy_takes_rounding_for_no_help() -> None:
    # The mean of three equal candidates may be nearer to the targets by a last bit.
    near = (TARGETS + 0.1)[:, np.newaxis]
    candidates = [near, near * (1 + 1e-15), near * (1 - 1e-15)]
    assert METHODS["greedy"](candidates, closeness(TARGETS), 5) == {0: 1.0}


SHARES = st.lists(
    st.lists(st.floats(0, 1, width=16), min_size=5, max_size=5), min_size=1, max_size=6
)


@pytest.mark.parametrize("method", METHODS)
@given(shares=SHARES, size=st.integers(1, 8))
def test_weights_are_shares_of_known_candidates(
    method: str, shares: list[list[float]], size: int
) -> None:
    chosen = METHODS[method](columns(*shares), right, size)
    assert sum(chosen.values()) == pytest.approx(1)
    assert 1 <= len(chosen) <= min(size, len(shares))
    assert all(0 <= index < len(shares) and weight > 0 for index, weight in chosen.items())
    assert list(chosen) == sorted(chosen)


@given(shares=SHARES, size=st.integers(1, 8))
def test_greedy_is_never_worse_than_the_best_single_one(
    shares: list[list[float]], size: int
) -> None:
    candidates = columns(*shares)
    chosen = METHODS["greedy"](candidates, right, size)
    average = sum(weight * candidates[index].astype(float) for index, weight in chosen.items())
    assert right(np.asarray(average)) >= max(map(right, candidates)) - 1e-6
