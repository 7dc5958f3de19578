"""Promises 4, 11 and 12 on a cluster that runs already: neighbours, lost nodes, late workers."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from hpsearch.execution.cluster import heartbeat
from hpsearch.storage.sqlite.rows import FailureRow
from hpsearch.storage.store import Store
from tests.faults.lab.interruption import finish
from tests.faults.lab.outcome import acknowledged, difference, missing, outcome
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.ray_nodes import Nodes, running, until
from tests.faults.lab.search_processes import Lab, NewLab, Started, with_study

TWICE = "4 no epoch counts twice: a stopped worker goes on, on Ray"
ENDS = "6 every trial ends: hung workers and lost nodes on Ray"
BESIDE = "11 searches side by side, one of them killed"
NODES = "12 nodes lost: nothing lost, all equal"

SECONDS = 300.0


pytestmark = pytest.mark.slow


def stages(*sizes: tuple[int, int]) -> list[dict[str, Any]]:
    """Return stages of so many trials and epochs."""
    names = ("coarse", "medium", "fine")
    return [
        {"name": name, "num_trials": trials, "epochs": epochs}
        | ({"narrow": {"keep_top": 0.5}} if name != "coarse" else {})
        for name, (trials, epochs) in zip(names, sizes, strict=True)
    ]


def seeded(seed: int, **study: Any) -> dict[str, Any]:
    """Return a search whose workers nap at each checkpoint, so that it lasts a while."""
    return {**with_study(seed=seed, **study), "stages": stages((6, 1), (4, 3), (3, 8))}


def alone(new_lab: NewLab, document: dict[str, Any]) -> dict[str, str]:
    """Return what a search comes to in a process of its own, without a cluster."""
    lab = new_lab()
    lab.configure(document)
    ended = lab.search().wait()
    if ended.code != 0:
        raise RuntimeError(ended.output)
    return outcome(lab.run)


def joined(lab: Lab, cluster: Nodes, workers: int) -> Started:
    """Start a search on a cluster."""
    return lab.search("--workers", str(workers), "--address", cluster.address)


def verdict(lab: Lab, started: Started, whole: dict[str, str]) -> Verdict:
    """Judge what a search comes to in the end."""
    ended = started.wait(SECONDS)
    if ended.code != 0:
        return judge(lost=missing(lab, {}), wrong=f"{ended.code}: {ended.output[-500:]}")
    return judge(lost=missing(lab, {}), wrong=difference(whole, outcome(lab.run)))


def failures(run: Path) -> list[FailureRow]:
    """Return the failed attempts that are written down."""
    if not (run / "search.db").exists():
        return []
    with Store.read(run / "search.db") as store:
        return list(store.failures())


NAP = {"HPSEARCH_FAILPOINT": "file.before_sync=nap@1+"}


def beside(
    labs: list[Lab], wholes: list[dict[str, str]], victim: int, cluster: Nodes
) -> list[Verdict]:
    """Kill one of the searches in the middle, go on with it, and judge them all."""
    searches = [joined(lab, cluster, 1) for lab in labs]
    until(lambda: all(len(acknowledged(lab.run)) >= 8 for lab in labs))
    others = [search for k, search in enumerate(searches) if k != victim]
    before = acknowledged(labs[victim].run)
    if not all(search.process.is_alive() for search in others):
        raise RuntimeError("a neighbour was over before the kill")
    searches[victim].kill()
    until(lambda: len(cluster.workers()) <= len(others))
    searches[victim] = joined(labs[victim], cluster, 1)
    found = [verdict(*each) for each in zip(labs, searches, wholes, strict=True)]
    until(lambda: not cluster.workers())
    return [judge(lost=missing(labs[victim], before)), *found]


def test_a_neighbour_is_killed(new_lab: NewLab, promises: PromiseTable) -> None:
    """Each of three searches on three CPUs is killed once; it needs its CPU back to go on."""
    documents = [seeded(seed) for seed in (3, 4, 5)]
    wholes = [alone(new_lab, document) for document in documents]
    harms: list[str] = []
    with running(cpus=3, **NAP) as cluster:
        for victim in range(3):
            labs = [new_lab() for _ in documents]
            for lab, document in zip(labs, documents, strict=True):
                lab.configure(document)
            found = beside(labs, wholes, victim, cluster)
            worst = ([each for each in found if not each.good] or found)[0]
            promises.enter(BESIDE, worst)
            harms += [worst.detail] if not worst.good else []
    assert harms == []


def stop_and_go_on(lab: Lab, cluster: Nodes, whole: dict[str, str], *, late: bool) -> Verdict:
    """Let a worker be stopped past its deadline, and go on at once or when another has."""
    started = joined(lab, cluster, 2)
    until(lambda: [each for each in failures(lab.run) if "it hung" in each.cause], 60)
    (stopped,) = [pid for pid in cluster.workers() if state(pid) == "T"]
    hung = {each.trial: each.epoch for each in failures(lab.run)}
    if late:
        until(lambda: any(hung.get(t, 99) < epoch for t, epoch in acknowledged(lab.run)), 60)
    os.kill(stopped, signal.SIGCONT)
    found = verdict(lab, started, whole)
    until(lambda: not cluster.workers())
    with Store.read(lab.run / "search.db") as store:
        told = [(row.trial, row.epoch) for row in store.epochs()]
    twice = "an epoch counts twice" if len(told) != len(set(told)) else None
    return judge(wrong=twice) if found.good else found


def state(pid: int) -> str:
    """Return the state of a process, ``T`` if it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("point", ["file.before_write", "file.before_sync", "file.before_link"])
