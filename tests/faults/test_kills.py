"""Promises 1 and 2: kill the master at any point, or the power; go on; nothing differs."""

import ast
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hpsearch
import workers
from tests.faults.ledger import Ledger
from tests.faults.runs import Lab
from tests.faults.survival import cut_power, kill_after, kill_at, moments

POINT = "1 acknowledged epochs survive, 2 the rest is equal: killed at a point"
MOMENT = "1 acknowledged epochs survive, 2 the rest is equal: killed at a random moment"
POWER = "1 acknowledged epochs survive, 2 the rest is equal: power lost at a point"
MOMENTS = 300

NewLab = Callable[[], Lab]


def in_source() -> Iterator[str]:
    """Yield the names of all failpoints of both packages."""
    for package in (hpsearch, workers):
        for path in Path(package.__path__[0]).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "failpoint":
                    yield ast.literal_eval(call.args[0])


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the failpoints that a whole search passes, in order."""
    lab = Lab(tmp_path_factory.mktemp("passed"))
    lab.configure()
    assert lab.search(failpoint="*=note").wait().code == 0
    return lab.passed()


def test_a_search_passes_every_failpoint(new_lab: NewLab, passed: list[str]) -> None:
    """Some it passes only when it goes on after it was killed."""
    lab = new_lab()
    lab.search(failpoint="file.after_link=kill@9").wait()
    lab.passed()
    assert lab.search(failpoint="*=note").wait().code == 0
    assert set(in_source()) == {*passed, *lab.passed()}


def test_killed_once_at_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], ledger: Ledger
) -> None:
    for name in sorted(set(passed)):
        middle = 1 + passed.count(name) // 2
        verdict = ledger.enter(POINT, kill_at(new_lab(), whole, f"{name}=kill@{middle}"))
        assert verdict.good, f"{name}@{middle}: {verdict.detail}"


@pytest.mark.slow
def test_killed_at_every_pass_of_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], ledger: Ledger
) -> None:
    for hit in range(1, len(passed) + 1):
        verdict = ledger.enter(POINT, kill_at(new_lab(), whole, f"*=kill@{hit}"))
        assert verdict.good, f"{passed[hit - 1]}, point {hit}: {verdict.detail}"


@pytest.mark.slow
def test_killed_at_random_moments(new_lab: NewLab, whole: dict[str, str], ledger: Ledger) -> None:
    rng = random.Random(5)
    for _ in range(MOMENTS):
        delays = moments(rng, 0.6)
        verdict = ledger.enter(MOMENT, kill_after(new_lab(), whole, delays))
        assert verdict.good, f"{delays}: {verdict.detail}"


@pytest.mark.slow
@pytest.mark.parametrize("names_survive", [False, True])
def test_power_lost_at_every_pass_of_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], ledger: Ledger, names_survive: bool
) -> None:
    for hit in range(1, len(passed) + 1):
        verdict = cut_power(new_lab(), whole, hit, names_survive=names_survive)
        assert ledger.enter(POWER, verdict).good, f"{passed[hit - 1]}, {hit}: {verdict.detail}"
