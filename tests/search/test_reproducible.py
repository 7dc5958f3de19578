"""Promises: results depend neither on workers, nor on timing, nor on interruptions."""

import random
from typing import Any

import pytest

from hpsearch.config.search_config import SearchConfig
from tests.simulated_search import SimulatedSearch
from tests.support import tiny_config

STAGES: dict[str, list[dict[str, Any]]] = {
    "random": [{"num_trials": 14, "epochs": 2}],
    "sobol": [{"num_trials": 14, "epochs": 2, "sampler": "sobol"}],
    "tpe": [{"num_trials": 30, "epochs": 2, "sampler": "tpe", "generation": 4}],
    "cmaes": [{"num_trials": 30, "epochs": 2, "sampler": "cmaes", "generation": 6}],
    "median": [{"num_trials": 20, "epochs": 5, "pruner": "median", "generation": 5}],
    "percentile": [
        {"num_trials": 20, "epochs": 5, "pruner": {"type": "percentile", "percentile": 60.0}}
    ],
    "asha": [{"num_trials": 24, "epochs": 9, "pruner": "asha", "generation": 6}],
    "hyperband": [{"num_trials": 24, "epochs": 9, "pruner": "hyperband", "generation": 6}],
    "wilcoxon": [{"num_trials": 20, "epochs": 9, "pruner": "wilcoxon", "generation": 5}],
    "patience": [{"num_trials": 12, "epochs": 9, "pruner": {"type": "patience", "patience": 1}}],
    "threshold": [{"num_trials": 12, "epochs": 4, "pruner": {"type": "threshold", "lower": 0.1}}],
    "part": [
        {"num_trials": 12, "epochs": 0.3, "sampler": "sobol"},
        {"num_trials": 8, "epochs": 5, "promote": 6, "sampler": "gp", "generation": 3},
        {"num_trials": 4, "epochs": 7, "promote": 4, "pruner": "median", "generation": 2},
    ],
    "auto": [
        {"num_trials": 14, "sampler": "sobol"},
        {"num_trials": 30, "epochs": 6, "promote": 10, "narrow": {"keep_top": 4}},
        {"num_trials": 14, "epochs": 10, "promote": 8, "sampler": "gp", "generation": 5},
    ],
    "promotion": [
        {"num_trials": 12, "epochs": 1},
        {"num_trials": 4, "epochs": 3, "promote": 5, "narrow": {"keep_top": 0.5}},
        {"num_trials": 0, "epochs": 6, "promote": 0.3},
    ],
    "gp": [
        {"num_trials": 10, "epochs": 2, "sampler": "sobol", "pruner": "asha", "generation": 5},
        {"num_trials": 8, "epochs": 5, "sampler": "gp", "promote": 4, "generation": 3},
        {"num_trials": 4, "epochs": 8, "sampler": "gp", "promote": 3, "generation": 2},
    ],
    "tpe across stages": [
        {"num_trials": 10, "epochs": 2, "sampler": "sobol"},
        {"num_trials": 6, "epochs": 5, "sampler": "tpe", "promote": 4, "generation": 3},
        {"num_trials": 6, "epochs": 8, "sampler": "tpe", "promote": 6, "generation": 2},
    ],
    "all": [
        {"num_trials": 12, "epochs": 2, "sampler": "sobol"},
        {"num_trials": 12, "epochs": 6, "promote": 4, "sampler": "tpe", "pruner": "asha"},
        {"num_trials": 2, "epochs": 8, "promote": 3, "narrow": {"keep_top": 0.5}},
    ],
}
PATIENT: dict[str, list[dict[str, Any]]] = {
    "gp": [
        {"num_trials": 12, "epochs": 4, "sampler": "sobol"},
        {"num_trials": 6, "epochs": 7, "sampler": "gp", "promote": 6, "generation": 2},
        {"num_trials": 6, "epochs": 10, "sampler": "gp", "promote": 6, "generation": 2},
    ],
    "part": [
        {"num_trials": 12, "epochs": 0.5, "sampler": "sobol"},
        {"num_trials": 6, "epochs": 7, "sampler": "gp", "promote": 12, "generation": 2},
        {"num_trials": 6, "epochs": 10, "sampler": "gp", "promote": 12, "generation": 2},
    ],
    "auto": [
        {"num_trials": 12, "sampler": "sobol"},
        {"num_trials": 20, "epochs": 7, "promote": 12},
        {"num_trials": 6, "epochs": 10, "sampler": "gp", "promote": 32, "generation": 3},
    ],
    "pruned": [
        {"num_trials": 12, "epochs": 4, "sampler": "sobol", "pruner": "asha", "generation": 4},
        {
            "num_trials": 6,
            "epochs": 7,
            "sampler": "gp",
            "promote": 6,
            "generation": 2,
            "pruner": {"type": "median", "startup_trials": 1},
        },
    ],
}
"""Stages whose trials may run out of patience and go on all the same."""

PRUNING = [name for name, stages in STAGES.items() if any("pruner" in stage for stage in stages)]


def config(name: str, **changes: Any) -> SearchConfig:
    stages = [{"name": f"s{number}"} | stage for number, stage in enumerate(STAGES[name])]
    again = {"rescore": {"top": 2, "seeds": 2}, "study__max_failures": 1_000_000}
    return tiny_config(stages=stages, **again, **changes)


