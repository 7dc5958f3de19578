"""What is made once and used by many tests: finished runs, and a Ray cluster."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpsearch.storage.folder import RunFolder
from tests.commands import Command
from tests.support import run_here, tiny_config, write_colours, write_line

os.environ.pop("RAY_ADDRESS", None)  # Whoever tests on a node of a cluster tests not that one.


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``colours.csv`` (three classes) and ``line.csv`` (a regression)."""
    folder = tmp_path_factory.mktemp("data")
    write_colours(folder / "colours.csv")
    write_line(folder / "line.csv")
    return folder


@pytest.fixture(scope="session")
def colours_run(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run whose classes are text."""
    config = tiny_config(data__source=str(data_folder / "colours.csv"), data__target="colour")
    with unchanged():
        return run_here(config, tmp_path_factory.mktemp("results") / "tiny")[0]


@pytest.fixture(scope="session")
def line_run(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of a regression, whose metric is to be minimized."""
    config = tiny_config(
        study__metric="val_mse",
        data__source=str(data_folder / "line.csv"),
        data__target="price",
        data__task="regression",
        network__loss="squared_error",
        stages__1__epochs=25,
        search_space__learning_rate={"type": "float", "low": 1e-3, "high": 0.1, "log": True},
    )
    with unchanged():
        return run_here(config, tmp_path_factory.mktemp("results") / "tiny")[0]


@contextmanager
def unchanged() -> Iterator[None]:
    """Make a run apart from the test that asked for it first, whatever that one patched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HPSEARCH_FAILPOINT", raising=False)
        yield


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt this process and what it starts, however the tests were started.

    A shell without job control lets what it runs in the background ignore it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


CLUSTER = """
import logging, signal, sys, ray
ray.init(
    address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
    logging_level=logging.ERROR, object_store_memory=2**27,
    _node_ip_address="127.0.0.2", _temp_dir=sys.argv[1],
)
print(ray.get_runtime_context().gcs_address, flush=True)
signal.pause()
"""


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """A Ray cluster of two CPUs, the process that owns it, and Ray's folder."""

    address: str
    command: Command
    folder: Path


@pytest.fixture(scope="session")
def cluster() -> Iterator[RunningCluster]:
    """The one Ray cluster of a test session; it belongs to nobody and must outlive all."""
    with short_folder() as folder:
        command = Command(folder, folder=folder, code=CLUSTER, RAY_AUTH_MODE="disabled")
        try:
            stdout = command.process.stdout
            address = stdout.readline().strip() if stdout else ""
            if not address:
                raise RuntimeError(command.wait().err)
            yield RunningCluster(address, command, folder)
        finally:
            command.kill()
            command.wait()


@pytest.fixture
def short() -> Iterator[Path]:
    """An empty folder with a path short enough for the sockets in it."""
    with short_folder() as folder:
        yield folder


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder directly below /tmp, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="hp-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
