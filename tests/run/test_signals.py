"""SIGINT and SIGTERM: the right exit code, soon, nothing left behind, and all can go on."""

import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpsearch.execution.cluster import local_cluster
from hpsearch.run.signals import SIGNALS, Interrupted, Interrupts
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from tests.commands import Command, Ended, acknowledged, write_config
from tests.faults.lab.outcome import difference, outcome
from tests.support import run_here, tiny_config

pytestmark = pytest.mark.usefixtures("interruptible")

LIMIT_SECONDS = 10
EPOCHS = 150
LONG: dict[str, Any] = {
    "stages": [
        {"name": "coarse", "num_trials": 6, "epochs": 2},
        {"name": "fine", "num_trials": 4, "epochs": EPOCHS, "narrow": {"keep_top": 0.5}},
    ],
    "checkpoint": {"every": 7, "keep_top": 4},
}
ALL_EPOCHS = 6 * 2 + 4 * EPOCHS


@pytest.fixture
def interrupts(interruptible: None) -> Iterator[Interrupts]:
    before = [signal.getsignal(number) for number in SIGNALS]
    interrupts = Interrupts()
    try:
        yield interrupts
    finally:
        interrupts.restore()
        assert [signal.getsignal(number) for number in SIGNALS] == before


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_raised_when_asked_for(interrupts: Interrupts, number: int) -> None:
    interrupts.check()
    send(number)
    with pytest.raises(Interrupted) as caught:
        interrupts.check()
    assert caught.value.number == number


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_raised_where_it_arrives_once_that_is_safe(
    interrupts: Interrupts, number: int
) -> None:
    interrupts.install()
    with pytest.raises(Interrupted) as caught:
        send(number)
    assert caught.value.number == number


def test_a_signal_from_before_is_raised_at_the_installation(interrupts: Interrupts) -> None:
    send(signal.SIGTERM)
    with pytest.raises(Interrupted):
        interrupts.install()


def test_the_first_signal_counts_and_later_ones_disturb_nothing(interrupts: Interrupts) -> None:
    interrupts.at_once = True
    with pytest.raises(Interrupted):
        send(signal.SIGTERM)
    send(signal.SIGINT)
    send(signal.SIGTERM)
    with pytest.raises(Interrupted) as caught:
        interrupts.check()
    assert caught.value.number == signal.SIGTERM


def test_handlers_are_taken_back_from_a_library(interrupts: Interrupts) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interrupts.install()
    with pytest.raises(Interrupted):
        send(signal.SIGTERM)


@pytest.mark.parametrize("ignored", SIGNALS)
def test_what_was_ignored_at_the_start_stays_so(ignored: int) -> None:
    """The custom of Unix: glibc's manual has it under "Signal Handling", "Initial Actions"."""
    (other,) = set(SIGNALS) - {ignored}
    before = signal.signal(ignored, signal.SIG_IGN)
    interrupts = Interrupts()
    try:
        interrupts.install()
        send(ignored)
        interrupts.check()
        with pytest.raises(Interrupted):
            send(other)
    finally:
        interrupts.restore()
        assert signal.signal(ignored, before) == signal.SIG_IGN


def test_a_signal_while_it_is_made_waits_for_who_can_bear_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def slow(thread: threading.Thread) -> None:
        send(signal.SIGINT)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", slow)
    interrupts = Interrupts()
    try:
        with pytest.raises(Interrupted):
            interrupts.install()
    finally:
        interrupts.restore()


def test_no_handler_of_ordinary_errors_swallows_it() -> None:
    assert not issubclass(Interrupted, Exception)


def test_nothing_is_left_of_it() -> None:
    def resources() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    before = resources()
    for _ in range(20):
        interrupts = Interrupts()
        send(signal.SIGINT)
        interrupts.restore()
    while threading.active_count() > before[1]:
        pass
    assert resources() == before


