"""CPUs and memory that are ours: affinity, nested control groups of both kinds, batch systems."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from hpsearch.execution.cluster import local_cluster, machine, nodes

V2 = "30 23 0:26 {top} /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "40 31 0:37 {top} /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
)
OTHER = "23 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"
GIB = 2**30


@pytest.fixture(autouse=True)
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this process may run on 64 CPUs, and that no batch system started it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    for name in machine.ALLOCATED:
        monkeypatch.delenv(name, raising=False)


def tree(root: Path, groups: str, mounts: str, files: Mapping[str, str]) -> Path:
    """Write what a process sees of its control groups."""
    content = {"proc/self/cgroup": groups, "proc/self/mountinfo": OTHER + mounts}
    for name, text in (content | {f"sys/fs/cgroup/{name}": files[name] for name in files}).items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "cpus", "gib"),
    [
        pytest.param("0::/\n", V2.format(top="/"), {}, 64, None, id="no limits"),
        pytest.param(
            "0::/\n",
            V2.format(top="/"),
            {"cpu.max": "150000 100000\n", "memory.max": f"{GIB}\n"},
            *(2, 1),
            id="a container with a namespace",
        ),
        pytest.param(
            "0::/user.slice/run-1.scope\n",
            V2.format(top="/"),
            {
                "user.slice/cpu.max": "300000 100000\n",
                "user.slice/memory.max": f"{3 * GIB}\n",
                "user.slice/run-1.scope/cpu.max": "max 100000\n",
                "user.slice/run-1.scope/memory.max": "max\n",
                "other.slice/memory.max": "1\n",
            },
            *(3, 3),
            id="the lowest limit is further up",
        ),
        pytest.param(
            "0::/a/b\n",
            V2.format(top="/"),
            {
                "a/cpu.max": "900000 100000\n",
                "a/memory.max": f"{9 * GIB}\n",
                "a/b/cpu.max": "50000 100000\n",
                "a/b/memory.max": f"{2 * GIB}\n",
            },
            *(1, 2),
            id="the lowest limit is its own",
        ),
        pytest.param(
            "12:cpu,cpuacct:/docker/1/in\n7:memory:/docker/1\n1:name=systemd:/x\n0::/\n",
            V1.format(top="/docker/1"),
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "800000\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "cpu,cpuacct/in/cpu.cfs_quota_us": "400000\n",
                "cpu,cpuacct/in/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": f"{GIB}\n",
                "systemd/memory.limit_in_bytes": "1\n",
            },
            *(4, 1),
            id="version 1, a container that sees the host's paths",
        ),
        pytest.param(
            "4:cpu,cpuacct:/\n3:memory:/\n",
            V1.format(top="/"),
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            *(64, None),
            id="version 1, no limits",
        ),
        pytest.param(
            "0::/../../elsewhere\n",
            V2.format(top="/"),
            {"cpu.max": "200000 100000\n", "../../memory.max": "1\n"},
            *(2, None),
            id="a path out of the namespace",
        ),
        pytest.param("0::/\n", "", {"cpu.max": "100000 100000\n"}, 64, None, id="not mounted"),
    ],
)
def test_limits_of_control_groups(
    tmp_path: Path,
    groups: str,
    mounts: str,
    files: dict[str, str],
    cpus: int,
    gib: int | None,
) -> None:
    root = tree(tmp_path, groups, mounts, files)
    assert machine.cpus(root) == cpus
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    expected = whole if gib is None else min(whole, gib * GIB)
    assert machine.memory(root) == machine.Memory(expected, "here")


def test_without_control_groups_the_machine_is_ours(tmp_path: Path) -> None:
    assert machine.cpus(tmp_path) == 64
    assert 2**27 < machine.memory(tmp_path).size_bytes < 2**50


@pytest.mark.parametrize(
    ("variables", "cpus"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_CPUS_ON_NODE": "32"}, 4),
        ({"SLURM_CPUS_ON_NODE": "8"}, 8),
        ({"NSLOTS": "128"}, 64),
        ({"NCPUS": "many", "LSB_DJOB_NUMPROC": ""}, 64),
        ({"SLURM_CPUS_PER_TASK": "0"}, 1),
    ],
)
def test_what_a_batch_system_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], cpus: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.cpus(tmp_path) == cpus


def test_ray_is_told_what_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert local_cluster.local_options(tmp_path, None)["num_cpus"] == 1
        assert local_cluster.local_options(tmp_path, 5)["num_cpus"] == 5
    finally:
        os.sched_setaffinity(0, before)
    for memory, store in ((64 * GIB, 2**29), (GIB, 2**28), (2**20, 75 * 2**20)):
        monkeypatch.setattr(machine, "memory", lambda size=memory: machine.Memory(size))
        assert local_cluster.local_options(tmp_path, None)["object_store_memory"] == store


def test_the_smallest_node_is_one_that_can_train() -> None:
    def node(alive: bool, **resources: float) -> dict[str, object]:
        return {"Alive": alive, "Resources": resources}

    found = [
        node(True, CPU=8.0, memory=6e9, object_store_memory=2e9),
        node(True, CPU=1.5, memory=3e9, object_store_memory=1e9),
        node(True, memory=1e9, object_store_memory=1e8),
        node(True, CPU=0.5, memory=1e9),
        node(False, CPU=4.0, memory=1e6),
    ]
    assert nodes.least_memory(found).size_bytes == 4e9
    assert nodes.cpus(found) == 9
    assert nodes.least_memory(found[2:]).size_bytes == float("inf")
    assert nodes.cpus(found[2:]) == 1
