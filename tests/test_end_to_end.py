"""From the command line to the table: on a Ray of its own, and on one that runs already."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpsearch.cli.main import main
from hpsearch.config import loading as configs
from hpsearch.execution.cluster import discovery
from tests.commands import Command, Ended, write_config
from tests.conftest import CLUSTER, RunningCluster, short_folder
from tests.faults.lab.outcome import difference, outcome
from tests.support import run_here

COLUMNS = "trial,stage,state,epochs,val_accuracy,learning_rate,l2"
SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "l2": {"type": "float", "low": 1e-6, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
}
LISTEN = "0A"
RULE = "the address of a Ray cluster is HOST:PORT, auto or local"
READ_ONLY = """
import ctypes, os, subprocess, sys
root = os.getcwd()
if ctypes.CDLL(None).unshare(0x00020000) != 0:
    sys.exit("no namespace")
script = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"'
subprocess.run(["sh", "-c", script, root], check=True)
os.chdir(root)
from hpsearch.cli.main import main
main()
"""
"""The command line in a mount namespace of its own, in which the sources can't be written."""


@dataclass(frozen=True)
class LocalRun:
    """A finished run on a Ray of its own, and what was seen of its processes meanwhile."""

    path: Path
    config: Path
    ended: Ended
    listening: dict[str, set[str]]
    token: str
    shown: str
    left: tuple[object, ...]


@pytest.fixture(scope="module")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """A run of two workers, in a home where nothing can be written.

    Of the cluster that the environment names it knows nothing: it is told ``local``.
    """
    folder = tmp_path_factory.mktemp("local")
    config = write_config(folder / "tiny.yaml", search_space=SPACE)
    with short_folder() as short:
        command = Command(
            *("run", config, "--results", folder, "--workers", "2", "--address", "local"),
            folder=short,
            HOME="/dev/null",
            RAY_ADDRESS="127.0.0.1:1",
        )
        command.until(lambda: len(command.find("ray::Training")) == 2)
        listening = listeners(command)
        raylet = Path(f"/proc/{command.find('raylet')[0]}/environ").read_text().split("\0")
        token = dict(item.split("=", 1) for item in raylet if item).get("RAY_AUTH_TOKEN", "")
        shown = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in command.processes())
        ended = command.wait()
        left = (command.processes(), list(short.iterdir()))
        yield LocalRun(folder / "tiny", config, ended, listening, token, shown, left)


def listeners(command: Command) -> dict[str, set[str]]:
    """Return the addresses at which the processes of a command listen, by their names."""
    found: dict[str, set[str]] = {}
    for pid, name in command.processes().items():
        sockets = set()
        with suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                sockets.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN and fields[9] in sockets:
                    found.setdefault(name, set()).add(address(fields[1].split(":")[0]))
    return found


