"""Workers as Ray actors: starts or joins a cluster and turns its news into events."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
import ray.exceptions

from hpsearch.execution.cluster import addresses, local_cluster, machine, nodes, ray_internals
from hpsearch.execution.cluster.heartbeat import Heartbeat
from hpsearch.execution.cluster.ray_internals import Look
from hpsearch.execution.cluster.stderr import silent_stderr
from hpsearch.execution.startup import WorkerStarts
from hpsearch.search.events import Event, Reported, WorkerLost, WorkerReady
from workers.data.dataset import Dataset
from workers.errors import HpsearchError, RunError
from workers.messages import Pack, RunSettings
from workers.training.actor import remote_actor

GET_SECONDS = 60.0
JOIN_SECONDS = 5
MEMORY_RETRIES = 2
AHEAD = 4
"""How many epochs a worker may be ahead of the master; what is lost if one of them dies."""


class RayExecutor:
    """One actor a worker, each with one CPU, reused from pack to pack.

    ``data`` and ``settings`` are what every worker needs; the data are asked for when Ray
    is there, and go into the object store once. ``workers`` is how many (None: one for each
    CPU of the cluster), ``address`` is ``HOST:PORT`` of a running cluster to join (None: one is
    started on this machine, for this run only), and ``look`` is called while that starts.
    Raises `RunError` if there is no such cluster or Ray does not start, and what ``data`` and
    ``look`` raise.
    """

    def __init__(
        self,
        data: Callable[[], Dataset],
        settings: RunSettings,
        *,
        workers: int | None = None,
        address: str | None = None,
        look: Look = lambda: None,
    ) -> None:
        self._folder: Path | None = None
        self._check: Callable[[], None] = _check_alive
        self._actors: dict[int, Any] = {}
        self._starts = WorkerStarts()
        self._streams: dict[Any, int] = {}
        self._processes: dict[int, int] = {}
        self.memory = machine.memory()
        try:
            ray_internals.tame()
            if address is None:
                self._start_local(workers, look)
            else:
                self._join(address)
                self.memory = nodes.least_memory(ray.nodes())  # type: ignore[no-untyped-call]
            self.workers = workers or _cpus()
            self._needs = (ray.put(data()), settings)
            self._actor = remote_actor(num_cpus=1)
            for worker in range(self.workers):
                self.replace(worker)
        except BaseException:
            self.close()
            raise

    def _start_local(self, workers: int | None, look: Look) -> None:
        self._folder = local_cluster.make_folder()
        constants = ray._private.ray_constants  # noqa: SLF001
        with local_cluster.loopback(constants, self._folder), ray_internals.quick_start(look):
            options = local_cluster.local_options(self._folder, workers)
            _init("Ray did not start on this machine", **options)

    def _join(self, address: str) -> None:
        addresses.check_answer(address)
        with (
            local_cluster.variable("RAY_gcs_server_port_wait_time_s", str(JOIN_SECONDS)),
            silent_stderr(),
        ):
            _init(f"can't join {address} (a token needs RAY_AUTH_MODE=token)", address=address)
        self._check = Heartbeat(address, ray_internals.raylet_socket()).check

    def submit(self, worker: int, pack: Pack) -> None:
        """Give a pack to a worker that is idle."""
        train = self._actors[worker].train.options(_generator_backpressure_num_objects=AHEAD)
        self._streams[train.remote(pack)] = worker

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        """Let trials leave the pack that a worker trains; it may be over already."""
        if worker in self._actors:
            self._actors[worker].stop.remote(tuple(trials))

    def dismiss(self, worker: int) -> None:
        """End a worker; nothing that it still says is heard."""
        old = self._actors.pop(worker, None)
        if old is not None:
            ray.kill(old)
            if self._folder is not None:  # A stopped process does not hear that.
                local_cluster.kill(self._processes.pop(worker, None))
        self._streams = {ref: w for ref, w in self._streams.items() if w != worker}

    def replace(self, worker: int) -> None:
        """Start an actor; a WorkerReady event says when it has come up."""
        self.dismiss(worker)
        actor = self._actors[worker] = self._actor.remote(*self._needs)
        self._starts.begin(actor.ready.remote(), worker)

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return the events of the workers that have news, at most one of each.

        Raises
        ------
        RunError
            If no worker can be started, one can't write its checkpoints, or Ray is gone.
        """
        self._check()
        for worker in self._starts.overdue():
            self.replace(worker)
        pending = [*self._starts.tokens, *self._streams]
        if not pending:
            return []
        news, _ = ray.wait(pending, num_returns=1, timeout=timeout_seconds)
        if news and len(pending) > 1:
            news, _ = ray.wait(pending, num_returns=len(pending), timeout=0.001)
        self._starts.check(_cpus)
        return [self._next(ref) if ref in self._streams else self._started(ref) for ref in news]

    def _started(self, ref: Any) -> Event:
        try:
            process = ray.get(ref, timeout=GET_SECONDS)
        except ray.exceptions.RayError as error:
            text = local_cluster.cause(error)
            return WorkerLost(self._starts.fail(ref, text), text)
        worker = self._starts.succeed(ref)
        self._processes[worker] = process
        return WorkerReady(worker)

    def _next(self, stream: Any) -> Event:
        worker = self._streams[stream]
        try:
            return Reported(worker, ray.get(next(stream), timeout=GET_SECONDS))
        except StopIteration:
            del self._streams[stream]
            return WorkerReady(worker)
        except ray.exceptions.RayError as error:
            del self._streams[stream]
            return _lost(worker, error)

    def disconnect(self) -> None:
        """End the workers and leave the cluster; Ray must not be left from another thread."""
        if not ray.is_initialized():
            return
        if self._folder is None:
            for actor in self._actors.values():
                ray.kill(actor)
        self._actors.clear()
        self._check = _check_alive
        ray.shutdown()

    def close(self) -> None:
        """Leave the cluster, and wait until all processes of a local one are gone."""
        self.disconnect()
        if self._folder is not None:
            local_cluster.remove(self._folder)
            self._folder = None


def _lost(worker: int, error: ray.exceptions.RayError) -> WorkerLost:
    """Say whether it is the trial's fault; the disk's stops the run."""
    cause, text = getattr(error, "cause", None), local_cluster.cause(error)
    if isinstance(cause, RunError):
        raise RunError(f"worker {worker}: {cause}") from error
    if isinstance(error, ray.exceptions.OutOfMemoryError) or isinstance(cause, MemoryError):
        return WorkerLost(worker, text, retries=MEMORY_RETRIES)
    return WorkerLost(worker, text, retry=not isinstance(error, ray.exceptions.RayTaskError))


def _init(complaint: str, **options: Any) -> None:
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except HpsearchError:
        raise  # Somebody looked while it started.
    except Exception as error:
        raise RunError(f"{complaint}: {local_cluster.cause(error)}") from error


def _check_alive() -> None:
    """Raise RunError if the local Ray is gone: it would end this process a little later."""
    gone = ray_internals.dead_processes()
    if gone:
        raise RunError(f"Ray's {min(gone)} was killed or has crashed; resume the run")


def _cpus() -> int:
    return nodes.cpus(ray.nodes())  # type: ignore[no-untyped-call]
