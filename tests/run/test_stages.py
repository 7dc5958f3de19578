"""Whole runs of stages: borders, verdicts without training, warm starts, finalists, packs."""

import json
import math
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from click.testing import CliRunner

from hpsearch.cli.main import main
from hpsearch.results.tables import Results
from hpsearch.run.warm_start import warm_start
from hpsearch.search import events as ev
from hpsearch.search.search import Search
from tests.simulated_search import SimulatedSearch
from tests.support import run_here, tiny_config
from workers.errors import InputError
from workers.messages import Trial

BEST = 0.3


def far(trial: Trial, epoch: int) -> float:
    """Return a score that is best at a learning rate of 0.3."""
    return -abs(math.log10(trial.spec.learning_rate) - math.log10(BEST)) - 1 / (10 + epoch)


def beyond(at_border: str) -> SimulatedSearch:
    """Search from 1e-4 to 1e-2 for what lies at 0.3."""
    narrow = {"keep_top": 0.25, "at_border": at_border}
    stages: list[dict[str, Any]] = [{"name": "s0", "num_trials": 24, "epochs": 1}]
    stages += [
        {"name": f"s{n}", "num_trials": 24, "epochs": 1, "narrow": narrow} for n in (1, 2, 3)
    ]
    space = {"learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}}
    config = tiny_config(stages=stages, search_space=space)
    return SimulatedSearch(config, score=far).finish()


def test_an_optimum_outside_the_first_range_is_found_when_borders_extend() -> None:
    search = beyond("extend")
    best = max(search.epochs.values(), key=lambda report: report.metrics["val_accuracy"])
    rate = search.trials[best.trial]["params"]["learning_rate"]
    assert abs(math.log10(rate / BEST)) < 0.15


def test_and_named_in_a_warning_when_they_do_not() -> None:
    search = beyond("warn")
    assert all(t["params"]["learning_rate"] <= 1e-2 for t in search.trials.values())
    (verdict,) = search.search.verdicts[0]
    assert (verdict.at_border, verdict.outermost) == ("high", True)
    assert verdict.extended is not None
    assert verdict.extended[1] == pytest.approx(0.1)
    assert "try high: 0.1" in verdict.text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = tiny_config(
        rescore={"top": 2, "seeds": 3},
        search_space__hidden_units={"type": "categorical", "choices": [4, 8]},
        stages__1__promote=2,
    )
    folder, _ = run_here(config, tmp_path_factory.mktemp("runs") / "tiny")
    return folder.path


def test_finalists_come_with_mean_and_deviation_of_fresh_seeds(run: Path) -> None:
    results = Results.load(run)
    summary = json.loads((run / "summary.json").read_text())
    scores = dict(zip(results.trials["trial"], results.trials["val_accuracy"], strict=True))
    finalists = summary["rescore"]
    assert [len(one["trials"]) for one in finalists] == [3, 3]
    for one in finalists:
        again = [scores[number] for number in one["trials"]]
        assert one["mean"] == pytest.approx(fmean(again))
        assert one["std"] == pytest.approx(stdev(again))
        assert one["score"] == scores[one["trial"]]
    assert finalists[0]["mean"] >= finalists[1]["mean"]
    assert summary["best"]["trial"] in [finalists[0]["trial"], *finalists[0]["trials"]]


def test_narrow_prints_the_verdicts_of_each_stage_without_training(run: Path) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in run.rglob("*"))
    done = CliRunner().invoke(main, ["narrow", str(run), "--format", "json"])
    assert done.exit_code == 0
    stages = json.loads(done.stdout)
    assert [stage["stage"] for stage in stages] == ["coarse", "fine", "rescore"]
    names = {verdict["name"] for verdict in stages[0]["verdicts"]}
    assert names == {"learning_rate", "dropout", "hidden_units"}
    text = CliRunner().invoke(main, ["narrow", str(run)]).stdout
    assert all(verdict["text"] in text for stage in stages for verdict in stage["verdicts"])
    assert sorted((p, p.stat().st_mtime_ns) for p in run.rglob("*")) == before


def test_a_warm_start_tries_the_best_first_and_names_what_lies_outside(run: Path) -> None:
    trials = Results.load(run).top()
    best = trials.iloc[0]
    high = float(trials["learning_rate"].max())
    narrow = {"type": "float", "low": 1e-3, "high": high * 0.999, "log": True}
    config, notes = warm_start(tiny_config(), run)
    assert config.enqueue[0]["learning_rate"] == best["learning_rate"]
    assert set(config.enqueue[0]) == {"learning_rate", "dropout"}
    assert notes == []
    assert len(config.enqueue) == 6
    config, notes = warm_start(tiny_config(search_space__learning_rate=narrow), run)
    assert all("lies outside" in note for note in notes)
    assert all(point["learning_rate"] < high for point in config.enqueue)
    with pytest.raises(InputError, match="a run's folder"):
        warm_start(tiny_config(), run / "checkpoints")


def test_enqueued_points_are_the_first_trials() -> None:
    points = [{"learning_rate": 0.25, "dropout": 0.125}, {"dropout": 0.375}]
    search = SimulatedSearch(tiny_config(enqueue=points)).finish()
    assert search.trials[0]["params"] == points[0]
    assert search.trials[1]["params"]["dropout"] == 0.375
    assert search.trials[2]["params"]["dropout"] not in (0.125, 0.375)


def test_only_one_structure_trains_in_a_pack() -> None:
    space = tiny_config().document["search_space"]
    layers = {"hidden_layers": {"type": "int", "low": 1, "high": 3}}
    search = Search(
        tiny_config(search_space=space | layers), workers=3, parameter_count=lambda _: 1_000
    )
    search.begin()
    packs = [
        {trial.spec.hidden for trial in command.pack.trials}
        for worker in range(3)
        for command in search.handle(ev.WorkerReady(worker))
        if isinstance(command, ev.Dispatch)
    ]
    assert all(len(structures) == 1 for structures in packs)
    assert len(set.union(*packs)) > 1