def test_a_stopped_worker_goes_on(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, point: str, late: bool
) -> None:
    lab = new_lab()
    lab.configure(with_study(max_silence=3))
    plan = {
        "HPSEARCH_FAILPOINT": f"{point}=stop@{2 if late else 3}",
        "HPSEARCH_FAILPOINT_FILES": str(lab.points),
    }
    with running(cpus=3, **plan) as cluster:
        one = promises.enter(TWICE, stop_and_go_on(lab, cluster, whole, late=late))
    assert one.good, one.detail


def hurry() -> None:
    """Let a head be missed sooner."""
    heartbeat.GONE_SECONDS = 4.0


@pytest.mark.parametrize("process", ["gcs_server", "raylet"])
def test_a_joined_cluster_dies(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, process: str
) -> None:
    """The search ends in one line, long before Ray would end it, and goes on elsewhere."""
    lab = new_lab()
    endless = {"HPSEARCH_FAILPOINT": "file.before_sync=sleep@12+"}  # after the first epochs
    with running(cpus=2, **endless) as cluster:
        place = ("--workers", "1", "--address", cluster.address)
        started = lab.search(*place, inject=hurry)
        until(lambda: acknowledged(lab.run))
        (pid,) = cluster.head.find(process)
        os.kill(pid, signal.SIGKILL)
        ended = started.wait(40)
    *before, line = ended.output.splitlines() or [""]
    right = ended.code == 1 and line.startswith("hpsearch: ") and line.endswith("; resume the run")
    warned = [each for each in before if not each.startswith("warning: ")]
    wrong = None if right and not warned else f"{ended.code}: {ended.output[-500:]}"
    one = judge(wrong=wrong) if wrong else finish(lab, whole)
    promises.enter(ENDS, one)
    assert one.good, one.detail


ROUNDS = 15
PATIENT = {
    **seeded(3, max_failures=2 * ROUNDS, max_silence=30),
    "stages": stages((40, 4), (20, 12), (12, 120)),
}
SPARE = 4


def recover(lab: Lab, known: int, began: float) -> float | None:
    """Return after how many seconds the search counted an epoch again, the loss once noticed.

    None if no trial was hit, for the workers were idle, but the search goes on; raises
    TimeoutError if it does not.
    """
    counted, noticed = len(acknowledged(lab.run)), False
    while time.monotonic() < began + 120:
        hit, epochs = failures(lab.run)[known:], len(acknowledged(lab.run))
        if hit and not noticed:
            counted, noticed = epochs, True
        if epochs > counted and noticed:
            return time.monotonic() - began
        if not hit and time.monotonic() > began + 20 and epochs > counted:
            return None
        time.sleep(0.05)
    raise TimeoutError("nothing came after the loss of a node")


def lose_two(lab: Lab, cluster: Nodes, rng: random.Random, *, whole: bool) -> float | None:
    """Lose two nodes at once, those that train first of all, and let two new ones come.

    Returns the seconds until the search went on; None if no trial was hit.
    """
    until(lambda: any(node.workers for node in cluster.nodes))
    nodes = rng.sample(cluster.nodes, len(cluster.nodes))
    doomed = sorted(nodes, key=lambda node: not node.workers)[:2]
    known, began = len(failures(lab.run)), time.monotonic()
    for node in doomed:
        cluster.lose(node, whole=whole)
    new = cluster.add()
    recovered = recover(lab, known, began)
    new.wait()
    cluster.add().wait()
    return recovered


def test_nodes_are_lost(new_lab: NewLab, promises: PromiseTable) -> None:
    """Two at once, their raylets or all of them, again and again; new ones come."""
    whole = alone(new_lab, PATIENT)
    lab, rng = new_lab(), random.Random(12)
    lab.configure(PATIENT)
    seconds: list[float] = []
    losses: list[Verdict] = []
    nap = {
        "HPSEARCH_FAILPOINT": "file.before_s*=nap@1+",
        "HPSEARCH_FAILPOINT_FILES": str(lab.points),
    }
    with running(cpus=0, **nap) as cluster:
        for _ in range(SPARE):
            cluster.add().wait()
        started = joined(lab, cluster, 2)
        until(lambda: acknowledged(lab.run))
        for count in range(ROUNDS):
            recovered = lose_two(lab, cluster, rng, whole=count % 2 == 0)
            assert started.process.is_alive(), f"it was over after round {count + 1}"
            seconds += [] if recovered is None else [recovered]
            losses += [judge(lost=missing(lab, {}))] * 2
        (lab.points / "awake").touch()
        losses[-1] = verdict(lab, started, whole)
    for one in losses:
        promises.enter(NODES, one)
    seconds.sort()
    promises.figures.append(
        f"{len(losses)} nodes lost, two at a time: the search counted its next epoch after"
        f" {seconds[len(seconds) // 2]:.1f} s (median), {seconds[-1]:.1f} s (longest)"
    )
    assert [one.detail for one in losses if not one.good] == []
