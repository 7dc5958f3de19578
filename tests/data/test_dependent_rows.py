"""Splits by groups, by time and by quantiles of the target."""

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import dependent_rows
from hpsearch.data.datasets import Split, load
from hpsearch.data.folds import Pool
from hpsearch.results.tables import Results
from tests.support import run_here, tiny_config
from workers.errors import InputError


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate({"source": "a.csv", "preprocess": ()} | values, strict=False)


def write(name: str = "a.csv", rows: int = 120, **columns: Any) -> None:
    """Write a CSV whose feature ``n`` counts the rows, so that each can be told."""
    frame = pd.DataFrame({"n": range(rows), "y": [f"c{n % 3}" for n in range(rows)]})
    frame.assign(**columns).to_csv(name, index=False, quoting=csv.QUOTE_MINIMAL)


def sides(split: Split) -> list[dict[str, list[int]]]:
    """Return the numbers of each split's training, validation and test rows."""
    tested = [] if split.x_test is None else split.x_test[:, 0].astype(int).tolist()
    return [
        {
            "train": data.x_train[:, 0].astype(int).tolist(),
            "validation": data.x_validation[:, 0].astype(int).tolist(),
            "test": tested,
        }
        for data in split.dataset.splits
    ]


def refusal(**values: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(config(**values), seed=0)
    return str(caught.value)


# --- groups

PATIENTS = [f"p{n // 5}" for n in range(120)]


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("how", [{}, {"folds": 4}, {"folds": 3, "repeats": 2}, {"repeats": 2}])
def test_no_group_is_on_two_sides(task: str, how: dict[str, Any]) -> None:
    y = {} if task == "classification" else {"y": np.arange(120) % 7}
    write(patient=PATIENTS, **y)
    split = load(config(groups="patient", task=task, **how), seed=3)
    assert split.dataset.feature_names == ("n",)
    for rows in sides(split):
        groups = [{PATIENTS[row] for row in part} for part in rows.values()]
        assert all(groups)
        assert sum(map(len, groups)) == len(set().union(*groups)) == 24
        assert sorted(row for part in rows.values() for row in part) == list(range(120))
    if "folds" in how:
        held = [row for rows in sides(split)[: how["folds"]] for row in rows["validation"]]
        assert sorted([*held, *sides(split)[0]["test"]]) == list(range(120))
    again = load(config(groups="patient", task=task, **how), seed=3)
    assert again.digest == split.digest
    assert load(config(groups="patient", task=task, **how), seed=4).digest != split.digest
    assert split.notes[-1].startswith("split by patient: ")


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=2, max_size=80), st.data()
)
def test_groups_stay_together_whatever_they_are(
    found: list[tuple[int, int]], data: st.DataObject
) -> None:
    groups, strata = [str(g) for g, _ in found], [str(s) for _, s in found]
    pool = Pool(np.arange(len(found)) + 7, strata, "a.csv", groups)
    share = data.draw(st.floats(0.05, 0.95))
    if len(set(groups)) < 2:
        with pytest.raises(InputError, match="at least two groups"):
            dependent_rows.draw_groups("test", share, pool, seed=0)
        return
    held = dependent_rows.draw_groups("test", share, pool, seed=0) - 7
    there, left = (
        {groups[row] for row in part} for part in (held, set(range(len(found))) - {*held})
    )
    assert there
    assert left
    assert not there & left


def test_groups_of_equal_size_give_the_share_and_its_classes() -> None:
    write(patient=PATIENTS)
    split = load(config(groups="patient", test=0.25, validation=0.2), seed=0)
    (rows,) = sides(split)
    assert [len(part) for part in rows.values()] == [70, 20, 30]
    assert split.notes == ("split by patient: 14 groups train, 4 validate, 6 test",)
    counts = np.bincount([row % 3 for row in rows["test"]])
    assert counts.min() >= 9  # Of 10.


def test_ranges_and_files_may_not_part_a_group() -> None:
    write(patient=PATIENTS)
    text = refusal(groups="patient", test={"rows": [0, 12]})
    assert "no group may have rows in two parts of a split; got 'p2' of 'patient' in" in text
    load(config(groups="patient", test={"rows": [0, 10]}), seed=0)
    write("b.csv", rows=12, patient=["q1"] * 11 + ["p3"])
    assert "got 'p3' of 'patient' in" in refusal(groups="patient", test={"source": "b.csv"})
    write("c.csv", rows=12)
    assert "name columns of 'c.csv'" in refusal(groups="patient", test={"source": "c.csv"})


@pytest.mark.parametrize(
    ("columns", "values", "expected"),
    [
        ({}, {"groups": "ward"}, "must name columns of 'a.csv'; got 'ward'"),
        ({"ward": ["a"] * 119 + [""]}, {"groups": "ward"}, "have a group; got none in row 119"),
        ({"ward": ["a"] * 120}, {"groups": "ward"}, "at least two groups before test"),
        (
            {"ward": ["a"] * 60 + ["b"] * 60},
            {"groups": "ward", "test": None, "folds": 3},
            "3 groups",
        ),
    ],
)
def test_bad_groups(columns: dict[str, Any], values: dict[str, Any], expected: str) -> None:
    write(**columns)
    assert expected in refusal(**values)


