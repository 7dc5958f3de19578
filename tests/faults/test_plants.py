"""The trials can fail: each fault planted in the program is caught by one of them."""

import math
from collections.abc import Callable
from functools import partial

import pytest

from tests.faults import plants
from tests.faults.ledger import Ledger, Verdict
from tests.faults.runs import NewLab
from tests.faults.survival import Plant, cut_power, kill_at
from tests.faults.test_checkpoint_files import damaged_between
from tests.faults.test_doors import closed_doors
from tests.faults.test_masters import twenty
from tests.faults.test_workers import diverged, unharmed
from tests.faults.workers_gone_wrong import come_back

Attempt = Callable[[NewLab, dict[str, str], Plant, int], Verdict]

COMMITS = (4, 7, 10, 13, 16, 5, 6, 8, 9, 11, 12, 14, 15)
"""The 17 commits of the search, but for those at its ends; distant ones first."""


BESIDE_THE_POINT = ("ended with 0", "Traceback", 'File "')


def killed(point: str) -> Attempt:
    """Return the trial that kills at the n-th pass of a point."""
    return lambda new_lab, whole, plant, n: kill_at(
        new_lab, whole, f"{point}=kill@{n}", plant=plant
    )


def unpowered(new_lab: NewLab, whole: dict[str, str], plant: Plant, n: int) -> Verdict:
    """Cut the power at every 31st point, names of files surviving or not."""
    return cut_power(new_lab, whole, n * 31, names_survive=n % 2 == 0, plant=plant)


def haunted(new_lab: NewLab, whole: dict[str, str], plant: Plant, n: int) -> Verdict:
    """Let a worker come back."""
    return unharmed(new_lab, whole, plant, partial(come_back, n))


def not_finite(new_lab: NewLab, whole: dict[str, str], plant: Plant, n: int) -> Verdict:
    """Let trials diverge."""
    return diverged(new_lab, frozenset({n, n + 1}), 1, math.nan, "maximize", plant)


def crowded(new_lab: NewLab, whole: dict[str, str], plant: Plant, n: int) -> Verdict:
    """Start many masters."""
    return twenty(new_lab, whole, exists=True, plant=plant)


CAUGHT_BY: dict[str, tuple[Plant, str, Attempt]] = {
    "no fsync of files": (plants.no_sync_of_files, "power lost", unpowered),
    "no fsync of folders": (plants.no_sync_of_folders, "power lost", unpowered),
    "named before written": (plants.name_before_content, "power lost", unpowered),
    "commit not synced": (plants.trust_the_disk, "pragmas read back", closed_doors),
    "acknowledged before committed": (
        *(plants.acknowledge_before_commit, "killed before an fsync"),
        killed("file.before_sync"),
    ),
    "removed before committed": (
        *(plants.remove_before_commit, "killed before a commit"),
        killed("store.before_commit"),
    ),
    "all files taken for left-overs": (
        *(plants.tidy_everything, "killed after a commit"),
        killed("store.after_commit"),
    ),
    "left-overs left": (
        plants.tidy_nothing,
        "killed before a link",
        killed("file.before_link"),
    ),
    "numbers drawn from the clock": (
        *(plants.numbers_from_the_clock, "killed after a commit"),
        killed("store.after_commit"),
    ),
    "optimizer state not restored": (
        *(plants.go_on_with_parameters_only, "killed after a commit"),
        killed("store.after_commit"),
    ),
    "no lock": (plants.no_lock, "twenty at once", crowded),
    "no fence": (plants.no_fence, "a worker comes back", haunted),
    "damaged files believed": (plants.believe_every_file, "a file changed", damaged_between),
    "diverged trials win": (plants.infinity_wins, "NaN", not_finite),
    "files for everybody": (plants.open_doors, "modes of all files", closed_doors),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CAUGHT_BY))
def test_a_planted_fault_is_caught(
    name: str, new_lab: NewLab, whole: dict[str, str], ledger: Ledger
) -> None:
    plant, trial, attempt = CAUGHT_BY[name]
    for tries, n in enumerate(COMMITS, 1):
        try:
            verdict = attempt(new_lab, whole, plant, n)
        except Exception as error:
            verdict = Verdict("wrong", repr(error))
        # A search that does not come to the point, or breaks down, shows nothing.
        if not verdict.good and not any(sign in verdict.detail for sign in BESIDE_THE_POINT):
            detail = " ".join(verdict.detail.split())[:80]
            ledger.figures.append(f"planted: {name}; caught by: {trial}, fault {tries}: {detail}")
            return
    pytest.fail(f"{name} was not caught in {len(COMMITS)} faults")
