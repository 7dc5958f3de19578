"""Workers on Ray: the same numbers as in this process, whoever dies on the way."""

import http.server
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

import hpsearch.execution.ray_executor
from hpsearch.config.sections.data import DataConfig
from hpsearch.data import datasets
from hpsearch.execution import startup
from hpsearch.execution.backend import BackendOptions
from hpsearch.execution.cluster import addresses, machine, nodes
from hpsearch.execution.cluster import local_cluster as clusters
from hpsearch.execution.cluster.machine import Memory
from hpsearch.execution.ray_executor import RayExecutor
from hpsearch.run import session
from hpsearch.search.events import Event, Reported, WorkerLost, WorkerReady
from hpsearch.search.search import Search
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from tests.conftest import RunningCluster
from tests.faults.lab.outcome import difference, outcome
from tests.support import quiet, run_here, tiny_config
from workers.data.dataset import Dataset
from workers.errors import InputError, RunError
from workers.messages import Pack, RunSettings, Trial
from workers.nn.spec import NetworkSpec
from workers.training.train import train

CONFIG = tiny_config()


@pytest.fixture(scope="module")
def data() -> Dataset:
    return datasets.load(DataConfig(source="iris"), seed=0).dataset


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return RunSettings(5, "val_loss", "minimize", str(folder), 1, ema_decay=0.9)


@pytest.fixture
def join(
    cluster: RunningCluster, data: Dataset, settings: RunSettings
) -> Iterator[Callable[..., RayExecutor]]:
    made: list[RayExecutor] = []

    def make(workers: int) -> RayExecutor:
        made.append(RayExecutor(lambda: data, settings, workers=workers, address=cluster.address))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def collect(executor: RayExecutor, until: Callable[[list[Event]], Any]) -> list[Event]:
    """Wait for events until a condition on all of them holds."""
    events: list[Event] = []
    for _ in range(1000):
        if until(events):
            return events
        events += executor.wait(0.1)
    raise TimeoutError(str(events))


def ready(count: int) -> Callable[[list[Event]], bool]:
    return lambda events: sum(isinstance(event, WorkerReady) for event in events) >= count


def lost(events: list[Event]) -> list[WorkerLost]:
    return [event for event in events if isinstance(event, WorkerLost)]


def a_pack(number: int, epochs: int = 3) -> Pack:
    spec = NetworkSpec(hidden=(6,), batch_size=16, dropout=0.2)
    return Pack(number, (Trial(2 * number, spec, epochs), Trial(2 * number + 1, spec, epochs)))


def inside(executor: RayExecutor, worker: int, function: Callable[[Any], Any]) -> Any:
    """Return what a function makes of an idle worker, in that worker's process."""
    return ray.get(executor._actors[worker].__ray_call__.remote(function), timeout=60)


def arrays(worker: Any) -> list[tuple[bool, bool, str]]:
    """Tell of each array whether it is writeable, owns its memory, and where that lies."""
    found = []
    data = worker._data
    for array in (data.x_train, data.y_train, data.x_validation, data.y_validation):
        address, place = array.__array_interface__["data"][0], "nowhere"
        with Path("/proc/self/maps").open() as maps:
            for line in maps:
                span, _, offset, _, inode, *path = line.split()
                low, high = (int(end, 16) for end in span.split("-"))
                if low <= address < high:
                    place = f"{path} {inode} {address - low + int(offset, 16)}"
        found.append((array.flags.writeable, array.flags.owndata, place))
    return found


