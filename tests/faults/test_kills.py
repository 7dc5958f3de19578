"""Promises 1 and 2: kill the master at any point, or the power; go on; nothing differs."""

import ast
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import hpsearch
import workers
from tests.faults.lab.interruption import cut_power, kill_after, kill_at, moments, survey
from tests.faults.lab.outcome import outcome
from tests.faults.lab.promise_table import PromiseTable
from tests.faults.lab.search_processes import THREE_STAGES, Lab, NewLab
from tests.support import write_mixed

POINT = "1 acknowledged epochs survive, 2 the rest is equal: killed at a point"
MOMENT = "1 acknowledged epochs survive, 2 the rest is equal: killed at a random moment"
POWER = "1 acknowledged epochs survive, 2 the rest is equal: power lost at a point"
MOMENTS = 300
READ_ONLY = 4
"""The last so many points are passed when all is written, to show it; not always all of them."""


def in_source() -> Iterator[str]:
    """Yield the names of all failpoints of both packages."""
    for package in (hpsearch, workers):
        for path in Path(package.__path__[0]).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "failpoint":
                    yield ast.literal_eval(call.args[0])


def test_a_search_passes_every_failpoint(new_lab: NewLab, passed: list[str]) -> None:
    """Some it passes only when it goes on after it was killed."""
    lab = new_lab()
    lab.search(failpoint="file.after_link=kill@9").wait()
    lab.passed()
    assert lab.search(failpoint="*=note").wait().code == 0
    assert set(in_source()) == {*passed, *lab.passed()}


def test_killed_once_at_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], promises: PromiseTable
) -> None:
    plans = [f"{name}=kill@{1 + passed.count(name) // 2}" for name in sorted(set(passed))]
    faults = {plan: partial(kill_at, new_lab, whole, plan) for plan in plans}
    assert survey(promises, POINT, faults) == []


@pytest.mark.slow
def test_killed_at_every_pass_of_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], promises: PromiseTable
) -> None:
    faults = {
        f"{hit} {name}": partial(kill_at, new_lab, whole, f"*=kill@{hit}")
        for hit, name in enumerate(passed, 1)
    }
    assert survey(promises, POINT, faults) == []


@pytest.mark.slow
def test_killed_at_random_moments(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    rng = random.Random(5)
    delays = [moments(rng, 0.8) for _ in range(MOMENTS)]
    faults = {f"{each}": partial(kill_after, new_lab, whole, each) for each in delays}
    assert survey(promises, MOMENT, faults) == []


@pytest.mark.slow
def test_on_a_table_of_all_kinds_killed_at_random_moments(
    new_lab: NewLab, tmp_path: Path, promises: PromiseTable
) -> None:
    """Text, dates, missing values; learned vectors, weights of classes, folds in time's order."""
    data = {
        "source": str(write_mixed(tmp_path / "animals.csv")),
        "target": "animal",
        "categories": {"min_frequency": 1, "one_hot_max_size": 1},
        "time": "seen",
        "folds": 2,
    }
    network = {**THREE_STAGES["network"], "class_weight": "balanced"}
    document = {**THREE_STAGES, "data": data, "network": network}

    def new_mixed_lab() -> Lab:
        lab = new_lab()
        lab.configure(document)
        return lab

    lab = new_mixed_lab()
    ended = lab.search().wait()
    assert ended.code == 0, ended.output
    whole, rng = outcome(lab.run), random.Random(6)
    delays = [moments(rng, 0.8) for _ in range(MOMENTS // 6)]
    faults = {f"{each}": partial(kill_after, new_mixed_lab, whole, each) for each in delays}
    assert survey(promises, MOMENT, faults) == []


@pytest.mark.slow
@pytest.mark.parametrize("names_survive", [False, True])
def test_power_lost_at_every_pass_of_every_failpoint(
    new_lab: NewLab,
    whole: dict[str, str],
    passed: list[str],
    promises: PromiseTable,
    names_survive: bool,
) -> None:
    faults = {
        f"{hit} {name}": partial(cut_power, new_lab, whole, hit, names_survive=names_survive)
        for hit, name in enumerate(passed[:-READ_ONLY], 1)
    }
    assert survey(promises, POWER, faults) == []