STUCK = """
import hashlib, subprocess, sys
from hpsearch.run import signals
from hpsearch.execution.cluster import local_cluster
signals.GRACE_SECONDS = 0.3
noted = signals.Interrupts()
folder = local_cluster.make_folder()
with local_cluster.variable(local_cluster.MARK, str(folder)):
    subprocess.Popen(["sleep", "1000"])
    subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000"])
print("ready", flush=True)
if sys.argv[1] == "stuck":
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""


NEXT = """
from hpsearch.execution.cluster import local_cluster
local_cluster.remove(local_cluster.make_folder())
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_what_hangs_is_ended_with_all_it_started(short: Path, number: int) -> None:
    """Here the main thread is in C for hours: it can't handle a signal."""
    command = Command("stuck", folder=short, code=STUCK)
    assert command.process.stdout is not None
    command.process.stdout.readline()
    command.until(lambda: len(command.find("sleep")) == 3)
    command.signal(number)
    ended = command.wait()
    assert (ended.code, ended.err) == (128 + number, "hpsearch: interrupted\n")
    assert list(short.iterdir()) == []
    command.until_none()


def test_removing_a_cluster_ends_its_processes_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = local_cluster.make_folder()
    other = local_cluster.make_folder()
    script = ["sh", "-c", "trap '' TERM INT; sleep 1000 & sleep 1000"]
    with local_cluster.variable(local_cluster.MARK, str(folder)):
        doomed = subprocess.Popen(script)
    with local_cluster.variable(local_cluster.MARK, str(other)):
        spared = subprocess.Popen(["sleep", "1000"])
    assert local_cluster.MARK not in os.environ
    (folder / "file").write_text("x")
    local_cluster.remove(folder)
    assert local_cluster._processes(folder) == []
    assert doomed.wait() == -signal.SIGKILL
    assert not folder.exists()
    assert spared.poll() is None
    assert local_cluster._processes(other) == [spared.pid]
    local_cluster.remove(other)
    assert spared.wait() == -signal.SIGKILL


class Place:
    """A folder for runs of the long search, and how it ends when nothing interrupts it."""

    def __init__(self, short: Path, tmp_path: Path) -> None:
        self.short = short
        self.tmp_path = tmp_path
        self.config = write_config(tmp_path / "tiny.yaml", **LONG)

    def run(self, name: str) -> Path:
        return self.tmp_path / name / "tiny"

    def start(self, name: str, *options: str, resume: bool = False) -> Command:
        (self.short / name).mkdir(exist_ok=True)
        what = ["resume", self.run(name)]
        if not resume:
            what = ["run", self.config, "--results", self.tmp_path / name]
        return Command(*what, "--workers", "1", *options, folder=self.short / name)

    def left(self, name: str) -> list[str]:
        """Return what is in the temporary folder of a command."""
        return [path.name for path in (self.short / name).iterdir()]


