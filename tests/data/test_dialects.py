"""Text files as people write them: commas in numbers, quotes, comments, encodings, no label."""

import codecs
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.config.sections.data import DataConfig
from hpsearch.data import datasets
from hpsearch.data.readers import blocks
from hpsearch.data.readers.formats import read, read_blocks
from hpsearch.data.tables.dialect import DIALECT, dialect_from_json, dialect_of
from hpsearch.data.tables.raw_table import Source
from hpsearch.ensembles.prediction import predict
from tests.support import run_here, tiny_config
from workers.data.columns import Column
from workers.errors import CheckpointError, InputError


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(content: str | bytes, name: str = "a.csv") -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def refusal(content: str | bytes, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(Source(write(content), **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_spreadsheet_of_a_country_with_decimal_commas() -> None:
    rows = "1,5;1.234.567,25;'a;b';u\n-,5;12;'it''s';v\n1e-3;1.000;c;u\n" * 9
    text = f"größe;preis;'art';y\n{rows}"
    options = {"delimiter": ";", "decimal": ",", "thousands": ".", "quote": "'"}
    table = read(Source(write(text.encode("cp1252")), encoding="cp1252", **options))
    assert table.feature_names == ("größe", "preis", "art")
    assert table.x[:3, :2].tolist() == [[1.5, 1234567.25], [-0.5, 12], [1e-3, 1000]]
    assert table.columns is not None
    assert table.columns[2].values == ("a;b", "c", "it's")


NUMBERS = st.decimals(-10_000_000, 10_000_000, places=3, allow_nan=False).map(float)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(NUMBERS, st.sampled_from(["a", "b c", "d'e", ""])), min_size=1),
    marks=st.sampled_from([(",", "."), (",", " "), (".", ","), (".", "'"), (",", None)]),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig", "utf-32"]),
    noted=st.booleans(),
)
def test_it_reads_what_pandas_does(
    rows: list[tuple[float, str]], marks: tuple[str, str | None], encoding: str, noted: bool
) -> None:
    decimal, thousands = marks
    grouped = [f"{number:,.3f}" if thousands else f"{number:.3f}" for number, _ in rows]
    swaps = str.maketrans({",": thousands or "", ".": decimal})
    note = "# all of it\n" if noted else ""
    lines = [
        f"{text.translate(swaps)};{word};1" for text, (_, word) in zip(grouped, rows, strict=True)
    ]
    end = " # so\n" if noted else "\n"
    write((f"{note}n;w;y\n" + end.join([*lines, ""])).encode(encoding))
    how: dict[str, Any] = {"decimal": decimal, "thousands": thousands, "encoding": encoding}
    how["comment"] = "#" if noted else None
    theirs = pd.read_csv("a.csv", sep=";", quotechar='"', **how)
    source = Source("a.csv", delimiter=";", kinds={"w": "category"}, **how)
    table = read(source)
    np.testing.assert_array_equal(table.x[:, 0], theirs["n"].to_numpy(float))
    assert [number for number, _ in rows] == table.x[:, 0].tolist()
    words = table.columns[1].values if table.columns else ()
    found = ["" if np.isnan(place) else words[int(place)] for place in table.x[:, 1]]
    assert found == theirs["w"].astype(object).fillna("").str.strip().tolist()


@pytest.mark.parametrize("size", [7, 64, 1 << 22])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-be", "shift_jis"])
def test_blocks_of_any_size_come_to_the_same(
    size: int, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = '1,5;"a # b\nc";u # "one, \n2;\'x;v\n# 3;"4;5\n'
    write(("n;w;y\n" + line * 20).encode(encoding))
    columns = (Column("n"), Column("w", "category", ("'x", "a # b\nc")))
    how: dict[str, Any] = {"delimiter": ";", "decimal": ",", "comment": "#", "encoding": encoding}
    source = Source("a.csv", known=columns, features=("n", "w"), labelled=False, **how)
    whole = read(source).x
    assert whole.tolist() == [[1.5, 1], [2, 0]] * 20
    monkeypatch.setattr(blocks, "BLOCK", size)
    assert np.concatenate([part.x for part in read_blocks(source)]).tolist() == whole.tolist()


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("a,y\n1,2\n", {"decimal": ","}, "must be another character than delimiter; got ','"),
        ("a,y\n1,2\n", {"thousands": "."}, "decimal must be another character than thousands"),
        ("a,y\n1,2\n", {"quote": ","}, "must be another character than"),
        ("a,y\n1,2\n", {"comment": "##"}, "comment must be one ASCII character"),
        ("a,y\n1,2\n", {"quote": "x"}, "quote must be one ASCII character, no letter"),
        ("a,y\n1,2\n", {"encoding": "utf-9"}, "encoding must be one of text that Python knows"),
        ("a,y\n1,2\n", {"encoding": "base64"}, "encoding must be one of text that Python knows"),
        (
            b"a,y\n\x81,2\n",
            {"encoding": "cp1252"},
            "must be text in CP1252; got bytes",
        ),
        ("größe,y\n1,3\n".encode("latin-1"), {}, "or data.encoding, such as latin-1"),
        ("a,y\n1,2\n".encode("utf-16") + b"x", {}, "must be text in UTF-16"),
        (
            "a;y\n1,5;u\n2,5;v\n",
            {"delimiter": ";"},
            "a comma in numbers must be told from text; got",
        ),
        ("a;y\n1,5;u\n2;v\n3;v\n", {"delimiter": ";"}, 'set data.decimal: "," or data.thousands'),
        (
            "a;y\n1.5;u\n2,5;v\n",
            {"delimiter": ";", "decimal": ",", "kinds": {"a": "number"}},
            "must be numbers; got '1.5' in row 0",
        ),
        (
            "a;y\n1.234;u\n1.23;v\n",
            {"delimiter": ";", "decimal": ",", "thousands": ".", "kinds": {"a": "number"}},
            "must be numbers; got '1.23' in row 1",
        ),
    ],
)
def test_what_can_not_be(content: str | bytes, options: dict[str, Any], expected: str) -> None:
    assert expected in refusal(content, **options)


