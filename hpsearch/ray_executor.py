"""Workers as Ray actors: starts or joins a cluster and turns its news into events."""

import logging
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
import ray.exceptions

from hpsearch import cluster
from hpsearch.events import Event, Reported, WorkerLost, WorkerReady
from workers.actor import remote_actor
from workers.data import Dataset
from workers.errors import RunError
from workers.messages import Pack, RunSettings

START_SECONDS = 120.0
START_ATTEMPTS = 3
GET_SECONDS = 60.0
JOIN_SECONDS = 5
OBJECT_STORE_BYTES = 512 * 2**20
AHEAD = 4
"""How many epochs a worker may be ahead of the master; what is lost if one of them dies."""


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

    Raises `InputError` if the address is none, and `RunError` if there is no such cluster
    or Ray does not start.
    """

    def __init__(
        self,
        data: Dataset,
        settings: RunSettings,
        *,
        workers: int | None = None,
        address: str | None = None,
    ) -> None:
        self._folder: Path | None = None
        self._actors: dict[int, Any] = {}
        self._starting: dict[Any, int] = {}
        self._streams: dict[Any, int] = {}
        self._failed_starts: Counter[int] = Counter()
        self._ready = False
        self._began = time.monotonic()
        try:
            _tame()
            if address is None:
                self._start_local(workers)
            else:
                _join(address)
            self.workers = workers or _cpus()
            self._needs = (ray.put(data), settings)
            self._actor = remote_actor(num_cpus=1)
            for worker in range(self.workers):
                self.replace(worker)
        except BaseException:
            self.close()
            raise

    def _start_local(self, workers: int | None) -> None:
        for name, value in cluster.local_environment().items():
            os.environ.setdefault(name, value)
        self._folder = cluster.make_folder()
        constants = ray._private.ray_constants  # noqa: SLF001
        clustered = constants.ENABLE_RAY_CLUSTER
        constants.ENABLE_RAY_CLUSTER = False  # Else 127.0.0.1 becomes the outer address.
        try:
            with cluster.variable(cluster.MARK, str(self._folder)):
                ray.init(
                    address="local",
                    num_cpus=workers or os.cpu_count(),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(self._folder),
                )
        except Exception as error:
            raise RunError(f"Ray did not start on this machine: {cluster.cause(error)}") from error
        finally:
            constants.ENABLE_RAY_CLUSTER = clustered

    def submit(self, worker: int, pack: Pack) -> None:
        """Give a pack to a worker that is idle."""
        train = self._actors[worker].train.options(_generator_backpressure_num_objects=AHEAD)
        self._streams[train.remote(pack)] = worker

    def stop(self, worker: int, trials: Sequence[int]) -> None:
        """Let trials leave the pack that a worker trains; it may be over already."""
        if worker in self._actors:
            self._actors[worker].stop.remote(tuple(trials))

    def replace(self, worker: int) -> None:
        """Start an actor; a WorkerReady event says when it has come up."""
        old = self._actors.pop(worker, None)
        if old is not None:
            ray.kill(old)
        actor = self._actors[worker] = self._actor.remote(*self._needs)
        self._starting[actor.ready.remote()] = worker

    def wait(self, timeout_seconds: float) -> list[Event]:
        """Return the events of the workers that have news, at most one of each.

        Raises
        ------
        RunError
            If no worker can be started, or one can't write its checkpoints.
        """
        pending = [*self._starting, *self._streams]
        if not pending:
            return []
        news, _ = ray.wait(pending, num_returns=1, timeout=timeout_seconds)
        if news and len(pending) > 1:
            news, _ = ray.wait(pending, num_returns=len(pending), timeout=0.001)
        if not self._ready and time.monotonic() > self._began + START_SECONDS:
            room = f"each needs a CPU, and the cluster has {_cpus()}"
            raise RunError(f"no worker started within {START_SECONDS:.0f} s; {room}")
        return [self._started(ref) if ref in self._starting else self._next(ref) for ref in news]

    def _started(self, ref: Any) -> Event:
        worker = self._starting.pop(ref)
        try:
            ray.get(ref, timeout=GET_SECONDS)
        except ray.exceptions.RayError as error:
            self._failed_starts[worker] += 1
            if self._failed_starts[worker] >= START_ATTEMPTS:
                raise RunError(f"a worker does not start: {cluster.cause(error)}") from error
            return WorkerLost(worker, cluster.cause(error))
        self._ready = True
        del self._failed_starts[worker]
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
            if isinstance(error.cause, RunError):
                raise RunError(f"worker {worker}: {error.cause}") from error
            return WorkerLost(worker, cluster.cause(error), retry=False)
        except ray.exceptions.RayError as error:
            del self._streams[stream]
            return WorkerLost(worker, cluster.cause(error))

    def close(self) -> None:
        """End the workers and leave the cluster; a local one ends with it."""
        if self._folder is None and ray.is_initialized():
            for actor in self._actors.values():
                ray.kill(actor)
        self._actors.clear()
        ray.shutdown()
        if self._folder is not None:
            cluster.remove(self._folder)


def _join(address: str) -> None:
    cluster.check_address(address)
    try:
        with cluster.variable("RAY_gcs_server_port_wait_time_s", str(JOIN_SECONDS)):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise RunError(f"no Ray cluster answers at {address}: {cluster.cause(error)}") from error


def _tame() -> None:
    """Keep Ray's messages off the terminal, and its hands off the signals.

    There is no switch for either: ``log_to_driver=False`` leaves this printer on, and
    every start replaces the handler of SIGTERM, by one that ends the process.
    """
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # noqa: SLF001
    ray._private.utils.set_sigterm_handler = lambda _: None  # noqa: SLF001


def _cpus() -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
