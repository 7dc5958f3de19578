"""Promises 6 and 9 by Ray's own means: its messages fail, and its monitor ends whoever hogs."""

import json
from pathlib import Path

import pytest

from hpsearch.results.tables import Results
from tests.faults.lab.outcome import difference, missing, outcome
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.ray_nodes import running
from tests.faults.lab.search_processes import THREE_STAGES, Ended, Lab, NewLab, with_study
from tests.faults.test_clusters import failures

MESSAGES = "6 every trial ends: Ray's messages fail"
MEMORY = "9 out of memory is retried twice: Ray's monitor"

SECONDS = 240.0
IMPATIENT = with_study(max_silence=5)

pytestmark = pytest.mark.slow


CORE, GCS = "CoreWorkerService.grpc_client", "ray::rpc::ActorInfoGcsService.grpc_client"
NODE, OBJECTS = "NodeManagerService.grpc_client", "ObjectManagerService.grpc_client"
PUBSUB = "ray::rpc::ControlPlanePubSubGcsService.grpc_client"
METHODS = {
    "actors": (
        *(f"{GCS}.{name}" for name in ("RegisterActor", "CreateActor", "GetActorInfo")),
        *(f"{GCS}.{name}" for name in ("KillActorViaGcs", "ReportActorOutOfScope")),
        *(f"{NODE}.{name}" for name in ("RequestWorkerLease", "ReturnWorkerLease")),
        *(f"{CORE}.KillActor", f"{NODE}.KillLocalActor"),
    ),
    "tasks": (
        *(f"{CORE}.{name}" for name in ("PushTask", "ReportGeneratorItemReturns")),
        *(f"{CORE}.UpdateGeneratorBackpressureConsumed", f"{CORE}.ActorCallArgWaitComplete"),
    ),
    "objects and waits": (
        *(f"{OBJECTS}.Push", f"{OBJECTS}.Pull", f"{NODE}.PinObjectIDs"),
        *(f"{CORE}.{name}" for name in ("GetObjectStatus", "UpdateObjectLocationBatch")),
        *(f"{CORE}.{name}" for name in ("PubsubLongPolling", "PubsubCommandBatch")),
        *(f"{PUBSUB}.GcsSubscriberPoll", f"{PUBSUB}.GcsSubscriberCommandBatch"),
    ),
}
PERCENT = 8
KINDS = ("req_failure_prob", "resp_failure_prob", "in_flight_failure_prob")


def failing(methods: tuple[str, ...]) -> str:
    """Return the plan that lets calls fail: unsent, unanswered, or answered in vain."""
    plan = {"num_failures": -1, **dict.fromkeys(KINDS, PERCENT)}
    return json.dumps(dict.fromkeys(methods, plan))


@pytest.mark.parametrize("what", METHODS)
def test_messages_fail(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, what: str
) -> None:
    """On the master's side, on that of the workers and in between."""
    lab = new_lab()
    lab.configure(IMPATIENT)
    plan = {"RAY_testing_rpc_failure": failing(METHODS[what])}
    with running(cpus=0, **plan) as cluster:
        for _ in range(2):
            cluster.add().wait()
        place = ("--workers", "2", "--address", cluster.address)
        ended = lab.search(*place, variables=plan, fresh=True).wait(SECONDS)
        count = cluster.log().count("Inject RPC")
    wrong = f"{ended.code}: {ended.output[-500:]}" if ended.code != 0 else None
    one = judge(lost=missing(lab, {}), wrong=wrong or difference(whole, outcome(lab.run)))
    promises.enter(MESSAGES, one if count else judge(wrong="no message failed"))
    promises.figures.append(f"Ray's messages about {what}: {count} failed")
    assert one.good, one.detail
    assert count


def threshold(spare_bytes: float) -> str:
    """Return the share of all memory at which so much more than now is taken."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    sizes = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines}
    total = sizes["MemTotal"]
    return f"{(total - sizes['MemAvailable'] + spare_bytes) / total:.4f}"


def starved(lab: Lab, plan: str, **more: str) -> Ended:
    """Search where a worker that hogs memory is soon noticed by Ray's monitor."""
    limits = {
        "RAY_memory_usage_threshold": threshold(2.0 * 2**30),
        "RAY_memory_monitor_refresh_ms": "50",
        "HPSEARCH_FAILPOINT": plan,
    }
    with running(cpus=1, **limits, **more) as cluster:
        return lab.search("--workers", "1", "--address", cluster.address).wait(SECONDS)


def test_memory_is_taken_once(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    """Its trials go on, and all is as if nothing had been."""
    lab = new_lab()
    ended = starved(lab, "file.before_write=hog@3", HPSEARCH_FAILPOINT_FILES=str(lab.points))
    causes = {each.cause.split(":")[0] for each in failures(lab.run)}
    wrong = None if causes == {"OutOfMemoryError"} else f"{causes}, {ended.output[-500:]}"
    one = judge(lost=missing(lab, {}), wrong=wrong or difference(whole, outcome(lab.run)))
    promises.enter(MEMORY, one)
    assert one.good, one.detail


def test_memory_is_taken_always(new_lab: NewLab, promises: PromiseTable) -> None:
    """A pack of two is tried once, each of its trials twice more; then that is the reason."""
    lab = new_lab()
    lab.configure({**THREE_STAGES, "stages": [{"name": "coarse", "num_trials": 2, "epochs": 1}]})
    ended = starved(lab, "file.before_write=hog@1+")
    counted = sorted((each.trial, each.attempt) for each in failures(lab.run))
    reasons = Results.load(lab.run).trials["reason"]
    good = [r for r in reasons if str(r).startswith("OutOfMemoryError: ") and "memory" in r[18:]]
    checks = {
        f"attempts {counted}": counted == [(t, a) for t in (0, 1) for a in (1, 2, 3)],
        f"reasons {list(reasons)}": len(good) == 2,
        ended.output[-500:]: ended.code == 1 and "2 of 2 trials failed" in ended.output,
    }
    one: Verdict = judge(wrong=", ".join(name for name, kept in checks.items() if not kept) or None)
    promises.enter(MEMORY, one)
    assert one.good, one.detail
