"""A first stage whose length is chosen from the data: which, when, and what is said of it."""

import random
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.live_view import PlainLines
from hpsearch.config.auto_epochs import PILOTS
from hpsearch.narrowing.stage_length import measured
from hpsearch.search.progress import progress
from hpsearch.search.trials import TrialRecord
from tests.cli.test_live_view import screen, text_of
from tests.simulated_search import SimulatedSearch
from tests.support import run_here, tiny_config, told_everywhere
from workers.errors import InputError
from workers.messages import Trial
from workers.nn.spec import NetworkSpec


def config(*, first: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Return a search whose first stage may have up to 5 epochs, as its first trials have."""
    stages = [
        {"name": "coarse", "num_trials": 16, **(first or {})},
        {"name": "medium", "num_trials": 60, "epochs": 6, "promote": 6, "narrow": {"keep_top": 4}},
        {"name": "fine", "num_trials": 2, "epochs": 20, "promote": 2},
    ]
    return tiny_config(stages=stages, study__max_failures=10**6, **changes)


def misleading(until: int) -> Any:
    """Return scores that rise with the epochs, and up to one of these in the wrong order."""

    def score(trial: Trial, epoch: float) -> float:
        height = random.Random(trial.number).random()
        return 10 * epoch + (height if epoch > until else -height)

    return score


@pytest.mark.parametrize(("until", "expected"), [(0, 1), (1, 2), (3, 4), (4, 5), (9, 1)])
def test_it_is_the_shortest_from_which_on_ranks_agree(until: int, expected: int) -> None:
    search = SimulatedSearch(config(), score=misleading(until)).finish()
    length = search.search.config.length
    assert length is not None
    assert length.epochs == expected
    lengths = {n: t["epochs"] for n, t in search.trials.items() if t["stage"] == 0}
    assert {lengths[n] for n in lengths if n < PILOTS} <= {5}
    assert {lengths[n] for n in lengths if n >= PILOTS} == {expected}
    (note,) = [note for note in search.notes if note and "trials begun" not in note][:1]
    if until == 4:
        assert note == (
            "stage coarse: 5 epochs, the longest tried: the ranks after fewer do not agree with "
            "theirs (8 trials)"
        )
    else:
        unit = "epoch" if expected == 1 else "epochs"
        assert note == (
            f"stage coarse: {expected} {unit}, the shortest whose ranks agree with those after 5 "
            "(8 trials; rank correlation 1.00)"
        )


@pytest.mark.parametrize("score", [lambda trial, epoch: 0.5, lambda trial, epoch: float(epoch)])
def test_where_ranks_tell_nothing_it_is_the_longest_tried(score: Any) -> None:
    length = SimulatedSearch(config(), score=score).finish().search.config.length
    assert length is not None
    assert length.text == "5 epochs, the longest tried: too few scores to compare (8 trials)"


def test_the_first_trials_compete_by_what_they_had_come_to_by_then() -> None:
    """They have 5 epochs and the others 1, and every epoch brings 10: by all of them they'd win."""
    search = SimulatedSearch(config(), score=misleading(0)).finish()
    heights = {n: random.Random(n).random() for n in range(16)}
    best = sorted(heights, key=lambda n: -heights[n])[:6]
    assert {n for n in range(16) if search.trials[n]["stage"] > 0} == set(best)
    assert min(best) < PILOTS <= max(best)


def fates(*, failed: int) -> dict[int, TrialRecord]:
    """Return first trials of which some fail after epoch 2."""
    found = {}
    for number in range(PILOTS):
        fails = number < failed
        history = {e: e + number * (-1 if e == 1 else 1) for e in range(1, 3 if fails else 6)}
        record = TrialRecord(number, 0, {}, NetworkSpec(), 5, "failed" if fails else "complete")
        record.history.update(history)
        found[number] = record
    return found


@pytest.mark.parametrize("failed", [0, 1, 3, 4, 8])
def test_failed_trials_are_the_worst_unless_they_are_half_of_all(failed: int) -> None:
    """Ranks are wrong after one epoch; after two all have those of the end, failed or not."""
    known = measured(config(), fates(failed=failed)).length
    assert known is not None
    assert (known.failed, known.trials) == (failed, PILOTS)
    if failed < PILOTS / 2:
        assert known.epochs == 2
        assert f"8 trials{f', {failed} of them failed' * bool(failed)}; rank" in known.text
    else:
        assert known.text.startswith("5 epochs, the longest tried: too few scores to compare (8")


def test_what_a_trial_comes_to_later_changes_nothing() -> None:
    """One runs out of patience after epoch 3; or goes on, becomes the best, and fails."""
    lengths = []
    for later, stage, state in (({}, 0, "complete"), ({4: 99.0}, 1, "failed")):
        trials = fates(failed=2)
        record = trials[PILOTS - 1]
        record.spec, record.stage, record.state = NetworkSpec(patience=1), stage, state
        record.history = {1: -6.0, 2: 7.5, 3: 7.0, **later}
        lengths.append(measured(config(), trials).length)
    assert lengths[0] == lengths[1] is not None


def test_nothing_is_asked_for_until_the_length_is_known() -> None:
    search = SimulatedSearch(config(), workers=3, size=10**6, score=misleading(1))
    chance = random.Random(0)
    assert progress(search.search).left == 16 * 5 + 66 * 6 - 6 * 5 + 2 * 20 + 2 * 14
    while search.search.config.length is None:
        assert len(search.trials) == PILOTS
        assert progress(search.search).length is None
        search.step(chance)
    assert len(search.epochs) == PILOTS * 5
    state = progress(search.search)
    assert state.length == f"stage coarse: {search.search.config.length.text}"
    assert state.left == 8 * 2 + 66 * 6 - 6 * 2 + 2 * 20 + 2 * 14


def test_it_is_told_wherever_verdicts_are(tmp_path: Path) -> None:
    stages = [
        {"name": "coarse", "num_trials": 10, "epochs": "auto"},
        {"name": "fine", "num_trials": 30, "epochs": 4, "promote": 2},
    ]
    run, _ = run_here(tiny_config(stages=stages), tmp_path / "run")
    one, told = told_everywhere(run)
    assert f"({PILOTS} trials" in one["text"]
    assert [stage["length"] for stage in told] == [one, None]


def test_plain_lines_tell_it_once() -> None:
    search = SimulatedSearch(config(), score=misleading(1))
    console = screen(200, terminal=False)
    lines = PlainLines(console, "tiny")
    chance = random.Random(0)
    while len(search.stages) < 2:
        search.step(chance)
        lines.update(search.search)
    assert text_of(console).count("stage coarse: 2 epochs, the shortest whose ranks") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"first": {"num_trials": 8}},
            "from more than 8 trials; got num_trials 8; raise it or give",
        ),
        ({"first": {"sampler": "tpe"}}, "nothing in the stage depends on its scores; got tpe"),
        ({"first": {"pruner": "asha"}}, "nothing in the stage depends on its scores; got pruner"),
        ({"first": {"epochs": "auto", "sampler": "gp"}}, "got gp; remove it or give epochs"),
    ],
)
def test_what_keeps_it_from_being_chosen_is_named(changes: Any, message: str) -> None:
    with pytest.raises(InputError, match="stage 'coarse': epochs can be chosen") as caught:
        config(**changes)
    assert message in str(caught.value)


