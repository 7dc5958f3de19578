"""Loading: splits, labels, preprocessing of the training rows only, prediction's rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import rows
from hpsearch.data.datasets import Split, load
from workers.errors import InputError


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate(values, strict=False)


def write_rows(name: str, rows: int, *, classes: str = "ab", start: int = 0) -> None:
    """Write a CSV whose feature ``n`` counts the rows, so that each can be told."""
    lines = [f"{start + n},{n % 7},{classes[n % len(classes)]}" for n in range(rows)]
    Path(name).write_text("\n".join(["n,m,class", *lines]) + "\n")


def counted(x: np.ndarray | None) -> list[int]:
    assert x is not None
    return [int(n) for n in x[:, 0]]


def rows_of(split: Split) -> tuple[list[int], list[int], list[int]]:
    data = split.dataset
    test = [] if split.x_test is None else counted(split.x_test)
    return counted(data.x_train), counted(data.x_validation), test


def raw(**values: Any) -> DataConfig:
    return config(source="a.csv", preprocess=(), **values)


# --- splits


def test_shares_are_taken_one_after_the_other_and_never_overlap() -> None:
    write_rows("a.csv", 100)
    train, validation, test = rows_of(load(raw(), seed=0))
    assert (len(train), len(validation), len(test)) == (64, 16, 20)
    assert sorted(train + validation + test) == list(range(100))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(20, 60),
    validation=st.floats(0.2, 0.6),
    test=st.one_of(st.none(), st.floats(0.1, 0.6), st.tuples(st.integers(0, 5), st.just(9))),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_row_is_in_exactly_one_split(
    rows: int, validation: float, test: Any, seed: int
) -> None:
    write_rows("a.csv", rows)
    held = {"rows": test} if isinstance(test, tuple) else test
    parts = rows_of(load(raw(validation=validation, test=held), seed=seed))
    assert sorted(row for part in parts for row in part) == list(range(rows))


def test_strata_keep_their_shares() -> None:
    write_rows("a.csv", 200, classes="aaaaaaab")
    split = load(raw(validation=0.25, test=0.2), seed=3)
    assert split.y_test is not None
    counts = [np.bincount(y).tolist() for y in (split.y_test, split.dataset.y_validation)]
    assert counts == [[35, 5], [35, 5]]


def test_labels_stay_with_their_rows() -> None:
    write_rows("a.csv", 60, classes="abc")
    split = load(raw(), seed=1)
    data = split.dataset
    assert data.classes == ("a", "b", "c")
    assert data.y_train.dtype == np.int32
    for x, y in ((data.x_train, data.y_train), (split.x_test, split.y_test)):
        assert y is not None
        assert [n % 3 for n in counted(x)] == y.tolist()


def test_the_seed_alone_decides() -> None:
    write_rows("a.csv", 60)
    assert load(raw(), seed=5).dataset.digest == load(raw(), seed=5).dataset.digest
    assert rows_of(load(raw(), seed=5))[2] != rows_of(load(raw(), seed=6))[2]
    assert rows_of(load(raw(validation=0.5), seed=5))[2] == rows_of(load(raw(), seed=5))[2]


def test_row_ranges_come_before_shares() -> None:
    write_rows("a.csv", 50)
    split = load(raw(validation={"rows": (0, 10)}, test=0.5), seed=0)
    train, validation, test = rows_of(split)
    assert validation == list(range(10))
    assert (len(train), len(test)) == (20, 20)
    both = load(raw(validation={"rows": (40, 45)}, test={"rows": (45, 50)}), seed=0)
    assert rows_of(both) == (list(range(40)), list(range(40, 45)), list(range(45, 50)))


def test_second_files() -> None:
    write_rows("a.csv", 20)
    write_rows("b.csv", 6, start=100)
    frame = pd.read_csv("b.csv")[["class", "m", "n"]]
    frame.assign(n=frame.n + 100).to_parquet("c.parquet")
    split = load(raw(validation={"source": "b.csv"}, test={"source": "c.parquet"}), seed=0)
    assert rows_of(split) == (list(range(20)), list(range(100, 106)), list(range(200, 206)))
    assert split.y_test is not None
    assert split.y_test.tolist() == [0, 1] * 3


def test_second_files_without_headers() -> None:
    Path("a.data").write_text("u,1,5\nv,2,6\nu,3,5\nv,4,6\n")
    Path("b.data").write_text("v,8,6\n")
    split = load(
        config(
            source="a.data",
            header=False,
            target=0,
            validation=0.5,
            test={"source": "b.data"},
            preprocess=(),
        ),
        seed=0,
    )
    assert split.x_test is not None
    assert split.y_test is not None
    assert (split.x_test.tolist(), split.y_test.tolist()) == ([[8, 6]], [1])
    assert (split.dataset.feature_names, split.dataset.target) == (("1", "2"), "0")


def test_letters_like_file_with_a_fixed_test_range() -> None:
    generator = np.random.default_rng(0)
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    labels = letters[np.arange(1040) % 26]
    frame = pd.DataFrame(generator.integers(0, 16, (1040, 16)))
    frame.insert(0, "letter", labels)
    frame.to_csv("letters.data", header=False, index=False)
    split = load(
        config(source="letters.data", header=False, target=0, test={"rows": (780, 1040)}), seed=0
    )
    data = split.dataset
    assert (data.rows, len(data.x_validation), data.features, data.outputs) == (624, 156, 16, 26)
    assert split.y_test is not None
    assert [data.classes[y] for y in split.y_test] == labels[780:].tolist()
    assert np.bincount(data.y_validation).tolist() == [6] * 26


def test_no_test_set_and_none_in_what_workers_get() -> None:
    write_rows("a.csv", 50)
    split = load(raw(test=None), seed=0)
    assert (split.x_test, split.y_test) == (None, None)
    train, validation, test = rows_of(load(raw(), seed=0))
    assert not set(test) & set(train + validation)


# --- labels and targets


def test_numbers_as_classes_are_sorted_as_numbers_and_keep_their_text() -> None:
    write_rows("a.csv", 40)
    text = Path("a.csv").read_text().replace(",a", ",10").replace(",b", ",9")
    Path("a.csv").write_text(text)
    data = load(raw(), seed=0).dataset
    assert data.classes == ("9", "10")
    assert [10 - 1 * (n % 2) for n in counted(data.x_train)] == [
        int(data.classes[y]) for y in data.y_train
    ]


def test_regression() -> None:
    data = load(config(source="diabetes", task="regression"), seed=0)
    dataset = data.dataset
    assert (dataset.classes, dataset.outputs, dataset.y_train.dtype) == ((), 1, np.float32)
    assert dataset.y_train.shape == (dataset.rows, 1)
    assert dataset.target_scale is not None
    learned = dataset.target_scale.restore(dataset.y_train)
    total = sum(float(y.sum()) for y in (learned, data.y_validation, data.y_test))
    assert total == pytest.approx(67243)
    assert (dataset.y_train.mean(), dataset.y_train.std()) == pytest.approx((0, 1), abs=1e-6)


def test_regression_with_several_outputs() -> None:
    x = np.arange(20.0).reshape(10, 2)
    np.savez("a.npz", x=x, y=3 * x)
    split = load(
        config(source="a.npz", task="regression", preprocess=(), scale_targets=False), seed=0
    )
    assert split.dataset.outputs == 2
    np.testing.assert_array_equal(split.dataset.y_train, 3 * split.dataset.x_train)


# --- preprocessing


def test_statistics_are_those_of_the_training_rows() -> None:
    write_rows("a.csv", 60)
    plain = load(raw(), seed=0)
    split = load(config(source="a.csv"), seed=0)
    x = plain.dataset.x_train.astype(np.float64)
    for before, after in (
        (plain.dataset.x_train, split.dataset.x_train),
        (plain.dataset.x_validation, split.dataset.x_validation),
    ):
        assert after.dtype == np.float32
        assert after.flags.c_contiguous
        np.testing.assert_allclose(after, (before - x.mean(axis=0)) / x.std(axis=0), atol=1e-5)
    # The test rows stay as they were read: a model does its own preprocessing.
    np.testing.assert_array_equal(plain.x_test, split.x_test)


def test_alternatives_are_the_same_rows_under_other_chains() -> None:
    write_rows("a.csv", 60)
    chains = {("center",), ("standardize",), ("center", "whiten")}
    split = load(config(source="a.csv"), seed=0, chains=chains)
    data = split.dataset
    assert set(data.alternatives) == chains - {("standardize",)}
    assert data.prepared(None) is data.prepared(("standardize",)) is data
    white = data.prepared(("center", "whiten"))
    np.testing.assert_array_equal(white.y_train, data.y_train)
    covariance = np.cov(white.x_train.astype(np.float64), rowvar=False, bias=True)
    np.testing.assert_allclose(covariance, np.eye(len(covariance)), atol=1e-3)
    alone = load(config(source="a.csv", preprocess=["center"]), seed=0)
    np.testing.assert_array_equal(alone.dataset.x_train, data.prepared(("center",)).x_train)
    assert load(config(source="a.csv"), seed=0).digest != split.digest


def test_rows_outside_the_training_set_do_not_move_the_statistics() -> None:
    write_rows("a.csv", 50)
    held = {"validation": {"rows": (30, 40)}, "test": {"rows": (40, 50)}}
    before = load(config(source="a.csv", **held), seed=0).dataset
    lines = Path("a.csv").read_text().splitlines()
    lines[31:] = [line.replace(line.split(",")[0], "1e6") for line in lines[31:]]
    Path("a.csv").write_text("\n".join(lines))
    after = load(config(source="a.csv", **held), seed=0).dataset
    np.testing.assert_array_equal(before.x_train, after.x_train)
    assert after.x_validation[:, 0].min() > 1e4


# --- what is refused


@pytest.mark.parametrize(
    ("lines", "values", "expected"),
    [
        ("1,a", {}, "leave rows to train; got a share of 0.2 for test out of 1 rows"),
        ("1,a\n2,b", {"test": None}, "must have at least 2 rows"),
        ("1,a\n" * 9, {}, "only 'a'"),
        ("1,a\n" * 9, {"validation": {"rows": (0, 2)}, "test": {"rows": (2, 4)}}, "only 'a'"),
        ("1,a\n2,a\n3,b\n4,b\n5,c\n" * 2 + "6,z", {}, "class 'z' with 1"),
        ("1,a\n2,b\n" * 4, {"test": 0.1}, "at least one row for each class; got 1 and 7 rows"),
        ("1,a\n2,b\n3,\n" * 9, {}, "must have a class label; got '' in row 2 .*'x.csv'"),
        ("1,a\n2,b\n3,NaN\n" * 9, {}, "must have a class label; got 'NaN' in row 2"),
        ("5,a\n5,b\n" * 9, {}, "one feature must vary"),
        ("1,a\n2,b\n1e300,b\n" * 9, {"preprocess": ()}, "finite in 32-bit"),
        ("1,a\n2,b\n1e300,b\n" * 9, {"preprocess": ("pca",)}, "finite in 32-bit"),
        ("-1.7e308,a\n1.7e308,b\n-1.7e308,b\n" * 9, {"preprocess": ("pca",)}, "finite variance"),
        ("-1e308,a\n1e308,b\n1,b\n" * 9, {"preprocess": ("scale",)}, "finite in 32-bit"),
        ("-1e308,a\n1e308,b\n1,b\n" * 9, {"preprocess": ("scale", "robust")}, "finite in 32-bit"),
        ("-1e308,a\n1e308,b\n1,b\n" * 9, {"preprocess": ("scale", "quantile")}, "finite in 32-bit"),
        (
            "-1e308,a\n1e308,b\n1,b\n" * 9,
            {"preprocess": ("scale", "quantile", "pca")},
            "finite variance",
        ),
        ("1,a\n2,b\n" * 9, {"preprocess": ("zca",)}, "'zca'"),
        ("1,a\n2,b\n" * 9, {"test": {"rows": (10, 19)}}, "within the 18 rows.*got .10, 19."),
        (
            "1,a\n2,b\n" * 9,
            {"test": {"rows": (10, 18)}, "validation": {"rows": (5, 11)}},
            r"must not overlap; got \[5, 11\]",
        ),
        (
            "1,a\n2,b\n" * 9,
            {"test": {"rows": (9, 18)}, "validation": {"rows": (0, 9)}},
            "leave rows to train; got test 9, validation 9, train 0",
        ),
        (
            "1,a\n2,b\n" * 4 + "1,c\n2,d\n",
            {"test": {"rows": (8, 10)}, "validation": 0.5},
            "test rows must occur in the training rows; got 'c', 'd'",
        ),
        ("1,a\n2,b\n" * 9, {"test": {"source": "x.csv"}}, "another file than source"),
        ("1,a\n2,b\n" * 9, {"test": {"source": "link.csv"}}, "another file than source"),
        (
            "1,a\n2,b\n" * 9,
            {"test": {"source": "b.csv"}, "validation": {"source": "./b.csv"}},
            "another file than test.source",
        ),
        ("1,a\n2,b\n" * 9, {"test": {"source": "gone.csv"}}, "'gone.csv'"),
        ("1,a\n2,b\n" * 9, {"test": {"source": "b.csv"}}, "'b.csv'.* got none|'b.csv'.*without"),
        ("1,a\n2,b\n" * 9, {"task": "regression"}, "finite number; got 'a' in row"),
        ("1,1\n2,\n" * 9, {"task": "regression"}, "finite number; got '' in row"),
        ("1,1\n2,inf\n" * 9, {"task": "regression"}, "finite number; got 'inf' in row"),
        ("1,1\n2,1e99\n" * 9, {"task": "regression"}, "finite number; got '1e99' in row"),
        ("1,7\n2,7\n" * 9, {"task": "regression"}, "target must vary"),
        ("1,1.5\n2,2.5\n3,3.5\n4,4.5", {}, "set task: regression"),
    ],
)
def test_bad_input_is_one_line(lines: str, values: dict[str, Any], expected: str) -> None:
    Path("x.csv").write_text(f"v,class\n{lines}\n")
    Path("b.csv").write_text("w,class\n1,a\n2,b\n")
    Path("link.csv").symlink_to("x.csv")
    with pytest.raises(InputError, match=expected) as caught:
        load(config(source="x.csv", **values), seed=0)
    assert "\n" not in str(caught.value)


# --- rows to predict


NAMES = ("b", "a")


def read_features(path: str, **how: Any) -> np.ndarray:
    dialect = {"header": how.pop("header", True)}
    return np.concatenate([table.x for table in rows.read_features(path, dialect=dialect, **how)])


@pytest.mark.parametrize(
    "text",
    ["b,a\n1,2\n", "a,b\n2,1\n", "class,a,b\nx,2,1\n", "id,b,note,a\nr1,1,none,2\n"],
)
def test_features_are_matched_by_name(text: str) -> None:
    Path("new.csv").write_text(text)
    assert read_features("new.csv", feature_names=NAMES, target="class").tolist() == [[1, 2]]


@pytest.mark.parametrize("text", ["x,1,2\n", "1,2\n"])
def test_features_without_names_are_matched_by_position(text: str) -> None:
    Path("new.csv").write_text(text)
    names = ("1", "2")
    x = read_features("new.csv", feature_names=names, target="0", header=False)
    assert x.tolist() == [[1, 2]]


def test_features_of_arrays_and_built_in_sets() -> None:
    np.savez("new.npz", x=np.array([[1, 2]]))
    assert read_features("new.npz", feature_names=NAMES).tolist() == [[1, 2]]
    names = load(config(source="digits"), seed=0).dataset.feature_names
    assert read_features("digits", feature_names=names, target="target").shape == (1797, 64)


def test_a_named_file_fits_a_model_without_names() -> None:
    Path("new.csv").write_text("p,q\n1,2\n")
    assert read_features("new.csv", feature_names=("0", "1")).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "header", "expected"),
    [
        ("b,c\n1,2\n", True, "must have the 2 feature columns; got 2 columns without 'a'"),
        ("1,2,3\n", False, "got 3 columns without 'b', 'a'"),
        ("b,a\n1,\n", True, "finite numbers"),
        ("b,a\n1,x\n", True, "must be numbers; got 'x'"),
        ("b,a\n", True, "must have rows"),
        ("b,a,b\n1,2,3\n", True, "must differ"),
    ],
)
def test_features_that_do_not_fit(text: str, header: bool, expected: str) -> None:
    Path("new.csv").write_text(text)
    with pytest.raises(InputError, match=expected):
        read_features("new.csv", feature_names=NAMES, header=header)


@pytest.mark.parametrize("text", ["1\n", "1,2,3,4\n", "1,2,3,4,5\n"])
def test_a_file_without_names_has_the_features_and_at_most_the_target(text: str) -> None:
    Path("new.csv").write_text(text)
    with pytest.raises(InputError, match="must have the 2 feature columns"):
        read_features("new.csv", feature_names=("0", "1"), target="2", header=False)


def test_arrays_with_another_number_of_features() -> None:
    np.savez("new.npz", x=np.ones((2, 3)))
    with pytest.raises(InputError, match="must have 2 features; got 3"):
        read_features("new.npz", feature_names=NAMES)
