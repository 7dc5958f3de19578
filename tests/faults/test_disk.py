"""Promise 7: a full, read-only or failing disk costs one line and exit code 1, no more."""

import shutil
from functools import partial

import pytest

from tests.faults.lab.disks import SmallDisk
from tests.faults.lab.interruption import finish, one_line, survey
from tests.faults.lab.outcome import difference, outcome
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import NewLab

ERRORS = "7 disk errors cost one line, nothing more: error injected at a point"
FULL = "7 disk errors cost one line, nothing more: full or read-only file system"


def disk_fails(new_lab: NewLab, whole: dict[str, str], plan: str) -> Verdict:
    """Let a disk fail, see one line and exit code 1 (or no harm), mend it, go on."""
    lab = new_lab()
    ended = lab.search(failpoint=plan).wait()
    if ended.code == 0:
        return judge(wrong=difference(whole, outcome(lab.run)))
    if ended.code != 1:
        return judge(wrong=f"exit code {ended.code}: {ended.output[-800:]}")
    return judge(wrong=line) if (line := one_line(ended)) else finish(lab, whole)


def test_an_error_at_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], promises: PromiseTable
) -> None:
    plans = [f"{name}=ENOSPC@{1 + passed.count(name) // 2}+" for name in sorted(set(passed))]
    faults = {plan: partial(disk_fails, new_lab, whole, plan) for plan in plans}
    assert survey(promises, ERRORS, faults) == []


@pytest.mark.slow
@pytest.mark.parametrize("lasting", ["", "+"])
def test_an_error_at_every_pass_of_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], promises: PromiseTable, lasting: str
) -> None:
    """The kinds of error take turns, transient and lasting ones in a different order."""
    kinds = ["ENOSPC", "EIO", "EROFS"][:: -1 if lasting else 1]
    plans = [f"*={kinds[hit % 3]}@{hit}{lasting}" for hit in range(1, len(passed) + 1)]
    faults = {plan: partial(disk_fails, new_lab, whole, plan) for plan in plans}
    assert survey(promises, ERRORS, faults) == []


@pytest.mark.slow
def test_full_and_read_only_file_systems(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    """A file system fills at many sizes, is mended by growing, and once is read-only."""
    for kilobytes in [*range(16, 512, 24), 0]:
        lab = new_lab()
        with SmallDisk(lab, kilobytes or 4096) as disk:
            if not kilobytes:
                disk.remount("ro")
            ended = lab.search(inject=disk.enter).wait()
            disk.remount("rw,size=64m")
            wrong = one_line(ended) if ended.code else None
            if ended.code not in (0, 1):
                wrong = f"exit code {ended.code}: {ended.output[-800:]}"
            again = lab.search(inject=disk.enter).wait()
            if again.code:
                wrong = wrong or f"it did not go on: {again.output[-500:]}"
            else:
                disk.copy(lab.run, lab.folder / "copied")
                wrong = wrong or difference(whole, outcome(lab.folder / "copied"))
        verdict = promises.enter(FULL, judge(wrong=wrong))
        assert verdict.good, f"{kilobytes} kB: {verdict.detail}"
        shutil.rmtree(lab.folder)
