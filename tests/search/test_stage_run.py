"""One stage: trials asked for, restored, and what follows from them."""

from typing import Any

import pytest

from hpsearch.config.search_config import SearchConfig
from hpsearch.search.search import Search
from hpsearch.search.stage_run import StageRun
from hpsearch.search.trials import TrialRecord
from tests.support import tiny_config


@pytest.fixture
def config() -> SearchConfig:
    return tiny_config()


def ended(stage: StageRun, record: TrialRecord, score: float | None, state: str) -> None:
    record.score, record.state = score, state
    stage.end(record)


def test_counts_what_is_asked_and_what_is_open(config: SearchConfig) -> None:
    stage = StageRun(config, 0, config.search_space)
    records = [stage.ask(number) for number in range(6)]
    assert (stage.num_trials, stage.unasked, stage.is_over) == (6, 0, False)
    for record in records[:-1]:
        ended(stage, record, 0.5, "complete")
        assert not stage.is_over
    ended(stage, records[-1], None, "failed")
    assert stage.is_over


def test_params_depend_on_the_number_only(config: SearchConfig) -> None:
    """Not on how many were asked before, nor on what they came to."""
    forwards = StageRun(config, 0, config.search_space)
    expected = {}
    for number in range(6):
        record = forwards.ask(number)
        expected[number] = record.params
        ended(forwards, record, number / 10, "complete")
    backwards = StageRun(config, 0, config.search_space)
    assert {n: backwards.ask(n).params for n in reversed(range(6))} == expected
    other = StageRun(tiny_config(study__seed=4), 0, config.search_space)
    assert other.ask(0).params != expected[0]


def test_params_become_the_network(config: SearchConfig) -> None:
    record = StageRun(config, 1, config.search_space).ask(17)
    assert record.spec.hidden == (8,)
    assert record.spec.learning_rate == record.params["learning_rate"]
    assert record.spec.dropout == record.params["dropout"]
    assert (record.number, record.stage, record.epochs, record.state) == (17, 1, 4, "waiting")


@pytest.mark.parametrize("done", [0, 1, 5, 6])
def test_restored_it_asks_and_concludes_the_same(config: SearchConfig, done: int) -> None:
    def run(stage: StageRun, numbers: Any) -> None:
        for number in numbers:
            ended(stage, stage.ask(number), (number * 7 % 5) / 10, "complete")

    whole, first = (StageRun(config, 0, config.search_space) for _ in range(2))
    run(whole, range(6))
    run(first, range(done))
    second = StageRun(config, 0, config.search_space)
    second.restore(reversed(first.trials))
    assert second.unasked == 6 - done
    run(second, range(done, 6))
    assert second.is_over
    assert [r.params for r in second.trials] == [r.params for r in whole.trials]
    assert second.conclude(None) == whole.conclude(None)


def test_only_completed_trials_move_the_ranges(config: SearchConfig) -> None:
    """A failed trial with the best score changes nothing."""

    def concluded(fates: list[tuple[float | None, str]]) -> Any:
        stage = StageRun(config, 0, config.search_space)
        for number, (score, state) in enumerate(fates):
            ended(stage, stage.ask(number), score, state)
        return stage.conclude(None)[0]

    fates = [(0.9, "complete"), (0.8, "complete"), (0.1, "complete"), (0.1, "complete")]
    poor: list[tuple[float | None, str]] = [*fates, (0.0, "complete"), (0.0, "complete")]
    assert concluded([*fates, (1.0, "failed"), (None, "complete")]) == concluded(
        [*fates, (None, "failed"), (None, "failed")]
    )
    assert concluded(poor) != concluded([*fates, (0.95, "complete"), (0.0, "complete")])


def test_the_last_stage_judges_the_borders_and_moves_nothing(config: SearchConfig) -> None:
    stage = StageRun(config, 1, config.search_space)
    for number in range(4):
        ended(stage, stage.ask(number), number / 10, "complete")
    space, verdicts = stage.conclude(None)
    assert space == config.search_space
    assert [(v.name, v.stage, v.trial) for v in verdicts] == [
        ("learning_rate", "fine", 3),
        ("dropout", "fine", 3),
    ]


def test_the_next_stage_samples_from_the_narrowed_ranges() -> None:
    config = tiny_config()
    search = Search(config, workers=1, parameter_count=lambda spec: 1_000)
    search.begin()
    first = search.stages[0]
    for number in range(6):
        ended(first, search.trials[number], number / 10, "complete")
    space, _ = first.conclude(None)
    second = StageRun(config, 1, space)
    assert all(space.contains(second.ask(number).params) for number in range(6, 10))
    assert space != config.search_space