@pytest.fixture
def place(short: Path, tmp_path: Path) -> Place:
    return Place(short, tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder, _ = run_here(tiny_config(**LONG), tmp_path_factory.mktemp("whole") / "tiny")
    return outcome(folder.path)


def resume_here(run: Path) -> dict[str, str]:
    """Go on in this process, and return what the run comes to."""
    config = RunFolder(run).load_config()
    return outcome(run_here(config, run, resume=True)[0].path)


def interrupt(place: Place, name: str, number: int, moment: Callable[[Command], bool]) -> Ended:
    """Send a signal to a run on Ray at a moment, and see to it that nothing is left of it."""
    command = place.start(name)
    command.until(lambda: moment(command))
    command.signal(number, group=number == signal.SIGINT)
    ended = command.wait()
    assert ended.code == 128 + number, ended.err
    assert ended.seconds < LIMIT_SECONDS
    assert command.processes() == {}
    assert place.left(name) == []
    return ended


def both(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Do two things that mostly wait, at once; both must end well."""
    failures: list[BaseException] = []

    def guarded(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=[action]) for action in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure


def test_a_signal_while_ray_starts(place: Place) -> None:
    """Nothing has been written, and nothing is."""

    def at(name: str, number: int, process: str) -> None:
        ended = interrupt(place, name, number, lambda command: bool(command.find(process)))
        assert not (place.tmp_path / name).exists()
        assert "Traceback" not in ended.err
        assert ended.err.splitlines()[-1].startswith(("interrupted", "hpsearch: interrupted"))

    both(
        lambda: at("int", signal.SIGINT, "gcs_server"), lambda: at("term", signal.SIGTERM, "raylet")
    )


def test_a_signal_in_the_search(place: Place, whole: dict[str, str]) -> None:
    def at(name: str, number: int, epochs: int) -> None:
        run = place.run(name)
        ended = interrupt(place, name, number, lambda _: acknowledged(run) >= epochs)
        assert epochs <= acknowledged(run) < ALL_EPOCHS
        assert ended.err == f"interrupted; go on with: hpsearch resume {run}\n"

    both(lambda: at("int", signal.SIGINT, 2), lambda: at("term", signal.SIGTERM, 30))
    for name in ("int", "term"):
        assert difference(resume_here(place.run(name)), whole) is None


@pytest.mark.parametrize("place_options", [["--in-process"], []], ids=["here", "ray"])
def test_in_a_background_without_job_control(
    place: Place, whole: dict[str, str], place_options: list[str]
) -> None:
    """There a shell starts everything with SIGINT ignored, Ray's processes too."""
    run = place.run("run")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = place.start("run", *place_options)
    finally:
        signal.signal(signal.SIGINT, before)
    command.until(lambda: acknowledged(run) >= 2)
    command.signal(signal.SIGINT, group=True)
    reached = acknowledged(run)
    command.until(lambda: acknowledged(run) > reached + 20)
    command.signal(signal.SIGTERM)
    ended = command.wait()
    assert ended.code == 128 + signal.SIGTERM
    assert ended.err == f"interrupted; go on with: hpsearch resume {run}\n"
    assert command.processes() == {}
    with Store.read(run / "search.db") as store:
        assert [failure.cause for failure in store.failures()] == []
    assert difference(resume_here(run), whole) is None


def test_a_killed_master_takes_its_workers_along(place: Place, whole: dict[str, str]) -> None:
    """Ray's agents notice later; the next run on this machine clears away what is left."""
    run = place.run("killed")
    command = place.start("killed")
    command.until(lambda: acknowledged(run) >= 20)
    assert command.find("ray::Training")
    command.signal(signal.SIGKILL)
    assert command.wait().code == -signal.SIGKILL
    command.until_none("ray::Training")
    assert acknowledged(run) < ALL_EPOCHS
    assert difference(resume_here(run), whole) is None
    Command(folder=place.short / "killed", code=NEXT).wait()
    assert command.processes() == {}
    assert place.left("killed") == []


@pytest.mark.slow
@pytest.mark.parametrize("process", ["raylet", "gcs_server"])
def test_a_ray_that_dies_ends_the_run_in_one_line(
    place: Place, whole: dict[str, str], process: str
) -> None:
    run = place.run("run")
    command = place.start("run")
    command.until(lambda: acknowledged(run) >= 20)
    os.kill(command.find(process)[0], signal.SIGKILL)
    ended = command.wait()
    assert acknowledged(run) < ALL_EPOCHS
    line = f"hpsearch: Ray's {process} was killed or has crashed; resume the run\n"
    assert (ended.code, ended.err) == (1, line)
    assert command.processes() == {}
    assert place.left("run") == []
    assert difference(resume_here(run), whole) is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_signals_at_random_moments(place: Place, whole: dict[str, str], seed: int) -> None:
    """Of any kind, three in a row, each answered by a resume on Ray."""
    rng = random.Random(seed)
    run = place.run("run")
    for _ in range(3):
        number = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        command = place.start("run", resume=run.exists())
        threading.Event().wait(rng.uniform(0, 12))
        if command.process.poll() is None:
            command.signal(number, group=number == signal.SIGINT)
        ended = command.wait()
        assert ended.code in (0, 128 + number, -number), ended.err
        assert ended.seconds < LIMIT_SECONDS or ended.code == 0
        command.until_none()
        if number != signal.SIGKILL:
            assert place.left("run") == []
        shutil.rmtree(place.short / "run")
    ended = place.start("run", resume=run.exists()).wait()
    assert ended.code == 0, ended.err
    assert difference(outcome(run), whole) is None
