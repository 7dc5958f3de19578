"""Where a search trains: the option, then RAY_ADDRESS, then a cluster of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpsearch.cli.main import main
from hpsearch.execution.backend import BackendOptions, locate
from hpsearch.execution.cluster import discovery
from tests.commands import write_config
from tests.conftest import RunningCluster
from workers.errors import InputError, RunError

OWN = "on a cluster of its own"
HERE = "10.1.1.1:6379"

Raylet = Callable[..., Path]


@pytest.fixture
def raylet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raylet:
    """Make up a process of a name and the folder of its Ray; returns the folder."""
    processes = tmp_path / "proc"
    processes.mkdir()
    monkeypatch.setattr(discovery, "PROCESSES", processes)

    def make(
        number: int, address: str, record: str | None, *, name: str = "/ray/raylet/raylet"
    ) -> Path:
        folder = tmp_path / f"ray{number}"
        folder.mkdir()
        words = [name, "--other=1", f"--temp_dir={folder}", f"--gcs-address={address}", ""]
        (processes / str(number)).mkdir()
        (processes / str(number) / "cmdline").write_text("\0".join(words))
        if record is not None:
            (folder / "ray_current_cluster").write_text(record)
        return folder

    return make


def test_which_one_is_meant(raylet: Raylet, monkeypatch: pytest.MonkeyPatch) -> None:
    raylet(1, HERE, HERE)
    there = "head:6379"
    for option, variable, address, text in (
        (None, None, None, OWN),
        (None, "", None, OWN),
        (None, "local", None, OWN),
        (None, there, there, f"on the Ray cluster at {there} (RAY_ADDRESS)"),
        (None, "auto", HERE, f"on the Ray cluster at {HERE} (RAY_ADDRESS)"),
        ("local", there, None, OWN),
        ("auto", there, HERE, f"on the Ray cluster at {HERE}"),
        ("other:1", there, "other:1", "on the Ray cluster at other:1"),
        ("other:1", "http://head:1", "other:1", "on the Ray cluster at other:1"),
    ):
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        if variable is not None:
            monkeypatch.setenv("RAY_ADDRESS", variable)
        backend = locate(BackendOptions(address=option))
        assert (backend.address, backend.text) == (address, text), (option, variable)


def test_in_this_process_needs_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://head:1")
    assert locate(BackendOptions(in_process=True)).text == "in this process"


def test_in_this_process_and_on_a_cluster_exclude_each_other(tmp_path: Path) -> None:
    config = write_config(tmp_path / "tiny.yaml")
    where = ["--in-process", "--address", "auto", "--results", str(tmp_path / "results")]
    result = CliRunner().invoke(main, ["run", str(config), *where])
    assert result.exit_code == 2
    assert "--in-process and --address exclude each other" in result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("said", ["option", "variable"])
@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        *((a, "10.0.0.1:6379") for a in ("head", "head:", ":6379", "head:0", "head:65536")),
        *((a, "10.0.0.1:6379") for a in ("head:x", " ", "AUTO", "zookeeper://h:1")),
        ("ray://head:10001", "leave Ray Client out: give HOST:PORT of the head node"),
        ("http://head:8265", "ray job submit"),
        ("https://head:8265", "ray job submit"),
    ],
)
def test_what_is_no_address(
    address: str, remedy: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address if said == "variable" else "head:1")
    with pytest.raises(InputError) as caught:
        locate(BackendOptions(address=address if said == "option" else None))
    assert caught.value.rule == "the address of a Ray cluster is HOST:PORT, auto or local"
    assert caught.value.value == "RAY_ADDRESS=" * (said == "variable") + repr(address)
    assert remedy in caught.value.remedy


def test_an_empty_option_is_no_address() -> None:
    with pytest.raises(InputError, match="got ''"):
        locate(BackendOptions(address=""))


def test_no_cluster_runs_here(raylet: Raylet) -> None:
    """Neither a program's own, nor one that is gone or another, nor another program."""
    raylet(1, HERE, None)
    raylet(2, HERE, "10.9.9.9:6379")
    raylet(3, HERE, HERE, name="/usr/bin/editor")
    raylet(4, HERE, HERE, name="")
    raylet(5, "", "")
    with pytest.raises(RunError, match="there is none of yours"):
        discovery.running_cluster()


@pytest.mark.parametrize("whose", ["process", "record"])
def test_a_strangers_cluster_is_not_joined(
    raylet: Raylet, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    folder = raylet(1, HERE, HERE)
    assert discovery.running_cluster() == HERE
    path = discovery.PROCESSES / "1" if whose == "process" else folder / "ray_current_cluster"
    if os.getuid() == 0:
        os.chown(path, 4711, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(RunError, match="there is none of yours"):
        discovery.running_cluster()


def test_one_of_several_has_to_be_named(raylet: Raylet) -> None:
    raylet(1, HERE, HERE)
    raylet(2, HERE, HERE)
    assert discovery.running_cluster() == HERE  # two nodes of one cluster
    raylet(3, "10.2.2.2:1", "10.2.2.2:1\n")
    with pytest.raises(InputError, match=r"2: 10\.1\.1\.1:6379, 10\.2\.2\.2:1; give"):
        discovery.running_cluster()


def test_a_real_raylet_says_what_is_read(
    cluster: RunningCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command line is no promise of Ray's; the record, which ``ray start`` makes, is one."""
    (process,) = cluster.command.find("raylet")
    (tmp_path / str(process)).symlink_to(f"/proc/{process}")
    monkeypatch.setattr(discovery, "PROCESSES", tmp_path)
    with pytest.raises(RunError, match="there is none of yours"):
        discovery.running_cluster()
    record = cluster.folder / discovery.RECORD
    record.write_text(cluster.address)
    try:
        assert discovery.running_cluster() == cluster.address
    finally:
        record.unlink()
