"""Several splits of one data set: folds, repeats, and what is refused."""

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.config.sections.data import DataConfig
from hpsearch.data.datasets import Split, load
from tests.support import tiny_config
from workers.errors import InputError


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate({"source": "a.csv", "preprocess": ()} | values, strict=False)


def write_rows(rows: int, *, classes: str = "ab") -> None:
    """Write a CSV whose feature ``n`` counts the rows, so that each can be told."""
    lines = [f"{n},{n % 7},{classes[n % len(classes)]}" for n in range(rows)]
    Path("a.csv").write_text("\n".join(["n,m,class", *lines]) + "\n")


def held_out(split: Split) -> list[list[int]]:
    """Return each split's validation rows, after comparing the raw with the prepared ones."""
    for raw, data in zip(split.x_validation, split.dataset.splits, strict=True):
        np.testing.assert_array_equal(raw, data.x_validation)
    return [[int(n) for n in data.x_validation[:, 0]] for data in split.dataset.splits]


@pytest.mark.parametrize("test", [None, 0.2, {"rows": (3, 11)}])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_row_validates_once_and_trains_otherwise(test: Any, task: str) -> None:
    write_rows(53, classes="12")
    split = load(config(folds=4, test=test, task=task), seed=1)
    tested = set() if split.x_test is None else {int(n) for n in split.x_test[:, 0]}
    folds = held_out(split)
    assert sorted([*tested, *(row for fold in folds for row in fold)]) == list(range(53))
    for data, fold in zip(split.dataset.splits, folds, strict=True):
        train = [int(n) for n in data.x_train[:, 0]]
        assert sorted([*tested, *fold, *train]) == list(range(53))
    sizes = {len(fold) for fold in folds}
    assert max(sizes) - min(sizes) <= 1


def test_folds_have_the_same_share_of_every_class() -> None:
    write_rows(97, classes="aaaabbc")
    split = load(config(folds=5, test=None), seed=0)
    counts = [Counter(data.y_validation.tolist()) for data in split.dataset.splits]
    for label in range(3):
        found = [count[label] for count in counts]
        assert max(found) - min(found) <= 1
        assert min(found) > 0
    assert len({sum(count.values()) for count in counts}) <= 2


def test_labels_stay_with_their_rows() -> None:
    write_rows(60, classes="abc")
    split = load(config(folds=3), seed=2)
    for data in split.dataset.splits:
        assert [int(n) % 3 for n in data.x_train[:, 0]] == data.y_train.tolist()
        assert [int(n) % 3 for n in data.x_validation[:, 0]] == data.y_validation.tolist()
    rows = [row for fold in held_out(split) for row in fold]
    assert [row % 3 for row in rows] == split.y_validation.tolist()


def test_repeats_draw_anew_and_begin_with_the_single_split() -> None:
    write_rows(60)
    split = load(config(validation=0.25, repeats=3), seed=4)
    folds = held_out(split)
    assert [len(fold) for fold in folds] == [12, 12, 12]
    assert len({tuple(fold) for fold in folds}) == 3
    assert folds[:1] == held_out(load(config(validation=0.25), seed=4))


def test_repeated_folds_part_the_rows_anew() -> None:
    write_rows(60)
    folds = held_out(load(config(folds=4, repeats=2), seed=4))
    assert len(folds) == 8
    assert sorted(chain(*folds[:4])) == sorted(chain(*folds[4:]))
    assert folds[:4] != folds[4:]
    assert folds[:4] == held_out(load(config(folds=4), seed=4))


def test_the_test_rows_are_the_same_whatever_validates() -> None:
    write_rows(60)
    tests = [
        load(config(**values), seed=7).x_test
        for values in ({}, {"folds": 5}, {"repeats": 3}, {"folds": 3, "repeats": 2})
    ]
    for other in tests[1:]:
        np.testing.assert_array_equal(tests[0], other)


def test_a_second_file_tests_and_all_rows_of_the_first_validate() -> None:
    write_rows(31)
    Path("b.csv").write_text("n,m,class\n100,1,a\n101,2,b\n")
    split = load(config(folds=3, test={"source": "b.csv"}), seed=0)
    assert sorted(chain(*held_out(split))) == list(range(31))
    assert split.x_test is not None
    assert split.x_test[:, 0].tolist() == [100, 101]