def test_workers_share_the_data_and_train_as_this_process_does(
    join: Callable[..., RayExecutor], data: Dataset, settings: RunSettings, tmp_path: Path
) -> None:
    executor = join(2)
    collect(executor, ready(2))
    pids = [inside(executor, worker, lambda _: os.getpid()) for worker in (0, 1)]
    assert len({*pids, os.getpid()}) == 3

    seen = [inside(executor, worker, arrays) for worker in (0, 1)]
    assert seen[0] == seen[1]
    for writeable, owns, place in seen[0]:
        assert not writeable
        assert not owns
        assert "/dev/shm" in place

    for number in (0, 1):  # Two packs each: workers are used again.
        executor.submit(0, a_pack(2 * number))
        executor.submit(1, a_pack(2 * number + 1))
        events = collect(executor, ready(2))
        assert not lost(events)
        reports = [event.reports for event in events if isinstance(event, Reported)]
        assert len(reports) == 6
    assert [inside(executor, worker, lambda _: os.getpid()) for worker in (0, 1)] == pids

    written = {path.name: path.read_bytes() for path in Path(settings.folder).iterdir()}
    here = RunSettings(5, "val_loss", "minimize", str(tmp_path / "here"), 1, ema_decay=0.9)
    (tmp_path / "here").mkdir()
    for number in range(4):
        list(train(a_pack(number), data, here))
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}


def test_what_ends_a_pack(join: Callable[..., RayExecutor], settings: RunSettings) -> None:
    """A foreign file is the trial's fault, a death is not, and a full disk is the run's."""
    executor = join(1)
    collect(executor, ready(1))

    executor.submit(0, a_pack(0, 1))
    collect(executor, ready(1))
    for path in Path(settings.folder).iterdir():
        path.write_bytes(b"foreign")
    executor.submit(0, a_pack(0, 1))
    (fault,) = lost(collect(executor, lost))
    assert not fault.retry
    assert fault.cause.startswith("CheckpointError: ")
    assert "exists with other content" in fault.cause
    assert len(fault.cause.splitlines()) == 1

    executor.replace(0)
    collect(executor, ready(1))
    pid = inside(executor, 0, lambda _: os.getpid())
    executor.submit(0, a_pack(1, 100_000))
    collect(executor, lambda events: len(events) > 3)
    os.kill(pid, signal.SIGKILL)
    (death,) = lost(collect(executor, lost))
    assert death.retry
    assert death.cause.startswith("ActorDiedError: ")
    assert "its worker process has died" in death.cause

    executor.replace(0)
    collect(executor, ready(1))
    assert inside(executor, 0, lambda _: os.getpid()) != pid
    Path(settings.folder).rename(Path(settings.folder).with_name("gone"))
    executor.submit(0, a_pack(2))
    with pytest.raises(RunError, match=r"worker 0: can't write val_loss.*; mend it and resume"):
        collect(executor, lost)


def test_a_worker_does_not_run_far_ahead(
    join: Callable[..., RayExecutor], settings: RunSettings
) -> None:
    """Its checkpoints would fill the disk, and be lost with it."""
    executor = join(1)
    collect(executor, ready(1))
    executor.submit(0, a_pack(0, 200))
    taken = len(collect(executor, lambda events: len(events) >= 3))
    most = 2 * (taken + hpsearch.execution.ray_executor.AHEAD + 1)
    for _ in range(20):
        assert len(list(Path(settings.folder).glob("*.safetensors"))) <= most
        time.sleep(0.02)


