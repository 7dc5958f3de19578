"""What the master knows of a trial, and who goes into a pack with whom."""

import random
from collections.abc import Iterable
from typing import Any

import pytest

from hpsearch.search import trials as trials_module
from hpsearch.search.trials import TrialRecord, Waiting, next_pack, pack_size
from tests.support import a_checkpoint, a_report
from workers.nn.spec import NetworkSpec


def record(number: int, **values: Any) -> TrialRecord:
    spec = NetworkSpec(**values.pop("spec", {}))
    defaults = {"stage": 0, "params": {}, "spec": spec, "epochs": 3}
    return TrialRecord(number=number, **(defaults | values))


@pytest.mark.parametrize(
    ("state", "attempt", "done", "accepted"),
    [
        ("running", 2, 0, True),
        ("running", 2, 1, False),  # counted before
        ("running", 2, 3, False),
        ("running", 1, 0, False),  # of a later attempt than the present one
        ("running", 3, 0, False),  # of a stale attempt
        ("waiting", 2, 0, False),
        ("complete", 2, 0, False),
        ("failed", 2, 0, False),
    ],
)
def test_a_report_counts_if_it_is_new_and_of_the_present_attempt(
    state: str, attempt: int, done: int, accepted: bool
) -> None:
    trial = record(0, state=state, attempt=attempt, epochs_done=done)
    assert trial.accepts(a_report(0, 1, attempt=2)) is accepted


def test_the_best_epoch_is_the_first_of_the_best_score() -> None:
    trial = record(0)
    for epoch, score in enumerate([0.5, 0.9, None, 0.9, 0.2], 1):
        trial.learn(a_report(0, epoch, score, metrics={"epoch": epoch}), score)
    assert (trial.score, trial.metrics, trial.epochs_done) == (0.9, {"epoch": 2}, 5)


def test_the_last_checkpoint_is_where_it_would_go_on() -> None:
    trial = record(0)
    for epoch, saved in enumerate([None, a_checkpoint(0, 2, 0.9), None], 1):
        trial.learn(a_report(0, epoch, 0.5, checkpoint=saved), 0.5)
    assert trial.message().start == a_checkpoint(0, 2, 0.9)


@pytest.mark.parametrize(
    ("parameters", "trials", "workers", "size"),
    [
        (1_000, 1_000, 2, 64),
        (2_000, 1_000, 2, 64),
        (2_001, 1_000, 2, 16),
        (20_000, 1_000, 2, 16),
        (20_001, 1_000, 2, 4),
        (80_000, 1_000, 2, 4),
        (80_001, 1_000, 2, 1),
        # An even share for each worker, rounded up.
        (1_000, 10, 4, 3),
        (1_000, 3, 4, 1),
        (1_000, 1, 1, 1),
    ],
)
def test_pack_size(parameters: int, trials: int, workers: int, size: int) -> None:
    assert pack_size(parameters, trials, workers) == size


@pytest.mark.parametrize(
    ("parameters", "trials", "size"),
    [(1_000, 1_000, 12), (10_000, 1_000, 3), (40_000, 1_000, 1), (10**6, 1_000, 1), (1_000, 6, 3)],
)
def test_a_trial_counts_as_many_networks_as_it_has_splits(
    parameters: int, trials: int, size: int
) -> None:
    assert pack_size(parameters, trials, 2, splits=5) == size


def waiting(trials: Iterable[TrialRecord]) -> Waiting:
    result = Waiting()
    for trial in trials:
        result.add(trial)
    return result


def numbers_of(trials: list[TrialRecord], *, remaining: int = 100) -> list[int]:
    pack, members = next_pack(
        waiting(trials),
        number=7,
        remaining=remaining,
        workers=1,
        parameter_count=lambda spec: 1_000,
    )
    assert pack.number == 7
    assert [trial.number for trial in pack.trials] == [member.number for member in members]
    return [member.number for member in members]


def test_the_first_waiting_trial_leads_whatever_the_order() -> None:
    assert numbers_of([record(5), record(3), record(4)]) == [3, 4, 5]


def test_a_pack_shares_its_structure() -> None:
    wide = {"hidden": (128,)}
    trials = [record(0), record(1, spec=wide), record(2, spec={"l2": 0.1}), record(3, spec=wide)]
    assert numbers_of(trials) == [0, 2]


