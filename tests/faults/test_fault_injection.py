"""The trials can fail: each fault injected into the program is caught by one of them."""

import math
from collections.abc import Callable
from functools import partial

import pytest

from tests.faults.lab import fault_injection
from tests.faults.lab.interruption import Inject, cut_power, kill_at
from tests.faults.lab.promise_table import PromiseTable, Verdict
from tests.faults.lab.search_processes import NewLab
from tests.faults.lab.workers_gone_wrong import come_back
from tests.faults.test_checkpoint_files import damaged_between
from tests.faults.test_masters import twenty
from tests.faults.test_security import private_files
from tests.faults.test_workers import diverged, unharmed

Attempt = Callable[[NewLab, dict[str, str], Inject, int], Verdict]

COMMITS = (4, 7, 10, 13, 16, 5, 6, 8, 9, 11, 12, 14, 15)
"""The 17 commits of the search, but for those at its ends; distant ones first."""


BESIDE_THE_POINT = ("ended with 0", "Traceback", 'File "')


def killed(point: str) -> Attempt:
    """Return the trial that kills at the n-th pass of a point."""
    return lambda new_lab, whole, inject, n: kill_at(
        new_lab, whole, f"{point}=kill@{n}", inject=inject
    )


def unpowered(new_lab: NewLab, whole: dict[str, str], inject: Inject, n: int) -> Verdict:
    """Cut the power at every 31st point, names of files surviving or not."""
    return cut_power(new_lab, whole, n * 31, names_survive=n % 2 == 0, inject=inject)


def haunted(new_lab: NewLab, whole: dict[str, str], inject: Inject, n: int) -> Verdict:
    """Let a worker come back."""
    return unharmed(new_lab, whole, inject, partial(come_back, n))


def not_finite(new_lab: NewLab, whole: dict[str, str], inject: Inject, n: int) -> Verdict:
    """Let trials diverge."""
    return diverged(new_lab, frozenset({n, n + 1}), 1, math.nan, "maximize", inject)


def crowded(new_lab: NewLab, whole: dict[str, str], inject: Inject, n: int) -> Verdict:
    """Start many masters."""
    return twenty(new_lab, whole, exists=True, inject=inject)


CAUGHT_BY: dict[str, tuple[Inject, str, Attempt]] = {
    "no fsync of files": (fault_injection.no_sync_of_files, "power lost", unpowered),
    "no fsync of folders": (fault_injection.no_sync_of_folders, "power lost", unpowered),
    "named before written": (fault_injection.name_before_content, "power lost", unpowered),
    "commit not synced": (fault_injection.trust_the_disk, "pragmas read back", private_files),
    "acknowledged before committed": (
        *(fault_injection.acknowledge_before_commit, "killed before an fsync"),
        killed("file.before_sync"),
    ),
    "removed before committed": (
        *(fault_injection.remove_before_commit, "killed before a commit"),
        killed("store.before_commit"),
    ),
    "all files taken for left-overs": (
        *(fault_injection.tidy_everything, "killed after a commit"),
        killed("store.after_commit"),
    ),
    "left-overs left": (
        fault_injection.tidy_nothing,
        "killed before a link",
        killed("file.before_link"),
    ),
    "numbers drawn from the clock": (
        *(fault_injection.numbers_from_the_clock, "killed after a commit"),
        killed("store.after_commit"),
    ),
    "optimizer state not restored": (
        *(fault_injection.go_on_with_parameters_only, "killed after a commit"),
        killed("store.after_commit"),
    ),
    "no lock": (fault_injection.no_lock, "twenty at once", crowded),
    "no fence": (fault_injection.no_fence, "a worker comes back", haunted),
    "damaged files believed": (
        fault_injection.believe_every_file,
        "a file changed",
        damaged_between,
    ),
    "diverged trials win": (fault_injection.infinity_wins, "NaN", not_finite),
    "files for everybody": (fault_injection.public_files, "modes of all files", private_files),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CAUGHT_BY))
def test_an_injected_fault_is_caught(
    name: str, new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    inject, trial, attempt = CAUGHT_BY[name]
    for tries, n in enumerate(COMMITS, 1):
        try:
            verdict = attempt(new_lab, whole, inject, n)
        except Exception as error:
            verdict = Verdict("wrong", repr(error))
        # A search that does not come to the point, or breaks down, shows nothing.
        if not verdict.good and not any(sign in verdict.detail for sign in BESIDE_THE_POINT):
            detail = " ".join(verdict.detail.split())[:80]
            promises.figures.append(
                f"injected: {name}; caught by: {trial}, fault {tries}: {detail}"
            )
            return
    pytest.fail(f"{name} was not caught in {len(COMMITS)} faults")