def test_a_mark_of_the_byte_order_decides_whatever_is_said() -> None:
    text = "a,y\n1,ü\n2,v\n"
    for mark, encoding in ((codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF8, "utf-8")):
        write(mark + text.encode(encoding))
        table = read(Source("a.csv", encoding="latin-1"))
        assert table.y is not None
        assert table.y.tolist() == ["ü", "v"]


def test_a_run_predicts_files_that_are_written_as_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=160)
    frame = pd.DataFrame({"x": label + 0.2 * rng.normal(size=160), "w": "keine", "y": label})
    frame.loc[::3, "w"] = "rot"
    text = frame.to_csv(index=False, sep=";", decimal=",", header=False)
    Path("a.txt").write_bytes(("% rows\n" + text).encode("utf-16-le"))
    how = {"delimiter": ";", "decimal": ",", "comment": "%", "encoding": "utf-16-le"}
    missing = {"missing": ["keine"], "header": False, "target": 2}
    data = {"source": "a.txt", "weight": None, **how, **missing}
    run, _ = run_here(tiny_config(data=data), tmp_path / "run")
    (block, *_) = predict(run.path, Path("a.txt"))
    assert (block.named["prediction"] == frame["y"]).mean() > 0.9
    frame.rename(columns={"x": "0", "w": "1"}).to_csv("b.csv", index=False)
    plain = {"delimiter": ",", "decimal": ".", "encoding": "utf-8", "header": True}
    (other, *_) = predict(run.path, Path("b.csv"), dialect=plain)
    pd.testing.assert_frame_equal(other.named, block.named)


def test_what_a_checkpoint_says_of_a_dialect_is_checked() -> None:
    source = Source("a.csv", decimal=",", delimiter=";", missing=("-",), header=False)
    assert Source("a.csv", **dialect_from_json(dialect_of(source))) == source
    assert dialect_of(Source("b.csv")) == {}
    assert {*DIALECT} <= {*DataConfig.model_fields}
    for bad in ([], {"path": "x"}, {"decimal": 1}, {"header": "no"}, {"missing": [1]}):
        with pytest.raises(CheckpointError, match="dialect"):
            dialect_from_json(bad)


# --- rows without a label


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate({"source": "a.csv", "preprocess": ()} | values, strict=False)


def test_rows_without_a_label_are_dropped_if_asked() -> None:
    labels = ["u", "v", "", "NA"] * 15
    write("n,y\n" + "".join(f"{n},{label}\n" for n, label in enumerate(labels)))
    with pytest.raises(InputError, match="must have a class label; got '' in row 2"):
        datasets.load(config(), seed=0)
    split = datasets.load(config(unlabelled="drop", test={"rows": [40, 60]}), seed=0)
    assert split.notes == ("30 rows without a label left out",)
    assert split.x_test is not None
    assert split.x_test[:, 0].tolist() == [n for n in range(40, 60) if n % 4 < 2]
    found = np.concatenate([split.dataset.x_train, split.dataset.x_validation])[:, 0]
    assert sorted(found.tolist()) == [n for n in range(40) if n % 4 < 2]
    only = datasets.load(config(unlabelled="drop", missing=["?"]), seed=0)
    assert only.dataset.classes == ("NA", "u", "v")


def test_targets_that_are_missing_are_dropped_in_a_regression() -> None:
    write("n,y\n" + "".join(f"{n},{n % 7 if n % 5 else 'NaN'}\n" for n in range(60)))
    write("n,y\n1,2\n2,\n3,4\n", "b.csv")
    how: dict[str, Any] = {"task": "regression", "test": {"source": "b.csv"}}
    split = datasets.load(config(unlabelled="drop", **how), seed=0)
    assert split.notes == ("12 rows without a label left out",)
    assert len(split.dataset.y_train) + len(split.y_validation) == 48
    assert split.y_test is not None
    assert split.y_test.tolist() == [[2], [4]]


def test_a_class_may_be_called_none_and_is_told_of() -> None:
    write("n,y\n" + "".join(f"{n},{('None', 'Some')[n % 2]}\n" for n in range(40)))
    split = datasets.load(config(), seed=0)
    assert split.dataset.classes == ("None", "Some")
    assert split.notes == (
        "20 rows are of the class 'None': if that means that it is not known, set"
        " data.unlabelled: drop",
    )
