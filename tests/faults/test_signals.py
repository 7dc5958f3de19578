"""Promise 10: SIGINT and SIGTERM at any point and while the program starts."""

import os
import shlex
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.commands import Command
from tests.faults.lab.interruption import finish, survey
from tests.faults.lab.outcome import acknowledged, difference, missing, outcome
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import NewLab

pytestmark = pytest.mark.usefixtures("interruptible")

POINT = "10 a signal ends a run soon, and it goes on: at a point"
START = "10 a signal ends a run soon, and it goes on: while it starts"
RAY = "10 a signal ends a run soon, and it goes on: on Ray"

LIMIT_SECONDS = 10.0
NUMBERS = {"int": signal.SIGINT, "term": signal.SIGTERM}
WAY = "interrupted; go on with: hpsearch "
EARLY_SECONDS = 0.4
"""Before that, Python itself may be starting: it knows no better than to die of the signal."""


def way_on(output: str, run: Path) -> list[str]:
    """Return the command that an interrupted run names; raises ValueError if it is wrong."""
    (line,) = output.splitlines()
    if run.exists():
        if not line.startswith(WAY):
            raise ValueError(output)
        return shlex.split(line.removeprefix(WAY))
    if line not in ("interrupted before anything was written", "hpsearch: interrupted"):
        raise ValueError(output)
    return []


def signalled(new_lab: NewLab, whole: dict[str, str], plan: str) -> Verdict:
    """Let a signal come at a failpoint, then do as the run says."""
    lab = new_lab()
    began = time.monotonic()
    started = lab.search(failpoint=plan)
    ended = started.wait()
    seconds = time.monotonic() - began
    number = NUMBERS[plan.partition("=")[2].partition("@")[0]]
    if ended.code != 128 + number or seconds > LIMIT_SECONDS or alive(started.pid):
        return judge(wrong=f"{ended.code} after {seconds:.1f} s: {ended.output[-500:]}")
    try:
        way = way_on(ended.output, lab.run)
    except ValueError as error:
        return judge(wrong=str(error))
    left = sorted(path.name for path in lab.folder.glob("results/.*"))
    if left or not way:
        return judge(wrong=f"left: {left}") if left else finish(lab, whole)
    before, lost = acknowledged(lab.run), missing(lab, {})
    again = lab.start([*way, "--in-process"]).wait()
    if again.code != 0:
        return judge(lost=lost, wrong=f"it did not go on: {again.output[-500:]}")
    return judge(lost=lost or missing(lab, before), wrong=difference(whole, outcome(lab.run)))


def alive(group: int) -> bool:
    """Tell whether a process of a group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def while_starting(
    new_lab: NewLab, whole: dict[str, str], short: Path, number: int, seconds: float
) -> Verdict:
    """Send a signal so many seconds after the command was typed; a fresh Python loads all."""
    lab = new_lab()
    config = lab.folder / "config.yaml"
    command = Command(
        *("run", config, "--results", lab.folder / "results", "--in-process"), folder=short
    )
    time.sleep(seconds)
    command.signal(number)
    ended = command.wait()
    if left := command.processes():
        return judge(wrong=f"left: {left}")
    if ended.code != 0:
        # Python dies of a signal in its own way while it starts, and once all is done.
        own_way = seconds < EARLY_SECONDS or (lab.run / "summary.json").is_file()
        codes = (128 + number, -number) if own_way else (128 + number,)
        if ended.code not in codes or ended.seconds > LIMIT_SECONDS:
            return judge(wrong=f"{ended.code} after {ended.seconds:.1f} s: {ended.err[-500:]}")
        if ended.code > 0:
            try:
                way_on(ended.err, lab.run)
            except ValueError as error:
                return judge(wrong=str(error))
    return finish(lab, whole)


def on_ray(new_lab: NewLab, whole: dict[str, str], short: Path, plan: str) -> Verdict:
    """Let a signal come to the master at a failpoint, then do as the run says."""
    lab = new_lab()
    place = ["--workers", "2"]
    name, _, rest = plan.partition("=")
    number = NUMBERS[rest.partition("@")[0]]
    faults = {"HPSEARCH_FAILPOINT": plan}
    config = lab.folder / "config.yaml"
    command = Command(
        *("run", config, "--results", lab.folder / "results", *place), folder=short, **faults
    )
    ended = command.wait()
    left = [*command.processes().values(), *(path.name for path in short.iterdir())]
    if ended.code != 128 + number or left:
        return judge(wrong=f"{name}: {ended.code}, left {left}: {ended.err[-500:]}")
    try:
        way = way_on(ended.err, lab.run)
    except ValueError as error:
        return judge(wrong=str(error))
    before = acknowledged(lab.run)
    again = Command(*way, *place, folder=short).wait()
    if again.code != 0:
        return judge(wrong=f"it did not go on: {again.err[-500:]}")
    return judge(lost=missing(lab, before), wrong=difference(whole, outcome(lab.run)))


def test_a_signal_at_some_failpoints(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], promises: PromiseTable
) -> None:
    names = sorted(set(passed))[::3]
    plans = [
        f"{name}={'int' if n % 2 else 'term'}@{1 + passed.count(name) // 2}"
        for n, name in enumerate(names)
    ]
    faults = {plan: partial(signalled, new_lab, whole, plan) for plan in plans}
    assert survey(promises, POINT, faults) == []


@pytest.mark.slow
def test_a_signal_at_every_pass_of_every_failpoint(
    new_lab: NewLab, whole: dict[str, str], passed: list[str], promises: PromiseTable
) -> None:
    """The two signals take turns; at the middle pass of each point both come."""
    plans = {f"*={'int' if n % 2 else 'term'}@{n}" for n in range(1, len(passed) + 1)}
    middle = {f"{name}={{}}@{1 + passed.count(name) // 2}" for name in passed}
    plans |= {plan.format(kind) for plan in middle for kind in NUMBERS}
    faults = {plan: partial(signalled, new_lab, whole, plan) for plan in sorted(plans)}
    assert survey(promises, POINT, faults) == []


@pytest.mark.slow
def test_a_signal_while_the_program_starts(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, short: Path
) -> None:
    faults = {}
    for n in range(40):
        (short / str(n)).mkdir()
        number = NUMBERS["int" if n % 2 else "term"]
        faults[f"{n}"] = partial(while_starting, new_lab, whole, short / str(n), number, 0.1 * n)
    assert survey(promises, START, faults) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [
        *("store.before_commit=int@1", "store.after_commit=term@9"),
        *("master.after_dispatch=term@2", "master.before_remove=int@3"),
        "conclusion.before_summary=term@1",
    ],
)
def test_a_signal_on_ray(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable, short: Path, plan: str
) -> None:
    verdict = promises.enter(RAY, on_ray(new_lab, whole, short, plan))
    assert verdict.good, verdict.detail
