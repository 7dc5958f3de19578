"""Promises 13 and 14: ten thousand trials, and a clock that is a day off."""

import resource
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.faults.lab.interruption import finish, survey
from tests.faults.lab.outcome import acknowledged
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import THREE_STAGES, NewLab

CLOCK = "14 the clock does not matter"
SCALE = "13 ten thousand trials, and a resume in 10 s"
TRIALS = 10_000
RESUME_SECONDS = 10.0


def shift(seconds: float) -> None:
    """Set this process's clock forwards or backwards; the monotonic one can't be set."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)


def clock_set(new_lab: NewLab, whole: dict[str, str], point: int, seconds: float) -> Verdict:
    """Kill, set the clock, go on."""
    lab = new_lab()
    lab.search(failpoint=f"store.after_commit=kill@{point}").wait()
    return finish(lab, whole, inject=partial(shift, seconds))


def test_clock_a_day_off(new_lab: NewLab, whole: dict[str, str], promises: PromiseTable) -> None:
    faults = {
        f"{seconds} at {point}": partial(clock_set, new_lab, whole, point, seconds)
        for seconds, point in ((86_400.0, 7), (-86_400.0, 12))
    }
    assert survey(promises, CLOCK, faults) == []


@pytest.mark.slow
def test_ten_thousand_trials(new_lab: NewLab, promises: PromiseTable) -> None:
    """Kill the search when it is nearly through; report what it used, and the way back."""
    lab = new_lab()
    stages = [{"name": "only", "num_trials": TRIALS, "epochs": 1}]
    lab.configure({**THREE_STAGES, "stages": stages})
    began = time.monotonic()
    started = lab.search()
    handles = memory = 0
    while not (lab.run / "search.db").exists():
        time.sleep(0.1)
    while started.process.is_alive() and _epochs(lab.run) < TRIALS - 300:
        handles = max(handles, len(list(Path(f"/proc/{started.pid}/fd").iterdir())))
        memory = max(memory, _peak_memory(started.pid))
        time.sleep(2)
    started.kill()
    seconds = time.monotonic() - began
    done = acknowledged(lab.run)
    began = time.monotonic()
    again = lab.search()
    while _epochs(lab.run) == len(done) and again.process.is_alive():
        time.sleep(0.05)
    back = time.monotonic() - began
    ended = again.wait(600)
    disk = sum(path.stat().st_size for path in lab.run.rglob("*") if path.is_file())
    promises.figures.append(
        f"{TRIALS} trials: {len(done) / seconds:.0f} trials/s, {handles} file handles,"
        f" {memory / 1024:.0f} MiB of memory, {disk / 2**20:.1f} MiB on disk,"
        f" first new epoch {back:.1f} s after the resume began"
    )
    complete = len(acknowledged(lab.run)) == TRIALS
    few = handles < 64 and memory < 2 * 2**20 and back < RESUME_SECONDS
    wrong = None if complete and ended.code == 0 and few else f"{promises.figures[-1]} {ended}"
    lost = None if done.keys() <= acknowledged(lab.run).keys() else "epochs"
    verdict = promises.enter(SCALE, judge(lost=lost, wrong=wrong))
    assert verdict.good, verdict.detail


def _epochs(run: Path) -> int:
    """Return how many epochs are acknowledged, without reading them."""
    with closing(sqlite3.connect(f"file:{run}/search.db?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM epochs").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def _peak_memory(pid: int) -> int:
    """Return the most memory that a process has had, in KiB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return int(status.partition("VmHWM:")[2].split()[0])