def test_workers_that_never_start_end_the_run(
    join: Callable[..., RayExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, *_: Any) -> None:
            raise ModuleNotFoundError("No module named 'workers'")

        def ready(self) -> None: ...

    monkeypatch.setattr(
        hpsearch.execution.ray_executor, "remote_actor", lambda **o: ray.remote(**o)(Broken)
    )
    executor = join(1)
    for _ in range(startup.START_ATTEMPTS - 1):
        (event,) = lost(collect(executor, lost))
        assert "No module named 'workers'" in event.cause
        executor.replace(0)
    with pytest.raises(RunError, match=r"a worker does not start: .*No module named 'workers'"):
        collect(executor, lost)


def test_a_cluster_without_room_is_not_waited_for_for_ever(
    join: Callable[..., RayExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "START_SECONDS", 0.0)
    executor = join(1)
    with pytest.raises(RunError, match="each needs a CPU, and the cluster has 2"):
        executor.wait(0.001)


def test_a_worker_killed_in_its_pack_changes_nothing(
    cluster: RunningCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The search is that of this process, and nothing acknowledged is trained again."""
    config = tiny_config(stages__1__epochs=40)
    undisturbed = outcome(run_here(config, tmp_path / "here" / "tiny")[0].path)
    folder = RunFolder(tmp_path / "tiny")
    killed: list[int] = []

    def watch(search: Search) -> None:
        # So far from its end that the worker, at most AHEAD epochs on, is still training it.
        training = [
            r
            for r in search.trials.values()
            if r.state == "running" and 0 < r.epochs_done < r.epochs - 30
        ]
        if training and not killed:
            killed.extend(cluster.command.find("ray::Training"))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    where = BackendOptions(workers=2, address=cluster.address)
    session.run(config, folder, where, lambda workers, backend: watch)
    assert killed
    assert difference(outcome(folder.path), undisturbed) is None
    with Store.read(folder.database) as store:
        failures = store.failures()
    assert {failure.cause.split(":")[0] for failure in failures} == {"ActorDiedError"}
    assert {failure.attempt for failure in failures} == {1}
    assert capfd.readouterr() == ("", "")
    assert max(failure.epoch for failure in failures) > 0
    assert cluster.command.process.poll() is None


def test_memory_is_that_of_the_clusters_nodes(
    cluster: RunningCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's own does not matter; nothing is written before the check."""
    monkeypatch.setattr(machine, "memory", lambda: Memory(0))
    found: list[Memory] = []
    measure = nodes.least_memory

    def least(cluster_nodes: Any) -> Memory:
        found.append(measure(cluster_nodes))
        return found[-1] if len(found) == 1 else replace(found[-1], size_bytes=1000)

    monkeypatch.setattr(nodes, "least_memory", least)
    folder = RunFolder(tmp_path / "results" / "tiny")
    where = BackendOptions(workers=1, address=cluster.address)
    session.run(tiny_config(), folder, where, quiet)
    assert 2**27 < found[0].size_bytes < 2**50
    other = RunFolder(tmp_path / "other" / "tiny")
    with pytest.raises(InputError, match="on the cluster's smallest node") as caught:
        session.run(tiny_config(), other, where, quiet)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "results"]
    with pytest.raises(InputError, match="GB here"):
        session.run(tiny_config(), other, BackendOptions(in_process=True), quiet)


def test_memory_taken_by_ray_is_retried_twice_and_the_reason_is_no_advice() -> None:
    said = "The node runs low on memory, 22 GB of 23 GB.\n\nSee the documentation on memory."
    lost = hpsearch.execution.ray_executor._lost(3, ray.exceptions.OutOfMemoryError(said))
    cause = "OutOfMemoryError: The node runs low on memory, 22 GB of 23 GB."
    assert lost == WorkerLost(3, cause, retry=True, retries=2)


class Silent(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def website() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_addresses_at_which_no_cluster_answers(
    website: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "ANSWER_SECONDS", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        for address in (
            f"127.0.0.1:{website}",
            f"127.0.0.1:{mute.getsockname()[1]}",
            "127.0.0.1:1",
            "no-such-host.invalid:6379",
            f"{'a' * 70}.b:6379",
        ):
            with pytest.raises(RunError, match=f"no Ray cluster answers at {address}: "):
                addresses.check_answer(address)


def test_a_cluster_answers(cluster: RunningCluster) -> None:
    addresses.check_answer(cluster.address)
    assert addresses.is_open(cluster.address)


def test_what_is_no_cluster_is_not_called_open(
    website: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "ANSWER_SECONDS", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        for port in (website, mute.getsockname()[1], 1):
            assert not addresses.is_open(f"127.0.0.1:{port}")


def test_a_long_temporary_folder_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp/" + "long" * 20)
    folder = clusters.make_folder()
    assert folder.parent == Path("/tmp")
    assert folder.stat().st_mode & 0o777 == 0o700
    clusters.remove(folder)
    assert not folder.exists()
