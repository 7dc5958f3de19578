"""Workers as Ray actors: starts or joins a cluster and turns its news into events."""

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import ray
import ray.exceptions

from hpsearch.events import Event, Reported, WorkerLost, WorkerReady
from workers.actor import remote_actor
from workers.data import Dataset
from workers.errors import RunError
from workers.messages import Pack, RunSettings

START_SECONDS = 120.0
GET_SECONDS = 60.0
OBJECT_STORE_BYTES = 512 * 2**20


class RayExecutor:
    """One actor a worker, each with one CPU, reused from pack to pack.

    Parameters
    ----------
    data, settings
        What every worker needs; the data goes into the object store once.
    workers
        How many; None takes one for each CPU of the cluster.
    address
        A running cluster to join; None starts one on this machine, for this run only.

    Raises
    ------
    RunError
        If there is no such cluster, or it has no room for a worker.
    """

    def __init__(
        self,
        data: Dataset,
        settings: RunSettings,
        *,
        workers: int | None = None,
        address: str | None = None,
    ) -> None:
        self._folder: str | None = None
        if address is None:
            self._start_local(workers)
        else:
            self._join(address)
        self.workers = workers or _cpus()
        _silence()
        self._settings = settings
        self._data = ray.put(data)
        self._actor = remote_actor(num_cpus=1)
        self._actors: dict[int, Any] = {}
        self._starting: dict[Any, int] = {}
        self._streams: dict[Any, int] = {}
        for worker in range(self.workers):
            self.replace(worker)

    def _start_local(self, workers: int | None) -> None:
        for variable, value in _environment().items():
            os.environ.setdefault(variable, value)
        self._folder = tempfile.mkdtemp(prefix="hpsearch-")
        try:
            ray.init(
                address="local",
                num_cpus=workers or os.cpu_count(),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=self._folder,
            )
        except Exception as error:
            raise RunError(f"Ray did not start on this machine: {_brief(error)}") from error

    def _join(self, address: str) -> None:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:
            raise RunError(f"no Ray cluster answers at {address}: {_brief(error)}") from error

    def submit(self, worker: int, pack: Pack) -> None:
        """Give a pack to a worker that is idle."""
        self._streams[self._actors[worker].train.remote(pack)] = worker

    def replace(self, worker: int) -> None:
        """Start an actor; a WorkerReady event says when it has come up."""
        old = self._actors.pop(worker, None)
        if old is not None:
            ray.kill(old)
        actor = self._actors[worker] = self._actor.remote(self._data, self._settings)
        self._starting[actor.ready.remote()] = worker

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return the events of the workers that have news, at most one of each."""
        pending = [*self._starting, *self._streams]
        if not pending:
            return []
        news, _ = ray.wait(pending, num_returns=1, timeout=timeout_seconds)
        if news and len(pending) > 1:
            news, _ = ray.wait(pending, num_returns=len(pending), timeout=0.001)
        return [self._started(ref) if ref in self._starting else self._next(ref) for ref in news]

    def _started(self, ref: Any) -> Event:
        worker = self._starting.pop(ref)
        try:
            ray.get(ref, timeout=GET_SECONDS)
        except ray.exceptions.RayError as error:
            return WorkerLost(worker, _cause(error))
        return WorkerReady(worker)

    def _next(self, stream: Any) -> Event:
        worker = self._streams[stream]
        try:
            return Reported(worker, ray.get(next(stream), timeout=GET_SECONDS))
        except StopIteration:
            del self._streams[stream]
            return WorkerReady(worker)
        except ray.exceptions.RayTaskError as error:
            del self._streams[stream]
            return WorkerLost(worker, _cause(error), retry=False)
        except ray.exceptions.RayError as error:
            del self._streams[stream]
            return WorkerLost(worker, _cause(error))

    def close(self) -> None:
        """Kill the actors and leave the cluster; a local one ends with it."""
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()
        ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _silence() -> None:
    """Keep the raylet's messages off the terminal; what they tell comes as an event too.

    Ray has no switch for them: ``log_to_driver=False`` leaves this printer on.
    """
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # noqa: SLF001


def _cpus() -> int:
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def _environment() -> Mapping[str, str]:
    """Return the variables of a local Ray: a token of its own, and nothing told to anybody.

    With a token at hand, a new local cluster asks for it by default and writes no token
    file. Ray reads it once in a process, so later clusters share it.
    """
    return {
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_SCHEDULER_EVENTS": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _cause(error: BaseException) -> str:
    """Return one line that names the error at the bottom of Ray's wrappings."""
    inner = getattr(error, "cause", None)
    return _brief(inner if isinstance(inner, BaseException) else error)


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:300]