def test_each_split_is_preprocessed_by_its_own_training_rows() -> None:
    write_rows(60)
    plain = load(config(folds=3), seed=0).dataset
    scaled = load(config(folds=3, preprocess=("standardize",)), seed=0).dataset
    for before, after in zip(plain.splits, scaled.splits, strict=True):
        x = before.x_train.astype(np.float64)
        expected = (before.x_validation - x.mean(axis=0)) / x.std(axis=0)
        np.testing.assert_allclose(after.x_validation, expected, atol=1e-5)
    shifts = {data.fitted["preprocessing.0.standardize.shift"][0] for data in scaled.splits}
    assert len(shifts) == 3


def test_alternatives_have_the_same_splits() -> None:
    write_rows(60)
    data = load(config(folds=3), seed=0, chains={("center",), ()}).dataset
    centred = data.prepared(("center",))
    assert len(centred.splits) == 3
    for before, after in zip(data.splits, centred.splits, strict=True):
        np.testing.assert_array_equal(before.y_validation, after.y_validation)
        np.testing.assert_allclose(after.x_train.mean(axis=0), 0, atol=1e-4)


def test_the_digest_knows_the_splits() -> None:
    write_rows(60)
    values: list[dict[str, Any]] = [{}, {"folds": 3}, {"folds": 4}, {"repeats": 2}]
    values += [{"folds": 3, "repeats": 2}]
    digests = {load(config(**one), seed=0).digest for one in values}
    assert len(digests) == len(values)
    assert load(config(folds=3), seed=0).digest == load(config(folds=3), seed=0).digest


def test_null_takes_back_a_share_for_validation() -> None:
    write_rows(60)
    assert load(config(folds=3, validation=None), seed=0).digest == (
        load(config(folds=3), seed=0).digest
    )


# --- what is refused


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"folds": 1}, "data.folds must be greater than or equal to 2; got 1"),
        ({"folds": 101}, "data.folds must be less than or equal to 100; got 101"),
        ({"folds": True}, "data.folds must be a whole number"),
        ({"folds": 2.5}, "data.folds must be a whole number"),
        ({"repeats": 0}, "data.repeats must be greater than or equal to 1; got 0"),
        (
            {"folds": 5, "validation": 0.2},
            "data.folds must stand alone or beside validation: null; got 5;",
        ),
        ({"folds": 5, "validation": {"rows": [0, 9]}}, "data.folds must stand alone"),
        ({"folds": 5, "validation": {"source": "b.csv"}}, "data.folds must stand alone"),
        ({"repeats": 2, "validation": {"rows": [0, 9]}}, "data.repeats must go with folds"),
        ({"repeats": 2, "validation": {"source": "b.csv"}}, "data.repeats must go with folds"),
        ({"validation": None}, "data.validation must not be null without folds; got None"),
        ({"repeats": 2, "validation": None}, "data.validation must not be null without folds"),
        ({"folds": 11, "repeats": 10}, "data.repeats must make at most 100 splits"),
    ],
)
def test_contradictions_are_refused_when_the_config_is_read(data: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        tiny_config(data={"source": "iris"} | data)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rows", "classes", "values", "message"),
    [
        (6, "12", {"folds": 7, "task": "regression", "test": None}, "got 7 folds of 6 rows"),
        (6, "12", {"folds": 6, "task": "regression", "test": 0.3}, "got 6 folds of 4 rows"),
        (
            20,
            "aaaab",
            {"folds": 5, "test": None},
            "got class 'b' with 4, 2 classes; set folds to 4",
        ),
        (20, "a" * 19 + "b", {"folds": 5, "test": None}, "with 1, 2 classes; add rows or drop"),
        (20, "a", {"folds": 5, "test": None}, "classes must be two or more"),
    ],
)
def test_folds_that_the_rows_do_not_give(
    rows: int, classes: str, values: Any, message: str
) -> None:
    write_rows(rows, classes=classes)
    with pytest.raises(InputError) as error:
        load(config(**values), seed=0)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
