"""Whether a stage is long enough to rank: worked examples, another library, whole runs."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from hpsearch.narrowing.rank_agreement import Agreement, Curve, agreement, interval, spearman
from tests.simulated_search import SimulatedSearch
from tests.support import run_here, tiny_config, told_everywhere
from workers.messages import Trial

STAGES = [("coarse", 1), ("fine", 5)]


def curves(early: Any, late: Any, *, began: int = 1, **state: Any) -> list[Curve]:
    """Return trials with a score after one epoch and a higher one after five."""
    pairs = enumerate(zip(early, late, strict=True))
    return [Curve(n, began, 1, {1: one, 5: 100 + other}, **state) for n, (one, other) in pairs]


def found(*some: Any, **state: Any) -> Agreement:
    one = agreement(STAGES, 0, curves(*some, **state))
    assert one is not None
    return one


@pytest.mark.parametrize("levels", [3, 100])
def test_the_correlation_is_scipys_with_ties_and_without(levels: int) -> None:
    rng = np.random.default_rng(levels)
    one, other = rng.integers(levels, size=(2, 20)).astype(float)
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert spearman(one, np.ones(20)) is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng, truth, count = np.random.default_rng(0), 0.5, 2000
    spearmans = 6 / np.pi * np.arcsin(truth / 2)  # of normal values
    held = 0
    for _ in range(count):
        x = rng.standard_normal(20)
        y = truth * x + np.sqrt(1 - truth**2) * rng.standard_normal(20)
        low, high = interval(spearman(x, y) or 0.0, 20)
        held += low < spearmans < high
    assert held / count == pytest.approx(0.95, abs=0.02)


def test_the_sentence_counts_the_best_that_stay_the_best() -> None:
    """By hand: of trials 8, 7 and 6, the best after one epoch, only 8 is among the best later."""
    late = [7.0, 5.0, 4.0, 3.0, 2.0, 1.0, -1.0, 0.0, 6.0]
    one = found(range(9), late)
    assert (one.trials, one.top, one.common, one.chosen) == (9, 3, 1, False)
    assert one.text.startswith("of the 3 best after 1 epoch 1 are among the 3 best after 5 (9 ")


def test_it_warns_only_where_ranks_are_surely_poor() -> None:
    rng = np.random.default_rng(1)
    early = np.arange(20.0)
    assert found(early, -early).short
    assert "too short to rank" in found(early, -early).text
    assert found(early, rng.permutation(20)).short
    assert not found(early, early + rng.normal(0, 5, 20)).short
    # Six trials without order can be chance.
    assert not found(early[:6], [2.0, 5.0, 0.0, 3.0, 1.0, 4.0]).short


def test_among_the_promoted_less_is_enough() -> None:
    """The figures of `ENOUGH_AMONG_CHOSEN`: what a correlation of 0.5 falls to."""
    rng = np.random.default_rng(2)
    early, noise = rng.standard_normal((2, 20_000))
    late = early / 2 + math.sqrt(3) / 2 * noise
    order = np.argsort(-early)
    third, tenth = (
        found(early[order[:count]], late[order[:count]], began=0) for count in (6_667, 2_000)
    )
    assert found(early, late).correlation == pytest.approx(0.5, abs=0.03)
    assert third.correlation == pytest.approx(0.3, abs=0.05)
    assert tenth.correlation == pytest.approx(0.2, abs=0.05)
    assert not third.short
    assert third.chosen
    assert found(early[:20], -early[:20], began=0).short


def test_trials_that_were_not_chosen_are_preferred() -> None:
    early = np.arange(8.0)
    went_on = curves(early, -early, began=0)
    new = [Curve(100 + c.number, 1, 1, c.scores) for c in curves(early, early)]
    both = agreement(STAGES, 0, went_on + new)
    few = agreement(STAGES, 0, went_on + new[:5])
    assert both is not None
    assert few is not None
    assert (both.trials, both.chosen, both.correlation) == (8, False, pytest.approx(1.0))
    assert (few.trials, few.chosen) == (13, True)
    # Where some were pruned, those left are chosen; what was scored anew is none of them.
    pruned = Curve(200, 1, 1, {1: 0.0}, complete=False, pruned=True)
    left = agreement(STAGES, 0, [*new, pruned])
    assert left is not None
    assert left.chosen
    assert agreement(STAGES, 0, [Curve(c.number, 2, 2, c.scores) for c in new]) is None


def test_the_best_epoch_within_each_counts_and_early_stops_stand() -> None:
    some = [Curve(n, 1, 1, {1: float(n), 2: 10.0 - n, 3: 0.0}) for n in range(9)]
    one = agreement([("coarse", 2), ("fine", 5)], 0, some)
    assert one is not None
    assert one.correlation == pytest.approx(1.0)
    unfinished = [Curve(c.number, 1, 1, c.scores, complete=False) for c in some]
    assert agreement(STAGES, 0, unfinished) is None


@pytest.mark.parametrize("stages", [[("a", 5), ("b", 5)], [("a", 5)], [("a", 5), ("b", 1)]])
def test_nothing_is_said_without_a_longer_stage(stages: list[tuple[str, int]]) -> None:
    assert agreement(stages, 0, curves(range(9), range(9))) is None


def misleading(trial: Trial, epoch: int) -> float:
    """Return a score that likes large rates at first, and small ones later."""
    height = np.log10(trial.spec.learning_rate)
    return float(height if epoch == 1 else epoch - height)


@pytest.mark.parametrize("crashes", [0.0, 0.1])
def test_a_search_notes_it_when_the_longer_stage_ends(crashes: float) -> None:
    stages = [
        {"name": "s0", "num_trials": 20, "epochs": 1},
        {"name": "s1", "num_trials": 12, "epochs": 5, "promote": 4},
    ]
    again = {"rescore": {"top": 1, "seeds": 2}, "study__max_failures": 10**6}
    search = SimulatedSearch(tiny_config(stages=stages, **again), score=misleading, workers=2)
    search.finish(seed=1, crashes=crashes)
    assert [note for note in search.notes if note] == [
        "stage s0: of the 4 best after 1 epoch 0 are among the 4 best after 5 (12 trials begun "
        "after it; rank correlation -1.00, 95 % interval -1.00 to -1.00): too short to rank, give "
        "it more epochs"
    ]


def test_a_run_tells_it_wherever_its_verdicts_are(tmp_path: Path) -> None:
    stages = [
        {"name": "coarse", "num_trials": 6, "epochs": 1},
        {"name": "fine", "num_trials": 8, "epochs": 4, "promote": 2},
    ]
    run, _ = run_here(tiny_config(stages=stages), tmp_path / "run")
    one, told = told_everywhere(run)
    assert (one["stage"], one["epochs"], one["later"], one["trials"]) == ("coarse", 1, 4, 8)
    assert [stage["agreement"] for stage in told] == [one, None]