# --- time

DAYS = [f"2024-{1 + n // 28 % 12:02}-{1 + n % 28:02}" for n in range(120)]


def test_the_latest_rows_test_and_the_next_latest_validate() -> None:
    order = np.random.default_rng(0).permutation(120)
    write(when=[DAYS[n] for n in order])
    split = load(config(time="when", test=0.25, validation=0.2), seed=0)
    moments = {name: order[part] for name, part in sides(split)[0].items()}
    assert sorted(moments["test"]) == list(range(90, 120))
    assert sorted(moments["validation"]) == list(range(72, 90))
    assert split.notes == (
        f"split by when: train until {DAYS[71]}, validate until {DAYS[89]}, test until {DAYS[119]}",
    )


def test_folds_grow_as_scikit_learns_do() -> None:
    write(t=np.arange(120) * 0.5)
    split = load(config(time="t", folds=4, test=None), seed=0)
    wanted = TimeSeriesSplit(4).split(range(120))
    for rows, (train, held) in zip(sides(split), wanted, strict=True):
        assert rows["train"] == train.tolist()
        assert rows["validation"] == held.tolist()
    assert split.notes[-1].startswith(
        "split by t: train until 47.5, validate until 59.5 (last of 4"
    )


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=60), st.floats(0.05, 0.95), st.integers(2, 4)
)
def test_time_only_runs_forward(moments: list[int], share: float, count: int) -> None:
    times = np.array(moments, float)
    pool = Pool(np.arange(len(times)), None, "a.csv", times=times)
    if len(set(moments)) < 2:
        with pytest.raises(InputError, match="two moments or more"):
            dependent_rows.draw_latest("test", share, pool)
        return
    held = dependent_rows.draw_latest("test", share, pool)
    rest = np.setdiff1d(pool.rows, held)
    assert times[rest].max() < times[held].min()
    try:
        folds = dependent_rows.growing_folds(count, pool)
    except InputError:
        return
    assert len(folds) == count
    for train, validation in folds:
        assert times[train].max() < times[validation].min()
    for (_, before), (train, _) in itertools.pairwise(folds):
        assert set(before) <= set(train)


@pytest.mark.parametrize(
    ("columns", "values", "expected"),
    [
        ({"t": [""] + ["2024-01-01"] * 119}, {}, "have a time; got none in row 0"),
        ({"t": ["soon", "late"] * 60}, {}, "column of dates or numbers"),
        ({"t": [3] * 120}, {}, "two moments or more before test"),
        ({"t": [3] * 60 + [4] * 60}, {"folds": 3, "test": None}, "enough moments for 3 folds"),
        (
            {"t": range(120), "y": ["a", "b"] * 40 + ["c"] * 40},
            {},
            "must occur in the training rows",
        ),
        (
            {"t": range(120), "y": ["a", "b"] * 30 + ["a", "b", "c"] * 20},
            {"folds": 5, "test": None},
            "must",
        ),
    ],
)
def test_bad_times(columns: dict[str, Any], values: dict[str, Any], expected: str) -> None:
    write(**columns)
    assert expected in refusal(time="t", **values)


@pytest.mark.parametrize(
    "values",
    [
        {"time": "t", "repeats": 2},
        {"time": "t", "groups": "g"},
        {"stratify": 5},
        {"stratify": 1, "task": "regression"},
        {"stratify": 5, "task": "regression", "time": "t"},
    ],
)
def test_what_does_not_go_together(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"time|stratify"):
        config(**values)


def test_a_search_over_growing_folds_predicts_with_its_ensemble(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=200)
    frame = {"t": range(200), "x": label + 0.3 * rng.normal(size=200), "class": label}
    pd.DataFrame(frame).to_csv("t.csv", index=False)
    data = {"source": "t.csv", "target": "class", "time": "t", "folds": 3}
    run, _ = run_here(tiny_config(data=data), tmp_path / "run")
    assert Results.load(run.path).trials["val_accuracy"].max() > 0.8


# --- quantiles of the target


def test_a_regression_may_be_stratified_by_quantiles() -> None:
    y = np.random.default_rng(0).exponential(size=120)
    write(y=y)
    ranks = y.argsort().argsort() // 12
    split = load(config(task="regression", stratify=10, test=0.25, validation=0.2), seed=0)
    for part, least in zip(sides(split)[0].values(), (7, 1, 3), strict=True):
        counts = np.bincount(ranks[part], minlength=10)
        assert counts.max() - counts.min() <= 1
        assert counts.min() >= least
    assert "at least 2 rows" in refusal(task="regression", stratify=100)