def test_only_a_first_stage_before_a_longer_one_may_do_without(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"where a longer stage follows; got one stage"):
        tiny_config(stages=[{"name": "s", "num_trials": 20, "epochs": "auto"}])
    with pytest.raises(InputError, match=r"stages.0.epochs must be given"):
        tiny_config(stages=[{"name": "s", "num_trials": 20}])
    first = {"name": "s0", "num_trials": 20}
    with pytest.raises(InputError, match="where the next stage has 3 or more; got epochs 2 in"):
        tiny_config(stages=[first, {"name": "s1", "num_trials": 2, "epochs": 2}])
    with pytest.raises(InputError, match=r"stages.1.epochs must be a whole number"):
        tiny_config(stages=[first, {"name": "s1", "num_trials": 2, "epochs": "auto"}])


@pytest.mark.parametrize(("trials", "epochs", "expected"), [(12, 50, 7), (2, 50, 2), (60, 5, 3)])
def test_the_first_trials_cost_a_tenth_at_most_and_end_before_the_next_stage(
    trials: int, epochs: int, expected: int
) -> None:
    stages = [
        {"name": "s0", "num_trials": 20},
        {"name": "s1", "num_trials": trials, "epochs": epochs},
    ]
    pilot = tiny_config(stages=stages).pilot
    assert pilot is not None
    assert pilot.epochs == expected
