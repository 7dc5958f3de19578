"""Who is taken into an ensemble: worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.selection import METHODS


def columns(*shares: list[float]) -> list[np.ndarray]:
    """Each candidate's probability of the right class, row by row."""
    return [np.array(own, np.float32)[:, np.newaxis] for own in shares]


def right(averages: np.ndarray) -> float:
    """The share of rows in which the right one of two classes has more than half."""
    return float((averages[:, 0] > 0.5).mean())


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


def test_greedy_stops_at_the_shortest_that_is_as_good() -> None:
    candidates = columns([0.9, 0.9], [0.8, 0.8])
    assert METHODS["greedy"](candidates, right, 5) == {0: 1.0}


def test_greedy_prefers_the_better_of_equals() -> None:
    candidates = columns([0.9, 0.4], [0.9, 0.4], [0.4, 0.9])
    assert set(METHODS["greedy"](candidates, right, 2)) == {0, 2}


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
