"""Targets of a regression: learned standardized, told in their own units."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from hpsearch.data import datasets
from hpsearch.ensembles import model
from hpsearch.results.tables import Results
from tests.support import run_here, tiny_config
from workers.data import target_scale
from workers.data.target_scale import TargetScale
from workers.errors import CheckpointError
from workers.nn.layout import layout
from workers.nn.network.evaluation import metrics
from workers.nn.network.stack import stack
from workers.nn.spec import NetworkSpec

REGRESSION = {
    "study__metric": "val_mse",
    "data__task": "regression",
    "data__target": "price",
    "network__loss": "squared_error",
    "network__optimizer": "momentum",
}


def write(path: Path, factor: float) -> None:
    x = np.random.default_rng(0).standard_normal((120, 3)).astype(np.float32)
    y = factor * np.round(x @ [3.0, -2.0, 0.5] + np.sin(x[:, 0]), 2).astype(np.float32)
    lines = [
        ",".join(map(repr, map(float, [*row, price]))) for row, price in zip(x, y, strict=True)
    ]
    path.write_text("\n".join(["a,b,c,price", *lines]) + "\n")


def searched(folder: Path, factor: float, **changes: Any) -> Path:
    folder.mkdir()
    write(folder / "prices.csv", factor)
    source = {"data__source": str(folder / "prices.csv")}
    return run_here(tiny_config(**REGRESSION, **source, **changes), folder / "run")[0].path


def held_out(run: Path) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return the best model's predictions for all rows, their targets, and its recorded mse."""
    best = model.load(run / "checkpoints" / Results.load(run).checkpoints["name"].iloc[0])
    table = np.loadtxt(run.parent / "prices.csv", delimiter=",", skiprows=1)
    return best.predict_proba(table[:, :3]), table[:, 3:], float(best.metadata["score"])


@pytest.mark.parametrize("splits", [{}, {"data__folds": 4}])
def test_units_change_nothing_but_what_is_told_in_them(
    tmp_path: Path, splits: dict[str, Any]
) -> None:
    """A power of two leaves every bit of the standardized targets as it is."""
    small = searched(tmp_path / "small", 1.0, **splits)
    large = searched(tmp_path / "large", 2.0**20, **splits)
    one, other = (Results.load(run).epochs for run in (small, large))
    squared = [name for name in one if "mse" in name]
    assert squared
    for name in squared:
        np.testing.assert_array_equal(one[name] * 2.0**40, other[name])
    told = [name for name in one if name not in (*squared, "seconds", "checkpoint")]
    assert "val_r2" in told
    assert one[told].equals(other[told])
    np.testing.assert_array_equal(held_out(small)[0] * 2.0**20, held_out(large)[0])


def test_predictions_are_in_the_units_of_the_targets(tmp_path: Path) -> None:
    predicted, wanted, mse = held_out(searched(tmp_path / "a", 1e5))
    assert predicted.shape == wanted.shape
    assert np.var(wanted) > 1e10
    assert np.mean((predicted - wanted) ** 2) == pytest.approx(mse, rel=1)
    assert mse < 0.3 * np.var(wanted)


