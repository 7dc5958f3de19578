"""Who is taken into an ensemble: worked by hand."""

from itertools import combinations_with_replacement
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.sections.outputs import EnsembleMethod
from hpsearch.ensembles.methods import METHODS, Score


def columns(*shares: list[float]) -> list[np.ndarray]:
    """Each candidate's probability of the right class, row by row."""
    return [np.array(own, np.float32)[:, np.newaxis] for own in shares]


def right(averages: np.ndarray) -> float:
    """The share of rows in which the right one of two classes has more than half."""
    return float((averages[:, 0] > 0.5).mean())


class Right(Score):
    """The same, of rows that are all of the first class."""

    def __init__(self, rows: int = 5) -> None:
        super().__init__("classification", "accuracy", np.zeros(rows, int), 1)

    def __call__(self, averages: np.ndarray) -> float:
        return right(averages)


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
    chosen = METHODS[method](columns(*shares), Right(), size)
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


def of_classes(y: list[int], metric: str = "log_loss") -> Score:
    return Score("classification", metric, np.array(y), -1 if metric == "log_loss" else 1)


def test_bags_of_a_library_of_one_are_that_one() -> None:
    assert METHODS["bagged_greedy"](columns([0.9, 0.2]), Right(2), 3) == {0: 1.0}


def test_bags_share_out_what_errs_elsewhere() -> None:
    # Half of them err in the first row, half in the last one: none is right alone.
    ways = [[0.4, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 0.4]]
    candidates = columns(*(ways[n % 2] for n in range(8)))
    chosen = METHODS["bagged_greedy"](candidates, Right(4), 8)
    average = sum(weight * candidates[index] for index, weight in chosen.items())
    assert right(np.asarray(average)) == 1
    assert chosen == METHODS["bagged_greedy"](candidates, Right(4), 8)
    assert len(METHODS["bagged_greedy"](candidates, Right(4), 3)) == 3


def test_stacked_weights_are_the_best_of_a_grid() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=60)
    candidates = [rng.dirichlet(np.ones(3) + 4 * np.eye(3)[label]) for label in y for _ in (0, 1)]
    both = [np.array(candidates[0::2]), np.array(candidates[1::2])]
    grid = np.linspace(0, 1, 10_001)
    rows = np.arange(60)
    losses = [
        -np.log(w * both[0][rows, y] + (1 - w) * both[1][rows, y]).mean() for w in grid.tolist()
    ]
    chosen = METHODS["stacking"](both, of_classes(y.tolist()), 5)
    assert chosen[0] == pytest.approx(grid[int(np.argmin(losses))], abs=2e-3)


def test_stacked_weights_of_two_regressions_by_hand() -> None:
    # Errors e and f: the least of |w e + (1 - w) f| is at w = f.(f - e) / |f - e|^2.
    e, f = np.array([1.0, -2, 0, 1, 0, 0]), np.array([0.5, 1, -1, 0, 1, 0])
    wanted = float(f @ (f - e) / ((f - e) @ (f - e)))
    candidates = [(TARGETS + error)[:, np.newaxis] for error in (e, f)]
    score = Score("regression", "mse", TARGETS[:, np.newaxis], -1)
    assert METHODS["stacking"](candidates, score, 5) == pytest.approx({0: wanted, 1: 1 - wanted})
    far = [*candidates, (TARGETS + 100)[:, np.newaxis]]
    assert METHODS["stacking"](far, score, 5) == pytest.approx({0: wanted, 1: 1 - wanted})
    (one,) = METHODS["stacking"](far, score, 1)
    assert one == int(wanted < 0.5)


def test_an_ensemble_of_identical_members_is_the_member() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    y = [n % 3 for n in range(20)]
    for method in METHODS:
        chosen = METHODS[method]([shares] * 4, of_classes(y), 4)
        average = sum(weight * shares for weight in chosen.values())
        np.testing.assert_allclose(average, shares)


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_a_stack_is_no_worse_than_the_best_single_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=30)
    candidates = [rng.dirichlet(np.ones(3), 30) for _ in range(count)]
    score = of_classes(y.tolist())
    chosen = METHODS["stacking"](candidates, score, count)
    average = sum(weight * candidates[index] for index, weight in chosen.items())
    assert score(np.asarray(average)) >= max(map(score, candidates)) - 1e-4
