"""Interrupt a search, go on with it, and compare it with one that was not."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

from tests.faults.lab.outcome import acknowledged, difference, missing, outcome
from tests.faults.lab.power_loss import lose_power
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import Ended, Lab, NewLab

Inject = Callable[[], None]
Whole = Mapping[str, str]


def survey(
    promises: PromiseTable, promise: str, faults: Mapping[str, Callable[[], Verdict]]
) -> list[str]:
    """Try all faults, as many at once as there are CPUs, and return those that did harm."""

    def attempt(name: str) -> str | None:
        verdict = promises.enter(promise, faults[name]())
        return None if verdict.good else f"{name}: {verdict.kind}, {verdict.detail}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [harm for harm in pool.map(attempt, faults) if harm is not None]


def finish(lab: Lab, whole: Whole, *, inject: Inject | None = None, tries: int = 1) -> Verdict:
    """Go on with a search until it ends, and judge what it came to."""
    before = acknowledged(lab.run)
    lost = missing(lab, {})
    for _ in range(tries):
        ended = lab.search(inject=inject).wait()
        if ended.code == 0:
            break
    if ended.code != 0:
        return judge(lost=lost, wrong=f"it did not go on: {ended.output[-500:]}")
    lost = lost or missing(lab, before)
    return judge(lost=lost, wrong=difference(dict(whole), outcome(lab.run)))


def kill_at(new_lab: NewLab, whole: Whole, plan: str, *, inject: Inject | None = None) -> Verdict:
    """Kill a search at a failpoint, which it must pass, and go on with it."""
    lab = new_lab()
    ended = lab.search(failpoint=plan, inject=inject).wait()
    if ended.code != -9:
        return judge(wrong=f"{plan} ended with {ended.code}: {ended.output[-500:]}")
    return finish(lab, whole, inject=inject)


def kill_after(new_lab: NewLab, whole: Whole, seconds: Sequence[float]) -> Verdict:
    """Kill a search after so many seconds, again and again, and go on with it."""
    lab = new_lab()
    for delay in seconds:
        started = lab.search()
        time.sleep(delay)
        started.kill()
    return finish(lab, whole)


def moments(rng: Random, most: float) -> list[float]:
    """Return one to three random delays."""
    return [rng.uniform(0, most) for _ in range(rng.randint(1, 3))]


def cut_power(
    new_lab: NewLab, whole: Whole, point: int, *, names_survive: bool, inject: Inject | None = None
) -> Verdict:
    """Lose power at the ``point``-th failpoint: what was not synced is gone; go on."""
    lab = new_lab()
    results, rescued = lab.folder / "results", lab.folder / "rescued"
    results.mkdir(exist_ok=True)
    cut = partial(lose_power, results, rescued, names_survive, inject)
    ended = lab.search(failpoint=f"*=kill@{point}", inject=cut).wait()
    if ended.code != -9:
        return judge(wrong=f"point {point} ended with {ended.code}: {ended.output[-500:]}")
    shutil.rmtree(results)
    rescued.rename(results)
    return finish(lab, whole, inject=inject)


def one_line(ended: Ended) -> str | None:
    """Return what is wrong with how a command refused to work: nothing if in one line."""
    lines = ended.output.strip().splitlines()
    if "Traceback" in ended.output or len(lines) != 1 or not lines[0].startswith("hpsearch: "):
        return f"not one line: {ended.output[-800:]}"
    return None
