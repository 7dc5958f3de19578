"""Promise 5: one master a run, whoever starts how many and when."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.faults.lab.interruption import Inject, finish, one_line, survey
from tests.faults.lab.outcome import difference, outcome
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import Lab, NewLab, Started

TWENTY = "5 one master a run: twenty started at once"
FREED = "5 one master a run: a killed master's lock is free"
TAKEN = "5 one master a run: taken over from another host"


def twenty(
    new_lab: NewLab, whole: dict[str, str], *, exists: bool, inject: Inject | None = None
) -> Verdict:
    """Start twenty; one wins, or a later one goes on; the others say who holds the run."""
    lab = new_lab()
    if exists:
        lab.search(failpoint="store.after_commit=kill@3").wait()
    # Who comes to train stays there a while, so that all twenty meet.
    started = [lab.search(inject=partial(_hesitate, inject)) for _ in range(20)]
    ended = [each.wait() for each in started]
    winners = [each for each in ended if each.code == 0]
    refused = [each for each in ended if each.code != 0]
    named = {f"process {each.pid} on " for each in started}
    for each in refused:
        wrong = one_line(each)
        known = "must be new" in each.output or any(name in each.output for name in named)
        if wrong or each.code not in (1, 2) or not known:
            return judge(wrong=wrong or f"{each.code}: {each.output}")
    if len(winners) != 1:
        return judge(wrong=f"{len(winners)} masters")
    return judge(wrong=difference(whole, outcome(lab.run)))


def _hesitate(inject: Inject | None) -> None:
    from hpsearch.run import master

    if inject is not None:
        inject()
    performed = master.Master.run

    def run(self: master.Master, watch: master.Watch) -> None:
        time.sleep(4)
        performed(self, watch)

    master.Master.run = run  # type: ignore[method-assign]


def stopped(new_lab: NewLab, inject: Callable[[], None] | None = None) -> tuple[Lab, Started]:
    """Return a lab whose run is held by a master that is stopped in the middle."""
    lab = new_lab()
    started = lab.search(failpoint="store.after_commit=stop@9", inject=inject)
    state = Path(f"/proc/{started.pid}/stat")
    while state.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)
    return lab, started


def freed(new_lab: NewLab, whole: dict[str, str]) -> Verdict:
    """Refuse a second master while the first is there, stopped; kill it; go on at once."""
    lab, started = stopped(new_lab)
    refused = lab.search().wait()
    over = lab.start(["resume", str(lab.run), "--in-process", "--take-over"]).wait()
    wrong = one_line(refused) or one_line(over)
    if refused.code != 1 or over.code != 1 or f"process {started.pid} on" not in over.output:
        wrong = f"{refused}, {over}"
    started.kill()
    return judge(wrong=wrong) if wrong else finish(lab, whole)


def _elsewhere() -> None:
    import socket

    socket.gethostname = lambda: "elsewhere"


def taken_over(new_lab: NewLab, whole: dict[str, str]) -> Verdict:
    """Take over from a stopped master on another host; when it wakes it may not write."""
    lab, started = stopped(new_lab, _elsewhere)
    refused = lab.search().wait()
    if refused.code != 1 or "--take-over" not in refused.output:
        started.kill()
        return judge(wrong=refused.output)
    over = lab.start(["resume", str(lab.run), "--in-process", "--take-over"]).wait()
    os.kill(started.pid, signal.SIGCONT)
    late = started.wait()
    if over.code != 0 or late.code != 1 or one_line(late):
        return judge(wrong=f"{over}, {late}")
    # The other's worker may have finished a file before it was told; no table names it.
    found = {key: value for key, value in outcome(lab.run).items() if key in whole}
    return judge(wrong=difference(whole, found))


@pytest.mark.parametrize("exists", [False, True])
def test_twenty_at_once(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, exists: bool
) -> None:
    faults = {"twenty": partial(twenty, new_lab, whole, exists=exists)}
    assert survey(promises, TWENTY, faults) == []


def test_a_killed_holder_frees_the_run(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    assert survey(promises, FREED, {"killed": partial(freed, new_lab, whole)}) == []


def test_take_over_from_another_host(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    assert survey(promises, TAKEN, {"stopped": partial(taken_over, new_lab, whole)}) == []
