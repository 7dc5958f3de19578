"""Promises 4 and 8: what a lost worker still says counts for nothing, nor do NaN and infinity."""

import json
import math
from functools import partial
from typing import Any

import pytest

from hpsearch.results.tables import Results
from tests.faults.lab.interruption import Inject, one_line, survey
from tests.faults.lab.outcome import difference, outcome
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import THREE_STAGES, Lab, NewLab, with_study
from tests.faults.lab.workers_gone_wrong import NOT_FINITE, break_numbers, come_back, die_early

TWICE = "4 no epoch counts twice: a worker comes back"
FINITE = "8 NaN and infinity never win"


def unharmed(new_lab: NewLab, whole: dict[str, str], *injected: Inject) -> Verdict:
    """Search with workers gone wrong, and see nothing of it in what comes out."""
    lab = new_lab()
    ended = lab.search(inject=partial(_all, injected)).wait()
    if ended.code != 0:
        return judge(wrong=ended.output[-500:])
    return judge(wrong=difference(whole, outcome(lab.run)))


def _all(injected: tuple[Inject, ...]) -> None:
    for inject in injected:
        inject()


def test_a_worker_that_comes_back(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    """Each epoch of each stage once: the late reports come before those of the new attempt."""
    faults = {
        f"report {n}": partial(unharmed, new_lab, whole, partial(come_back, n)) for n in range(1, 8)
    }
    assert survey(promises, TWICE, faults) == []


def test_a_worker_that_dies(new_lab: NewLab, whole: dict[str, str], promises: PromiseTable) -> None:
    faults = {
        f"report {n}": partial(unharmed, new_lab, whole, partial(die_early, n)) for n in range(1, 8)
    }
    assert survey(promises, TWICE, faults) == []


def diverged(
    new_lab: NewLab,
    trials: frozenset[int],
    epoch: int,
    value: float,
    direction: str,
    *injected: Inject,
) -> Verdict:
    """Break some trials' numbers; they fail, and what else there is comes from the others."""
    lab = new_lab()
    metric = {"metric": "val_loss"} if direction == "minimize" else {}
    lab.configure(with_study(direction=direction, **metric))
    ended = lab.search(
        inject=partial(_all, (partial(break_numbers, trials, epoch, value), *injected))
    ).wait()
    if ended.code != 0:
        return judge(wrong=ended.output[-500:])
    results = Results.load(lab.run)
    table = results.trials
    failed = set(table.loc[table["state"] == "failed", "trial"])
    summary = json.loads((lab.run / "summary.json").read_text())
    members = json.loads(next(lab.run.glob("ensembles/*/ensemble.json")).read_text())["members"]
    winners = {
        summary["best"]["trial"],
        *(member["trial"] for member in members),
        *results.checkpoints["trial"],
    }
    epochs = results.epochs.select_dtypes("float64")
    checks = {
        "who failed": failed == trials & set(table["trial"]),
        "who won": not winners & trials,
        "all finite": bool(epochs.map(math.isfinite).all(axis=None)),
        "ranges": _ranges_ignore(lab, failed),
    }
    return judge(wrong=", ".join(name for name, good in checks.items() if not good) or None)


def _ranges_ignore(lab: Lab, failed: set[int]) -> bool:
    """Tell whether the ranges follow from the trials that did not fail."""
    from hpsearch.config.loading import build
    from hpsearch.narrowing.narrow import StageResult, narrow
    from hpsearch.space.space import SearchSpace
    from hpsearch.storage.folder import RunFolder
    from hpsearch.storage.store import Store

    config = RunFolder(lab.run).load_config()
    with Store.read(lab.run / "search.db") as store:
        stages, trials = store.stages(), store.trials()
    for stage, following, section in zip(stages, stages[1:], config.stages[1:], strict=False):
        good = [
            StageResult(row.number, row.params, config.study.sign * row.best_score)
            for row in trials
            if row.stage == stage.number and row.number not in failed and row.best_score is not None
        ]
        space, _ = narrow(
            SearchSpace.from_json(stage.space),
            config.search_space,
            good,
            section.narrow,
            limits=config.limits,
            stage=stage.name,
        )
        if space.to_json() != following.space:
            return False
    return build(dict(config.document)) is not None


def divergences() -> dict[str, tuple[Any, ...]]:
    """Return faults at each stage and epoch, in both directions, of each kind."""
    places = [({0, 3}, 1), ({6}, 1), ({7, 8}, 2), ({10}, 1), ({11}, 3), ({10, 12}, 4)]
    return {
        f"{sorted(trials)} {epoch} {value} {direction}": (
            frozenset(trials),
            epoch,
            value,
            direction,
        )
        for trials, epoch in places
        for value in NOT_FINITE
        for direction in ("maximize", "minimize")
    }


def test_numbers_that_are_not_finite(new_lab: NewLab, promises: PromiseTable) -> None:
    faults = {name: partial(diverged, new_lab, *fault) for name, fault in divergences().items()}
    chosen = dict(list(faults.items())[::5])
    assert survey(promises, FINITE, chosen) == []


@pytest.mark.slow
def test_numbers_that_are_not_finite_anywhere(new_lab: NewLab, promises: PromiseTable) -> None:
    faults = {name: partial(diverged, new_lab, *fault) for name, fault in divergences().items()}
    assert survey(promises, FINITE, faults) == []


def test_all_trials_diverge(new_lab: NewLab, promises: PromiseTable) -> None:
    """The end names how many there were and what they had in common, in one line."""

    def hopeless() -> Verdict:
        lab = new_lab()
        space = {"learning_rate": {"type": "float", "low": 0.3, "high": 1.0}}
        lab.configure({**THREE_STAGES, "search_space": space})
        ended = lab.search(inject=partial(break_numbers, range(13), 1, math.nan)).wait()
        useful = "trials diverged, all with learning_rate above 0.3" in ended.output
        wrong = one_line(ended) or (None if useful and ended.code == 1 else ended.output)
        return judge(wrong=wrong)

    assert survey(promises, FINITE, {"all": hopeless}) == []
