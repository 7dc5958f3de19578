"""Every metric is pursued by a search: in its trials, its files, its summary, what is shown."""

import json
import re
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score

from hpsearch.config.sections.study import METRICS as PURSUED
from hpsearch.data import datasets
from hpsearch.data.datasets import Split
from hpsearch.ensembles import ensemble, model
from hpsearch.results.tables import Results
from hpsearch.storage.folder import RunFolder
from tests.cli.test_outcome_view import concluded, screen
from tests.support import run_here, tiny_config
from workers.checkpoints.checkpoint_files import parse_name
from workers.nn.metrics.metrics import METRICS

REGRESSION = {
    "data__source": "diabetes",
    "data__task": "regression",
    "network__loss": "squared_error",
}
SHORT = {
    "stages": [{"name": "only", "num_trials": 4, "epochs": 2}],
    "ensemble": {"method": "greedy", "size": 2},
}


def searched(path: Path, metric: str, **changes: Any) -> tuple[RunFolder, dict[str, Any], Split]:
    """Return a tiny run that pursues a metric, its summary, and its rows."""
    name = metric.rpartition("val_")[2]
    task = REGRESSION if METRICS[name].task == "regression" else {}
    config = tiny_config(study__metric=metric, **{**task, **SHORT, **changes})
    run, found = run_here(config, path)
    split = datasets.load(config.data, seed=config.study.seed)
    return run, dict(found.summary), split


@pytest.mark.parametrize("prefix", ["val", "ema_val"])
@pytest.mark.parametrize("name", METRICS)
def test_a_search_pursues_every_metric(tmp_path: Path, name: str, prefix: str) -> None:
    metric = f"{prefix}_{name}"
    run, summary, _ = searched(tmp_path / "run", metric)
    best = json.loads(run.summary.read_text())["best"]
    for part in ("val", "test"):
        assert isinstance(summary["ensemble"][f"{part}_{name}"], float)
        assert isinstance(best[f"{part}_{name}"], float)
    results = Results.load(run.path)
    recorded = results.trials.set_index("trial").loc[best["trial"]]
    assert best[f"val_{name}"] == pytest.approx(recorded[metric], rel=1e-5)
    scores = results.trials[metric]
    wanted = scores.min() if PURSUED[f"val_{name}"] == "minimize" else scores.max()
    assert recorded[metric] == wanted == results.top(1)[metric].item()
    files = [parse_name(path.name) for path in run.checkpoints.iterdir()]
    assert {found[0] for found in files} == {metric}
    assert parse_name(Path(best["checkpoint"]).name)[1] == pytest.approx(wanted, abs=1e-4)
    told = {column for column in results.epochs if column.startswith("val_")}
    usual = {f"val_{one}" for one, other in METRICS.items() if other.usual}
    assert told - usual == {"val_loss", f"val_{name}"} - usual


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "rmse"])
def test_the_end_and_the_report_show_what_is_pursued(tmp_path: Path, name: str) -> None:
    run, _, _ = searched(tmp_path / "run", f"ema_val_{name}")
    usual = ["mse", "r2"] if name == "rmse" else ["accuracy"]
    text = concluded(run, screen(80, terminal=False))
    heading = next(line for line in text.splitlines() if "test_" in line)
    assert heading.split() == [f"{p}_{n}" for p in ("val", "test") for n in (*usual, name)]
    losses = [] if name == "rmse" else ["log_loss"]
    first = [*usual, *losses]
    kinds = [*first, *({name} - set(first))]
    table = re.findall(r"<th[^>]*>((?:val|test)_\w+)<", run.report.read_text())
    start = table.index(f"val_{first[0]}")
    shown = [f"{part}_{kind}" for kind in kinds for part in ("val", "test")]
    assert table[start : start + len(shown)] == shown
    assert not any(column.endswith(("brier", "mae")) for column in table)


def test_the_summary_tells_what_scikit_learn_says(tmp_path: Path) -> None:
    run, summary, split = searched(tmp_path / "run", "val_roc_auc", data__source="breast_cancer")
    assert split.x_test is not None
    for key, one in (
        ("best", model.load(run.path / summary["best"]["checkpoint"])),
        ("ensemble", ensemble.load(run.path)),
    ):
        for part, x, y in (
            ("val", split.x_validation[0], split.y_validation),
            ("test", split.x_test, split.y_test),
        ):
            own = roc_auc_score(y, one.predict_proba(x)[:, 1])
            assert summary[key][f"{part}_roc_auc"] == pytest.approx(own, abs=1e-9)


def test_an_error_is_in_the_targets_units(tmp_path: Path) -> None:
    run, summary, split = searched(tmp_path / "run", "val_mae")
    best = model.load(run.path / summary["best"]["checkpoint"])
    own = mean_absolute_error(split.y_validation, best.predict_proba(split.x_validation[0]))
    assert summary["best"]["val_mae"] == pytest.approx(own, abs=1e-9)
    assert own > 10


@pytest.mark.parametrize("name", ["roc_auc", "brier", "mae", "f1_macro"])
def test_a_greedy_ensemble_is_no_worse_than_the_best_member(tmp_path: Path, name: str) -> None:
    """The best of all candidates is its first member, and the shortest best prefix is kept."""
    stages = [{"name": "only", "num_trials": 6, "epochs": 2}]
    _, summary, _ = searched(tmp_path / "run", f"val_{name}", stages=stages)
    best, together = (summary[key][f"val_{name}"] for key in ("best", "ensemble"))
    sign = 1 if PURSUED[f"val_{name}"] == "maximize" else -1
    assert sign * together >= sign * best - 1e-9


def test_splits_have_a_mean_and_a_deviation_of_what_is_pursued(tmp_path: Path) -> None:
    """Each network's area is that of the rows of its own split."""
    run, summary, split = searched(tmp_path / "run", "val_roc_auc", data__folds=3)
    best = summary["best"]
    networks = model.load(run.path / best["checkpoint"], averaged=False).networks
    areas = [
        roc_auc_score(own.y_validation, network.predict_proba(x), multi_class="ovr")
        for network, x, own in zip(networks, split.x_validation, split.dataset.splits, strict=True)
    ]
    recorded = Results.load(run.path).epochs.set_index(["trial", "epoch"])
    row = recorded.loc[best["trial"], best["epoch"]]
    assert row["val_roc_auc"] == pytest.approx(fmean(areas), abs=1e-6)
    assert row["val_roc_auc_std"] == pytest.approx(stdev(areas), abs=1e-6)