def test_a_pack_shares_its_budget_and_its_start() -> None:
    begun = a_checkpoint(1, 2, 0.5)
    trials = [record(0), record(1, last=begun), record(2, epochs=4), record(3)]
    assert numbers_of(trials) == [0, 3]


def test_a_trial_that_failed_before_goes_alone() -> None:
    assert numbers_of([record(0, failures=1), record(1), record(2, failures=1)]) == [0]
    assert numbers_of([record(0), record(1, failures=1), record(2)]) == [0, 2]


def test_a_pack_holds_no_more_than_its_share() -> None:
    assert numbers_of([record(n) for n in range(5)], remaining=3) == [0, 1, 2]


def test_every_member_starts_a_new_attempt() -> None:
    trials = [record(0, attempt=3), record(1)]
    pack, _ = next_pack(
        waiting(trials), number=0, remaining=9, workers=1, parameter_count=lambda spec: 1_000
    )
    assert [trial.attempt for trial in pack.trials] == [4, 1]
    assert [(trial.attempt, trial.state) for trial in trials] == [(4, "running"), (1, "running")]


@pytest.mark.parametrize("seed", range(20))
def test_packs_come_in_the_order_of_numbers_whoever_waits_and_comes_back(seed: int) -> None:
    chance = random.Random(seed)
    queue, outside = Waiting(), [a_trial_of_some_group(n, chance) for n in range(60)]
    inside: dict[int, TrialRecord] = {}
    while outside or inside:
        for _ in range(chance.randrange(len(outside) + 1)):
            trial = outside.pop(chance.randrange(len(outside)))
            inside[trial.number] = trial
            queue.add(trial)
            queue.add(trial)
        assert len(queue) == len(inside)
        if not inside:
            continue
        first, most = inside[min(inside)], chance.randint(1, 5)
        assert queue.first() is first
        like_it = [number for number in sorted(inside) if inside[number].group == first.group]
        taken = queue.take(most)
        assert [trial.number for trial in taken] == like_it[:most]
        for trial in taken:
            del inside[trial.number]
            if chance.random() < 0.2:
                trial.failures += 1
                outside.append(trial)


def a_trial_of_some_group(number: int, chance: random.Random) -> TrialRecord:
    spec = {"hidden": (chance.choice([8, 16]),), "l2": chance.random()}
    return record(number, spec=spec, epochs=chance.choice([3, 3, 4]))


def test_what_a_trial_can_train_with_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(spec: NetworkSpec) -> Any:
        nonlocal calls
        calls += 1
        return spec.hidden

    monkeypatch.setattr(trials_module, "structure", counted)
    queue = waiting(record(number, spec={"hidden": (number + 1,)}) for number in range(50))
    while queue:
        next_pack(queue, number=0, remaining=1, workers=1, parameter_count=lambda spec: 1_000)
    assert calls == 50


@pytest.mark.parametrize(
    ("epoch", "values", "prunes", "fate"),
    [
        (1, {}, False, None),
        (3, {}, False, ("complete", None)),
        (1, {"stopped": "no better"}, False, ("complete", "no better")),
        (1, {"failure": "became nan"}, False, ("failed", "became nan")),
        (3, {"failure": "became nan"}, True, ("failed", "became nan")),
        (1, {}, True, ("pruned", "pruned in epoch 1")),
        (3, {}, True, ("complete", None)),  # nothing is left to be saved
        (1, {"stopped": "no better"}, True, ("complete", "no better")),
    ],
)
def test_how_a_trial_ends(epoch: int, values: Any, prunes: bool, fate: Any) -> None:
    assert record(0).fate(a_report(0, epoch, **values), prunes=prunes) == fate


def test_a_promoted_trial_goes_on_from_its_last_checkpoint() -> None:
    trial = record(0, state="complete", reason="no better", epochs_done=3, attempt=2)
    trial.learn(a_report(0, 3, 0.5), 0.5)
    assert trial.ended
    trial.promote(1, 9)
    assert (trial.stage, trial.epochs, trial.state, trial.reason) == (1, 9, "waiting", None)
    assert not trial.ended
    assert numbers_of([trial]) == [0]
    assert trial.message().start == a_checkpoint(0, 3, 0.5)
    assert trial.accepts(a_report(0, 4, attempt=3))
    assert not trial.accepts(a_report(0, 3, attempt=3))
