"""Pruners by hand: each rule on scores whose verdict is plain."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from hpsearch.config.sections.pruners import PRUNERS, PrunerRule
from hpsearch.sampling import pruners
from hpsearch.sampling.pruners import StagePruner

RULE: TypeAdapter[Any] = TypeAdapter(PrunerRule)


def stage_pruner(rule: Any, *, sign: int = 1, epochs: int = 9) -> StagePruner:
    return StagePruner(RULE.validate_python(rule), epochs=epochs, sign=sign, seed=0)


def test_the_config_knows_the_pruners() -> None:
    assert set(pruners.PRUNERS) == set(PRUNERS)


def settled(judge: StagePruner, curves: list[list[float]]) -> StagePruner:
    """Let trials with these scores an epoch be over."""
    for number, curve in enumerate(curves):
        judge.add(number, {})
        for epoch, score in enumerate(curve, 1):
            judge.judge(number, epoch, score)
    for number, curve in enumerate(curves):
        judge.settle(number, max(curve), "complete")
    return judge


def test_every_name_is_a_rule_with_defaults_or_says_what_it_needs() -> None:
    for name in PRUNERS:
        rule = {"type": name} | ({"lower": 0.1} if name == "threshold" else {})
        assert RULE.validate_python(rule).type == name
        stage_pruner(rule)


FLAT = [[level] * 3 for level in (0.1, 0.2, 0.3, 0.4, 0.5)]


@pytest.mark.parametrize(("score", "stopped"), [(0.29, True), (0.31, False)])
def test_median_of_five_is_the_third(score: float, stopped: bool) -> None:
    judge = settled(stage_pruner("median"), FLAT)
    judge.add(5, {})
    assert judge.judge(5, 1, score) is stopped


def test_percentile_lets_the_best_quarter_go_on() -> None:
    judge = settled(stage_pruner({"type": "percentile", "percentile": 25.0}), FLAT)
    judge.add(5, {})
    judge.add(6, {})
    assert judge.judge(5, 1, 0.39)
    assert not judge.judge(6, 1, 0.41)


def test_running_trials_of_the_same_generation_play_no_part() -> None:
    judge = settled(stage_pruner({"type": "median", "startup_trials": 1}), [[0.3]])
    for number in range(1, 5):
        judge.add(number, {})
        assert not judge.judge(number, 1, 0.9)
    judge.add(5, {})
    assert not judge.judge(5, 1, 0.31)


def test_asha_lets_one_in_three_past_a_rung() -> None:
    # Five settled at rung 1 (epoch 1): with the sixth there are two places.
    judge = settled(stage_pruner("asha"), [[0.1], [0.2], [0.3], [0.4], [0.5]])
    for number, (score, stopped) in enumerate([(0.35, True), (0.45, False)], 5):
        judge.add(number, {})
        assert judge.judge(number, 1, score) is stopped
    # Between the rungs, at epochs 1, 3 and 9, nobody is stopped.
    assert not judge.judge(6, 2, 0.0)


def test_patience_counts_epochs_without_a_better_score() -> None:
    judge = stage_pruner({"type": "patience", "patience": 2})
    judge.add(0, {})
    curve = [0.1, 0.5, 0.4, 0.4, 0.4]
    verdicts = [judge.judge(0, epoch, score) for epoch, score in enumerate(curve, 1)]
    assert verdicts == [False, False, False, False, True]


@pytest.mark.parametrize("sign", [1, -1])
def test_threshold_is_in_the_metrics_own_values(sign: int) -> None:
    judge = stage_pruner({"type": "threshold", "upper": 2.0}, sign=sign)
    judge.add(0, {})
    assert not judge.judge(0, 1, sign * 1.9)
    assert judge.judge(0, 2, sign * 2.1)


def test_wilcoxon_stops_what_is_worse_at_every_epoch() -> None:
    good = [0.50, 0.61, 0.72, 0.83, 0.94, 0.95]
    judge = settled(stage_pruner("wilcoxon"), [good])
    judge.add(1, {})
    judge.add(2, {})
    poor = [judge.judge(1, epoch, score - 0.3) for epoch, score in enumerate(good, 1)]
    close = [
        judge.judge(2, epoch, score + (0.01 if epoch % 2 else -0.01))
        for epoch, score in enumerate(good, 1)
    ]
    assert poor[0] is False
    assert any(poor)
    assert not any(close)


def test_scores_from_an_earlier_stage_count_for_the_rungs() -> None:
    """A promoted trial that passed epoch 1 before is judged at the next rung only."""
    judge = settled(stage_pruner("asha"), [[0.5, 0.5, 0.5], [0.6, 0.6, 0.6]])
    judge.add(2, {1: 0.1})
    assert not judge.judge(2, 2, 0.1)
    assert judge.judge(2, 3, 0.1)
