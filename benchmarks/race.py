"""Time contenders against each other, interleaved, each library in a process of its own.

What is measured is the process's CPU time: other work on the machine takes its turns
without being counted, and a second thread would be.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from contenders import MODULES, Epoch
from problems import Problem

SECONDS_A_TURN = 0.04

ONE_THREAD = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


@dataclass(frozen=True)
class Lane:
    """A contender and the problem that it trains."""

    contender: str
    problem: Problem


def _serve(link: Connection, contender: str) -> None:
    """Do what the parent says: take a problem, or train so many epochs on one."""
    module = import_module(MODULES[contender][0])
    lanes: dict[str, Epoch] = {}
    while True:
        try:
            command = link.recv()
        except EOFError:
            return
        match command:
            case ("prepare", label, problem):
                lanes[label] = module.prepare(problem)
                link.send(lanes[label]())
            case ("train", label, epochs):
                epoch = lanes[label]
                began = time.process_time()
                for _ in range(epochs):
                    epoch()
                link.send(time.process_time() - began)
            case ("forget",):
                lanes.clear()
                link.send(None)


class Stable:
    """One process for each contender, started when it is first wanted."""

    def __init__(self) -> None:
        self._links: dict[str, Connection] = {}

    def ask(self, contender: str, *command: Any) -> Any:
        if contender not in self._links:
            context = multiprocessing.get_context("spawn")
            link, other = context.Pipe()
            context.Process(target=_serve, args=(other, contender), daemon=True).start()
            other.close()
            self._links[contender] = link
        self._links[contender].send(command)
        return self._links[contender].recv()

    def forget(self) -> None:
        """Drop all problems."""
        for contender in self._links:
            self.ask(contender, "forget")

    def close(self) -> None:
        """End the processes."""
        for link in self._links.values():
            link.close()


@contextmanager
def stable() -> Iterator[Stable]:
    """Start contenders under one thread each, and end them."""
    os.environ.update(ONE_THREAD)
    stalls = Stable()
    try:
        yield stalls
    finally:
        stalls.close()


@dataclass(frozen=True)
class Result:
    """Microseconds of a step and trial in every round, and the first epoch's loss."""

    rounds: Mapping[str, Sequence[float]]
    losses: Mapping[str, float | None]

    def microseconds(self, label: str) -> float:
        return statistics.median(self.rounds[label])

    def ratio(self, label: str, over: str) -> float:
        """Return the median over rounds of one's time over the other's."""
        return statistics.median(self._ratios(label, over))

    def spread(self, label: str, over: str) -> float:
        """Return half the distance of the quartiles of that ratio, as a share of it."""
        low, middle, high = statistics.quantiles(self._ratios(label, over), n=4)
        return (high - low) / 2 / middle

    def _ratios(self, label: str, over: str) -> list[float]:
        pairs = zip(self.rounds[label], self.rounds[over], strict=True)
        return [a / b for a, b in pairs]


def race(stalls: Stable, lanes: Mapping[str, Lane], *, rounds: int) -> Result:
    """Let all lanes take turns; every second round goes backwards."""
    losses = {
        label: stalls.ask(lane.contender, "prepare", label, lane.problem)
        for label, lane in lanes.items()
    }
    epochs = {}
    for label, lane in lanes.items():
        seconds = min(stalls.ask(lane.contender, "train", label, 1) for _ in range(3))
        epochs[label] = max(1, round(SECONDS_A_TURN / seconds))
    times: dict[str, list[float]] = {label: [] for label in lanes}
    for number in range(rounds):
        for label in list(lanes)[:: -1 if number % 2 else 1]:
            lane = lanes[label]
            seconds = stalls.ask(lane.contender, "train", label, epochs[label])
            trained = epochs[label] * lane.problem.steps * lane.problem.members
            times[label].append(seconds / trained * 1e6)
    stalls.forget()
    return Result(times, losses)
