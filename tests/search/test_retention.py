"""Which files stay: by hand, and whatever the order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.search.retention import Retention, orphaned
from hpsearch.search.trials import TrialRecord
from tests.support import a_checkpoint, a_report
from workers.nn.spec import NetworkSpec


def test_best_and_last_of_a_running_trial_stay() -> None:
    retention = Retention(keep_top=1, sign=1)
    removed: list[str] = []
    for epoch, score in enumerate([0.5, 0.9, 0.7, 0.8, 0.6], 1):
        retention.add(a_checkpoint(0, epoch, score))
        removed += retention.sweep()
    # 0/2 is the best throughout and 0/5 the last.
    assert removed == ["0/1", "0/3", "0/4"]


def test_an_ended_trial_keeps_its_best_only() -> None:
    retention = Retention(keep_top=1, sign=1)
    for epoch, score in enumerate([0.5, 0.9, 0.7], 1):
        retention.add(a_checkpoint(0, epoch, score))
    retention.end(0, complete=True)
    assert retention.sweep() == ("0/1", "0/3")
    assert retention.sweep() == ()


def test_a_failed_trial_keeps_nothing() -> None:
    retention = Retention(keep_top=5, sign=1)
    retention.add(a_checkpoint(0, 1, 0.99))
    retention.end(0, complete=False)
    assert retention.sweep() == ("0/1",)


def test_a_better_trial_takes_the_place_of_a_worse_one() -> None:
    retention = Retention(keep_top=2, sign=1)
    for trial, score in enumerate([0.5, 0.7, 0.6]):
        retention.add(a_checkpoint(trial, 1, score))
        retention.end(trial, complete=True)
    assert retention.sweep() == ("0/1",)


def test_lower_is_better_with_the_sign_of_minus_one() -> None:
    retention = Retention(keep_top=1, sign=-1)
    for trial, score in enumerate([0.5, 0.7, 0.6]):
        retention.add(a_checkpoint(trial, 1, score))
        retention.end(trial, complete=True)
    assert retention.sweep() == ("1/1", "2/1")


def test_of_equal_scores_the_earlier_epoch_and_the_lower_trial_stay() -> None:
    retention = Retention(keep_top=1, sign=1)
    for trial in (1, 0):
        for epoch in (2, 1):
            retention.add(a_checkpoint(trial, epoch, 0.5))
    retention.end(1, complete=True)
    retention.end(0, complete=True)
    assert retention.sweep() == ("0/2", "1/1", "1/2")


@pytest.mark.parametrize("sign", [1, -1])
@given(
    scores=st.lists(
        st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=4), max_size=6
    ),
    failed=st.sets(st.integers(0, 5)),
    keep_top=st.integers(1, 4),
    order=st.randoms(use_true_random=False),
)
def test_what_remains_does_not_depend_on_the_order(
    sign: int, scores: list[list[float]], failed: set[int], keep_top: int, order
) -> None:
    """Trials interleave in any way, each with its own epochs in order."""
    turns = [trial for trial, own in enumerate(scores) for _ in range(len(own) + 1)]
    order.shuffle(turns)
    retention, next_epoch, on_disk = Retention(keep_top, sign), [1] * len(scores), set()
    for trial in turns:
        epoch = next_epoch[trial]
        next_epoch[trial] += 1
        if epoch > len(scores[trial]):
            retention.end(trial, complete=trial not in failed)
        else:
            retention.add(a_checkpoint(trial, epoch, scores[trial][epoch - 1]))
            on_disk.add(f"{trial}/{epoch}")
        removed = set(retention.sweep())
        assert removed <= on_disk
        on_disk -= removed
        running = [t for t, e in enumerate(next_epoch) if 1 < e <= len(scores[t]) + 1]
        assert {f"{t}/{next_epoch[t] - 1}" for t in running} <= on_disk

    best = {
        trial: max(sign * score for score in own)
        for trial, own in enumerate(scores)
        if trial not in failed
    }
    ranked = sorted(best, key=lambda trial: (-best[trial], trial))[:keep_top]
    expected = {f"{t}/{[sign * s for s in scores[t]].index(best[t]) + 1}" for t in ranked}
    assert on_disk == expected


def test_those_that_may_go_on_keep_their_best_and_their_last() -> None:
    """The better trial by its score, though the other has the better file."""
    retention = Retention(keep_top=1, sign=1)
    for trial, score in ((0, 0.5), (1, 0.4), (2, 0.3)):
        retention.add(a_checkpoint(trial, 2, score))
        retention.add(a_checkpoint(trial, 4, 0.1))
    retention.end(0, complete=True, score=0.5, promotable=1)
    retention.end(2, complete=False, score=0.99, promotable=1)
    assert retention.sweep() == ("2/2", "2/4")
    retention.end(1, complete=True, score=0.9, promotable=1)
    assert retention.sweep() == ("0/4",)
    retention.promote({1})
    assert retention.sweep() == ()
    retention.add(a_checkpoint(1, 6, 0.2))
    assert retention.sweep() == ("1/4",)
    retention.end(1, complete=True, score=0.9)
    assert retention.sweep() == ("1/2", "1/6")


def test_the_next_best_stays_until_those_that_go_on_have_ended() -> None:
    retention = Retention(keep_top=1, sign=1)
    for trial, score in ((0, 0.9), (1, 0.5), (2, 0.4)):
        retention.add(a_checkpoint(trial, 1, score))
        retention.end(trial, complete=True, score=score, promotable=1)
    assert retention.sweep() == ("2/1",)
    retention.promote({0})
    retention.end(0, complete=False)
    assert retention.sweep() == ("0/1",)


def test_a_trial_that_goes_on_competes_again_when_it_ends() -> None:
    retention = Retention(keep_top=1, sign=1)
    for trial, score in ((0, 0.5), (1, 0.4)):
        retention.add(a_checkpoint(trial, 1, score))
        retention.end(trial, complete=True, score=score, promotable=2)
    retention.promote({0, 1})
    retention.end(0, complete=False)
    retention.end(1, complete=True)
    assert retention.sweep() == ("0/1",)


def test_what_a_pruned_trial_wrote_after_its_end_is_orphaned() -> None:
    """Its last counted epoch's file is not: that one went when the trial ended."""
    trials = {
        number: TrialRecord(number, 0, {}, NetworkSpec(), epochs=9, state=state)
        for number, state in enumerate(("pruned", "running", "complete"))
    }
    for record in trials.values():
        record.learn(a_report(record.number, 3), 0.5)
    late = [a_report(number, epoch) for number in trials for epoch in (2, 3, 4, 5)]
    assert orphaned(late, trials) == ("0/4", "0/5")
    assert orphaned([a_report(0, 4, score=None)], trials) == ()