def test_targets_keep_the_digits_they_have(tmp_path: Path) -> None:
    """1.7e9 +- 50: 32-bit floating point has steps of 128 there."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    y = 1.7e9 + 50 * (x @ [0.8, -0.5, 0.3] + 0.2 * rng.standard_normal(400))
    np.savetxt(
        tmp_path / "times.csv",
        np.column_stack([x, y]),
        "%.17g",
        ",",
        header="a,b,c,price",
        comments="",
    )
    assert len(np.unique(y.astype(np.float32))) < 6
    config = tiny_config(
        **REGRESSION,
        data__source=str(tmp_path / "times.csv"),
        data__validation={"rows": [0, 80]},
        network__hidden=[],
        stages=[{"name": "only", "num_trials": 4, "epochs": 20}],
        search_space={"learning_rate": {"type": "float", "low": 0.01, "high": 0.05, "log": True}},
    )
    split = datasets.load(config.data, seed=3)
    assert split.y_test is not None
    assert len(np.unique(np.vstack([*split.y_train, split.y_validation, split.y_test]))) == 400
    run, outcome = run_here(config, tmp_path / "run")
    linear = LinearRegression().fit(x[80:], y[80:]).score(x[:80], y[:80])
    assert linear > 0.95
    assert outcome.summary["best"]["val_r2"] == pytest.approx(linear, abs=0.01)
    best = Results.load(run.path).trials["val_mse"].min()
    predicted = model.load(next((run.path / "checkpoints").glob("*.safetensors"))).predict_proba(x)
    assert predicted.dtype == np.float64
    assert best == pytest.approx((1 - linear) * np.var(y[:80]), rel=0.2)


def test_mse_of_targets_as_they_are_is_of_the_true_ones(tmp_path: Path) -> None:
    changes = {"data__scale_targets": False}
    section = tiny_config(**REGRESSION, **changes, data__source=str(tmp_path / "a.csv")).data
    (tmp_path / "a.csv").write_text("a,price\n" + "1,16777217\n2,16777219\n" * 20)
    split = datasets.load(section, seed=0)
    assert set(split.dataset.y_validation.ravel()) == {16777217.0, 16777219.0}
    spec = NetworkSpec(hidden=(), loss="squared_error")
    plan = layout(spec, features=1, scores=1)
    net = stack([spec], np.zeros((1, plan.size)), plan)
    raw = np.full((1, *split.dataset.y_validation.shape), 16777216.0, np.float32)
    (found,) = metrics(net, raw, split.dataset.y_validation)
    assert found["mse"] == pytest.approx(np.mean((split.y_validation - 16777216.0) ** 2))
    assert split.y_validation.dtype == np.float64


def test_targets_as_they_are(tmp_path: Path) -> None:
    run = searched(tmp_path / "a", 1.0, data__scale_targets=False)
    predicted, wanted, mse = held_out(run)
    assert predicted.dtype == np.float64
    assert np.mean((predicted - wanted) ** 2) == pytest.approx(mse, rel=1)
    arrays = model.load(next((run / "checkpoints").iterdir())).snapshot.arrays
    assert not [name for name in arrays if name.startswith("targets.")]


def test_a_scale_by_hand() -> None:
    y = np.array([[1.0, 7.0], [5.0, 7.0]])
    scale = target_scale.fit(y)
    assert scale.apply(y).tolist() == [[-1, 0], [1, 0]]
    assert scale.restore(np.array([[2.0, -1.0]])).tolist() == [[7, 6]]
    again = TargetScale.from_arrays(scale.to_arrays(), 2)
    assert (again.mean.tolist(), again.deviation.tolist()) == ([3, 7], [2, 1])


def test_mse_by_hand() -> None:
    """Errors of 1 and 2 learned units, where these are 10 and 3 of the targets' own."""
    spec = NetworkSpec(hidden=(), loss="squared_error")
    plan = layout(spec, features=1, scores=2)
    net = stack([spec], np.zeros((1, plan.size)), plan)
    y = np.array([[0.0, 0.0], [1.0, 4.0]])
    raw = y[np.newaxis] + np.array([1.0, -2.0])
    (found,) = metrics(net, raw, y, units=[np.array([10.0, 3.0])])
    assert found["mse"] == pytest.approx((100 + 36) / 2)
    assert found["loss"] == pytest.approx((1 + 4) / 2)
    assert found["r2"] == pytest.approx(((1 - 1 / 0.25) + (1 - 4 / 4)) / 2)


@pytest.mark.parametrize(
    "arrays",
    [
        {"mean": np.zeros(2)},
        {"mean": np.zeros(2), "deviation": np.ones(2), "more": np.ones(2)},
        {"mean": np.zeros(2), "deviation": np.array([1.0, 0.0])},
        {"mean": np.array([np.nan, 0.0]), "deviation": np.ones(2)},
        {"mean": np.zeros(1), "deviation": np.ones(1)},
        {"mean": np.zeros(2, np.float32), "deviation": np.ones(2)},
    ],
)
def test_what_is_no_scale_is_refused(arrays: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(CheckpointError, match="a mean and a deviation above 0"):
        TargetScale.from_arrays(arrays, 2)
