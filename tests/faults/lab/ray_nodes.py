"""Ray clusters of several nodes on this machine, whose nodes are lost and come anew."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.commands import SECONDS, Command
from tests.conftest import short_folder

WORKER = "ray::Training"

HEAD = """
import logging, signal, sys, ray
ray.init(
    address="local", num_cpus=int(sys.argv[2]), include_dashboard=False, log_to_driver=False,
    logging_level=logging.ERROR, object_store_memory=2**27,
    _node_ip_address="127.0.0.2", _temp_dir=sys.argv[1],
)
print(ray.get_runtime_context().gcs_address, flush=True)
signal.pause()
"""
NODE = "from ray.scripts.scripts import main; main()"
QUIET = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Yield the processes below one, with their command lines."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_text()
        except OSError:
            continue
        if parent == pid:
            yield int(entry.name), command
            yield from descendants(int(entry.name))


@dataclass(frozen=True, slots=True)
class Node:
    """A node without a head, and the process that started it."""

    command: Command

    @property
    def workers(self) -> list[int]:
        """The training workers on it."""
        return [pid for pid, line in descendants(self.command.process.pid) if WORKER in line]

    def wait(self) -> None:
        """Return once it has joined; raises if it ended instead."""
        stdout = self.command.process.stdout
        for line in stdout or ():
            if "Ray runtime started" in line:
                return
        raise RuntimeError(self.command.wait().err)

    def lose(self, *, whole: bool) -> None:
        """Kill its raylet without warning, or every process of it."""
        below = list(descendants(self.command.process.pid))
        raylets = [pid for pid, line in below if "raylet/raylet" in line.split("\0")[0]]
        doomed = [self.command.process.pid, *(pid for pid, _ in below)] if whole else raylets
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class Nodes:
    """A cluster with a head, and as many nodes beside it as were added."""

    folder: Path
    address: str
    head: Command
    environment: dict[str, str]
    nodes: list[Node] = field(default_factory=list)
    lost: list[Node] = field(default_factory=list)

    def add(self) -> Node:
        """Start a node of one CPU; it takes a while until it joins."""
        where = ("--address", self.address, "--node-ip-address", "127.0.0.2")
        size = ("--num-cpus", "1", "--object-store-memory", "100000000", "--block")
        arguments = ("start", *where, *size)
        node = Node(Command(*arguments, folder=self.folder, code=NODE, **self.environment))
        self.nodes.append(node)
        return node

    def lose(self, node: Node, *, whole: bool) -> None:
        """Lose a node for good."""
        self.nodes.remove(node)
        self.lost.append(node)
        node.lose(whole=whole)

    def workers(self) -> list[int]:
        """Return the training workers of all searches."""
        return self.head.find(WORKER)

    def log(self) -> str:
        """Return all that Ray's processes have logged."""
        files = [path for path in self.folder.glob("session_2*/logs/*") if path.is_file()]
        return "".join(path.read_text(errors="replace") for path in files)


@contextmanager
def running(*, cpus: int, **environment: str) -> Iterator[Nodes]:
    """Start a cluster whose head has so many CPUs; in the end, kill all that came of it."""
    with short_folder() as folder:
        surroundings = {**QUIET, **environment}
        head = Command(folder, str(cpus), folder=folder, code=HEAD, **surroundings)
        nodes = None
        try:
            address = head.process.stdout.readline().strip() if head.process.stdout else ""
            if not address:
                raise RuntimeError(head.wait().err)
            nodes = Nodes(folder, address, head, surroundings)
            yield nodes
        finally:
            others = [*nodes.nodes, *nodes.lost] if nodes else []
            for command in [head, *(node.command for node in others)]:
                command.kill()
                command.wait()


def until(happened: Callable[[], Any], seconds: float = SECONDS) -> None:
    """Wait until a function returns something true; raises TimeoutError if it takes too long."""
    last = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > last:
            raise TimeoutError("it did not happen")
        time.sleep(0.02)