@pytest.fixture(scope="module", params=STAGES)
def whole(request: pytest.FixtureRequest) -> tuple[str, SimulatedSearch]:
    return request.param, SimulatedSearch(config(request.param)).finish()


@pytest.mark.parametrize("seed", [0, 2])
def test_workers_timing_and_interruptions_change_nothing(
    whole: tuple[str, SimulatedSearch], seed: int
) -> None:
    name, expected = whole
    other = SimulatedSearch(config(name), workers=seed + 2, size=[100, 10_000, 10**6][seed])
    other.finish(seed=seed, crashes=[0.0, 0.1, 0.15][seed])
    assert other.table() == expected.table()


def test_a_pruned_trial_ends_early_and_keeps_no_file(whole: tuple[str, SimulatedSearch]) -> None:
    name, search = whole
    pruned = {n for n, t in search.trials.items() if t["state"] == "pruned"}
    assert bool(pruned) == (name in PRUNING)
    for number in pruned:
        done = max(epoch for trial, epoch in search.epochs if trial == number)
        assert done < search.trials[number]["epochs"]
        assert not any(file.startswith(f"{number}/") for file in search.files)


@pytest.mark.parametrize("name", PATIENT)
def test_a_trial_that_stopped_early_and_went_on_shows_a_resume_what_it_showed_at_first(
    name: str,
) -> None:
    """The search is taken up again at every step, by other numbers of workers and alike."""
    stages = [{"name": f"s{number}"} | stage for number, stage in enumerate(PATIENT[name])]
    patient = tiny_config(stages=stages, network__patience=1, study__max_failures=1_000_000)
    expected = SimulatedSearch(patient).finish()
    last = len(stages) - 1
    went_on = [n for n, t in expected.trials.items() if t["stage"] == last and n < 12]
    ends = [max(epoch for n, epoch in expected.epochs if n == number) for number in went_on]
    assert min(ends) < PATIENT[name][last]["epochs"]
    for seed in range(3):
        other = SimulatedSearch(patient, workers=seed + 1, size=[100, 10_000, 10**6][seed])
        chance = random.Random(seed)
        while not other.search.finished:
            other.step(chance)
            if other.search.trials and any(t["stage"] for t in other.trials.values()):
                other.begin()
                other.step(chance)
        assert other.table() == expected.table()


def test_stopped_trials_leave_running_packs() -> None:
    """Two workers hear of every stop in the end: little is trained that does not count."""
    search = SimulatedSearch(config("asha"), workers=2, size=100).finish()
    assert search.stops > 0
    assert len(search.epochs) <= search.trained < 1.2 * len(search.epochs)


@pytest.mark.parametrize("name", ["tpe", "asha", "all"])
def test_without_reproducible_it_ends_all_the_same(name: str) -> None:
    free = config(name, study__reproducible=False)
    search = SimulatedSearch(free, workers=3).finish(seed=1, crashes=0.1)
    assert len(search.trials) == len(SimulatedSearch(config(name)).finish().trials)
    assert {t["state"] for t in search.trials.values()} <= {"complete", "pruned"}


def test_the_size_of_generations_counts_and_the_workers_do_not() -> None:
    sizes = [
        SimulatedSearch(config("tpe", stages__0__generation=size), workers=2).finish().trials
        for size in (4, 4, 7)
    ]
    assert sizes[0] == sizes[1] != sizes[2]


def test_promoted_trials_go_on_to_the_total_and_keep_their_numbers() -> None:
    search = SimulatedSearch(config("promotion")).finish()
    best = sorted(range(12), key=lambda n: -search.epochs[n, 1].metrics["val_accuracy"])[:5]
    assert {n for n in range(12) if (n, 2) in search.epochs} == set(best)
    assert all((n, 3) in search.epochs for n in best)
    second = [*best, 12, 13, 14, 15]
    high = sorted(
        second, key=lambda n: -max(search.epochs[n, e].metrics["val_accuracy"] for e in (1, 2, 3))
    )
    # 0.3 of 9, rounded up.
    assert {n for n, t in search.trials.items() if t["stage"] == 2} == set(high[:3])
    assert all((n, 6) in search.epochs for n in high[:3])
    assert all(t["state"] == "complete" for t in search.trials.values())


def test_a_trial_that_goes_on_while_its_last_worker_still_says_goodbye_is_trained_once() -> None:
    """That worker's pack is over: the trial now belongs to the one that took it on."""
    for seed in range(20):
        search = SimulatedSearch(config("promotion"), workers=3, size=100).finish(seed=seed)
        assert search.trained == len(search.epochs)
        assert not any(trial["failures"] for trial in search.trials.values())


def test_the_finalists_are_trained_anew_under_new_numbers() -> None:
    search = SimulatedSearch(config("random")).finish()
    top = sorted(
        range(14), key=lambda n: -max(search.epochs[n, e].metrics["val_accuracy"] for e in (1, 2))
    )[:2]
    again = {n: t["params"] for n, t in search.trials.items() if t["stage"] == 1}
    assert list(again) == [14, 15, 16, 17]
    expected = [search.trials[n]["params"] for n in top for _ in range(2)]
    assert list(again.values()) == expected
