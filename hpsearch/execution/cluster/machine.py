"""How much of its machine this process may use: CPUs and memory.

The limits of a container or a batch system are those of Linux control groups, of which
each process is in one or several, each within another: the lowest limit on the path
counts. Sources: ``cgroups(7)``, and ``cgroup-v2`` and ``cgroup-v1`` in the kernel's manual.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ALLOCATED = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "NSLOTS", "LSB_DJOB_NUMPROC", "NCPUS")
"""How batch systems tell a job its CPUs: Slurm, Grid Engine, LSF, PBS; some don't enforce it."""

_ROOT = Path("/")
_QUOTAS = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
_LIMITS = ("memory.max", "memory.limit_in_bytes")


def cpus(root: Path = _ROOT) -> int:
    """Return how many CPUs this process may use, at least 1.

    The fewest of those it may run on (``taskset``, a cpuset), its quota (CPU seconds a second,
    rounded up) and what a batch system allocated. ``root`` is where ``proc`` and ``sys`` lie.
    """
    told = [os.environ.get(name, "") for name in ALLOCATED]
    allocated = [int(text) for text in told if text.isdecimal()]
    return max(1, min([len(os.sched_getaffinity(0)), *_quotas(root), *allocated]))


@dataclass(frozen=True, slots=True)
class Memory:
    """How much memory there is, and where, in words."""

    size_bytes: float
    where: str = "here"


def memory(root: Path = _ROOT) -> Memory:
    """Return how much memory this process may use: the machine's, or less if limited.

    ``root`` is where ``proc`` and ``sys`` lie.
    """
    limits = [_numbers(group / name) for group in _groups(root, "memory") for name in _LIMITS]
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Memory(min([whole, *(limit[0] for limit in limits if limit)]))


def _quotas(root: Path) -> Iterator[int]:
    for group in _groups(root, "cpu"):
        for names in _QUOTAS:
            match [number for name in names for number in _numbers(group / name)]:
                case [quota, period] if period:
                    yield math.ceil(quota / period)


def _numbers(file: Path) -> list[int]:
    """Return the numbers in a file, without what stands for no limit: ``max``, ``-1``."""
    try:
        return [int(word) for word in file.read_text().split() if word.isdecimal()]
    except OSError:
        return []


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the control groups this process is in, and those around them, for a controller."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for top, mounted in _mounts(root, controller, "cgroup" if controllers else "cgroup2"):
            group = PurePosixPath(path)
            # A container may see of the path only what is mounted, or a path from the host.
            below = group.relative_to(top) if group.is_relative_to(top) else PurePosixPath()
            steps = [] if ".." in below.parts else [below, *below.parents]
            yield from (mounted / step for step in steps or [PurePosixPath()])


def _mounts(root: Path, controller: str, kind: str) -> Iterator[tuple[str, Path]]:
    """Yield which group is at the top of each mounted hierarchy, and where it is mounted."""
    for line in _lines(root / "proc/self/mountinfo"):
        where, _, what = line.partition(" - ")
        _, _, _, top, mounted, *_ = where.split()
        found, *_, options = what.split()
        if found == kind and (kind == "cgroup2" or controller in options.split(",")):
            yield top, root / mounted.lstrip("/")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