def address(text: str) -> str:
    """Return an address as the kernel writes it, four bytes at a time, in the usual way."""
    words = [text[k : k + 8] for k in range(0, len(text), 8)]
    data = b"".join(struct.pack("=I", int(word, 16)) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


def test_a_run_ends_well_and_says_nothing_of_ray(local_run: LocalRun) -> None:
    assert (local_run.ended.code, local_run.ended.err) == (0, "")
    assert "Leaderboard" in local_run.ended.out
    where = "2 workers on a cluster of its own"
    assert local_run.ended.out.splitlines()[0] == f"tiny: 10 trials in 2 stages, {where}"
    first = (local_run.path / "master.log").read_text().splitlines()[0]
    assert first.endswith("workers: 2, on a cluster of its own")
    words = local_run.ended.out.lower().replace("/", " ").split()
    assert not [word for word in words if word.startswith(("ray", "(ray", "[ray", "warn"))]


def test_nothing_is_left_of_its_ray(local_run: LocalRun) -> None:
    assert local_run.left == ({}, [])


def test_its_ray_listens_on_this_machine_only(local_run: LocalRun) -> None:
    assert {"raylet", "gcs_server", "ray::TrainingAc"} <= local_run.listening.keys()
    heard = set().union(*local_run.listening.values())
    assert heard <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, local_run.listening


def test_its_ray_has_no_process_that_nobody_uses(local_run: LocalRun) -> None:
    assert "gcs_server" in local_run.shown
    for script in ("dashboard.py", "monitor.py", "log_monitor.py"):
        assert f"/{script}" not in local_run.shown


def test_bad_data_end_the_start_of_ray(tmp_path: Path, short: Path) -> None:
    """They are read beside it; nothing is left of either."""
    config = write_config(tmp_path / "tiny.yaml", data__source="nowhere.csv")
    command = Command("run", config, "--results", tmp_path / "results", folder=short)
    ended = command.wait()
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "nowhere.csv" in ended.err
    assert (command.processes(), list(short.iterdir())) == ({}, [])
    assert not (tmp_path / "results").exists()


def test_its_ray_has_a_token_that_nobody_else_sees(local_run: LocalRun) -> None:
    assert len(local_run.token) == 64
    assert "raylet" in local_run.shown
    assert local_run.token not in local_run.shown
    for path in local_run.path.rglob("*"):
        assert path.is_dir() or local_run.token.encode() not in path.read_bytes()


def test_it_is_the_run_of_this_process(local_run: LocalRun, tmp_path: Path) -> None:
    folder, _ = run_here(configs.load(local_run.config, assignments=[], name=None), tmp_path / "r")
    assert difference(outcome(local_run.path), outcome(folder.path)) is None


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def table(run: Path) -> str:
    """Return what the command of the promise prints."""
    result = call("results", run, "--format", "csv", "--columns", COLUMNS)
    assert result.exit_code == 0
    assert result.stderr == ""
    return result.stdout


def test_one_worker_and_two_give_the_same_table(
    local_run: LocalRun,
    cluster: RunningCluster,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one on a cluster that runs already, and goes on running: the environment names it."""
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    result = call("run", local_run.config, "--results", tmp_path, "--workers", "1")
    assert result.exit_code == 0, result.output
    where = f"1 worker on the Ray cluster at {cluster.address} (RAY_ADDRESS)"
    assert result.stdout.splitlines()[0] == f"tiny: 10 trials in 2 stages, {where}"
    warning = f"warning: the cluster at {cluster.address} asks for no token: whoever reaches it"
    assert result.stderr == f"{warning} can run code on it\n"
    assert capfd.readouterr() == ("", "")
    assert cluster.command.process.poll() is None
    one, two = table(tmp_path / "tiny"), table(local_run.path)
    assert one == two
    assert one.splitlines()[0] == COLUMNS
    assert len(one.splitlines()) == 1 + 10


@pytest.mark.parametrize(
    ("where", "code", "message"),
    [
        ("127.0.0.1:1", 1, "hpsearch: no Ray cluster answers at 127.0.0.1:1: "),
        ("auto", 1, "hpsearch: auto is the Ray cluster that runs on this machine, and there is "),
        ("somewhere", 2, f"hpsearch: {RULE}; got 'somewhere'; "),
    ],
)
def test_a_wrong_address(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr(discovery, "PROCESSES", tmp_path)
    config = write_config(tmp_path / "tiny.yaml")
    results = tmp_path / "results"
    result = call("run", config, "--results", results, "--address", where)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1
    assert not results.exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_cluster_with_a_token(tmp_path: Path, short: Path) -> None:
    """One line to whoever comes without it or with another, and no word of the token."""
    token, wrong = "a" * 64, "b" * 64
    how = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    head = Command(short, folder=short, code=CLUSTER, **how)
    try:
        address = head.process.stdout.readline().strip() if head.process.stdout else ""
        config = write_config(tmp_path / "tiny.yaml")
        run = ("run", config, "--results", tmp_path, "--workers", "1", "--address", address)
        for refused in ({}, how | {"RAY_AUTH_TOKEN": wrong}):
            ended = Command(*run, folder=tmp_path, **refused).wait()
            assert (ended.code, ended.out) == (1, "")
            assert ended.err.startswith(f"hpsearch: can't join {address} (a token needs ")
            assert len(ended.err.splitlines()) == 1
            assert wrong not in ended.err
            assert not (tmp_path / "tiny").exists()
        ended = Command(*run, folder=tmp_path, **how).wait()
        assert (ended.code, ended.err) == (0, "")
        assert token not in ended.out
    finally:
        head.kill()
        head.wait()


@pytest.mark.slow
@pytest.mark.parametrize("where", [["--in-process"], ["--workers", "2"]], ids=["here", "ray"])
def test_an_installation_that_can_not_be_written(
    short: Path, tmp_path: Path, where: list[str]
) -> None:
    """Nor can a home; machine code goes below the temporary folder, on Ray's workers too."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    config = write_config(tmp_path / "tiny.yaml")
    command = Command(
        *("run", config, "--results", tmp_path, *where),
        folder=short,
        code=READ_ONLY,
        HOME="/dev/null",
        XDG_CACHE_HOME="/dev/null",
    )
    ended = command.wait()
    if "no namespace" in ended.err:
        pytest.skip("mounting takes a namespace of one's own")
    assert (ended.code, ended.err) == (0, "")
    (kept,) = short.iterdir()
    assert f"machine code is kept in {kept}" in (tmp_path / "tiny" / "master.log").read_text()
    assert list(kept.rglob("*.nbc"))
