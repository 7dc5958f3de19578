"""Promises 1, 2, 4, 6 and 9 on Ray: kill, stop and starve the master, workers and the raylet."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.lab.interruption import one_line
from tests.faults.lab.outcome import acknowledged, difference, missing, outcome
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.ray_nodes import descendants
from tests.faults.lab.search_processes import Lab, NewLab, Started, with_study

KILLED = "1 acknowledged epochs survive, 2 the rest is equal: killed on Ray"
ENDS = "6 every trial ends: hung workers and lost nodes on Ray"
MEMORY = "9 out of memory is retried twice"

SECONDS = 180.0
IMPATIENT = with_study(max_silence=3)

pytestmark = pytest.mark.slow


def on_ray(lab: Lab, failpoint: str | None = None) -> Started:
    """Start the search with two workers on a Ray of its own."""
    lab.configure(IMPATIENT)
    return lab.search("--workers", "2", failpoint=failpoint)


def through(new_lab: NewLab, whole: dict[str, str], plan: str) -> Verdict:
    """Let a fault happen to a worker; the search must end as if nothing had been."""
    lab = new_lab()
    ended = on_ray(lab, plan).wait(SECONDS)
    if ended.code != 0:
        return judge(wrong=f"{ended.code}: {ended.output[-500:]}")
    if not (lab.points / "fired").exists():
        return judge(wrong=f"{plan} was never reached")
    return judge(lost=missing(lab, {}), wrong=difference(whole, outcome(lab.run)))


def resumed(
    new_lab: NewLab, whole: dict[str, str], plan: str | None, harm: Callable[[Started], None] | None
) -> Verdict:
    """Let a fault end the search, go on with it on Ray, and find all as it should be."""
    lab = new_lab()
    started = on_ray(lab, plan)
    if harm is not None:
        while not acknowledged(lab.run):
            time.sleep(0.05)
        harm(started)
    ended = started.wait(SECONDS)
    if ended.code == 1 and (line := one_line(ended)):
        return judge(wrong=line)
    before = acknowledged(lab.run)
    lost = missing(lab, {})
    again = on_ray(lab).wait(SECONDS)
    if again.code != 0:
        return judge(lost=lost, wrong=f"it did not go on: {again.output[-500:]}")
    found = {key: value for key, value in outcome(lab.run).items() if key in whole}
    return judge(lost=lost or missing(lab, before), wrong=difference(whole, found))


def kill_all(started: Started) -> None:
    """Kill the master and everything below it at once."""
    for pid in [started.pid, *(pid for pid, _ in descendants(started.pid))]:
        os.kill(pid, signal.SIGKILL)


def kill_raylet(started: Started) -> None:
    """Kill the process that starts workers."""
    for pid, command in descendants(started.pid):
        if "raylet/raylet" in command.split("\0")[0]:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("plan", ["file.before_sync=kill@2", "file.before_link=kill@3"])
def test_a_worker_is_killed(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, plan: str
) -> None:
    verdict = promises.enter(KILLED, through(new_lab, whole, plan))
    assert verdict.good, verdict.detail


@pytest.mark.parametrize(
    "plan",
    [
        *("store.after_commit=kill@6", "store.before_commit=kill@9"),
        *("master.after_dispatch=kill@2", "master.before_remove=kill@3"),
    ],
)
def test_the_master_is_killed(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, plan: str
) -> None:
    verdict = promises.enter(KILLED, resumed(new_lab, whole, plan, None))
    assert verdict.good, verdict.detail


def test_all_are_killed(new_lab: NewLab, whole: dict[str, str], promises: PromiseTable) -> None:
    verdict = promises.enter(KILLED, resumed(new_lab, whole, None, kill_all))
    assert verdict.good, verdict.detail


def test_the_raylet_is_killed(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    verdict = promises.enter(ENDS, resumed(new_lab, whole, None, kill_raylet))
    assert verdict.good, verdict.detail


@pytest.mark.parametrize("plan", ["file.before_link=stop@2", "file.before_sync=sleep@3"])
def test_a_worker_hangs(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, plan: str
) -> None:
    """Stopped or asleep, it is killed and its trials go on elsewhere."""
    verdict = promises.enter(ENDS, through(new_lab, whole, plan))
    assert verdict.good, verdict.detail


def test_memory_runs_out_once(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    verdict = promises.enter(MEMORY, through(new_lab, whole, "file.before_write=memory@2"))
    assert verdict.good, verdict.detail
