"""Readers: every format that the test writes comes back, every damaged one is one line."""

import contextlib
import gzip
import os
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.config.sections.data import FileFormat
from hpsearch.data.readers.formats import BUILTINS, READERS, read
from hpsearch.data.tables import raw_table
from hpsearch.data.tables.raw_table import Source
from workers.errors import InputError

X = [[1.5, -2.0], [3.0, 4e-3], [5.0, 6.0]]
CSV = "b,class,a\n1.5,u,-2\n3,v,4e-3\n5,u,6\n"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    head = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return head + array.tobytes()


def refusal(source: Source) -> str:
    with pytest.raises(InputError) as caught:
        read(source)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


# --- CSV


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.csv", CSV, {}),
        ("a.csv", CSV, {"target": "class"}),
        ("a.csv", CSV, {"target": 1}),
        ("a.csv", CSV.replace("class", "kind"), {"target": "kind"}),
        ("a.data", CSV.replace("\n", "\r\n"), {}),
        ("a.txt", CSV.replace("\n", "\n\n").strip(), {}),
        ("a.csv", "\ufeff" + CSV, {}),
        ("a.csv", CSV.replace(",", " , "), {}),
        ("a.csv", CSV.replace("u", '"u"').replace("1.5", '"1.5"'), {}),
        ("a.csv", CSV.replace(",", ";"), {"delimiter": ";"}),
        ("a.tsv", CSV.replace(",", "\t"), {}),
        ("a.strange", CSV, {"format": "csv"}),
    ],
)
def test_csv(name: str, text: str, options: dict[str, Any]) -> None:
    table = read(Source(write(name, text), **options))
    assert table.x.tolist() == X
    assert table.y is not None
    assert table.y.tolist() == ["u", "v", "u"]
    assert table.feature_names == ("b", "a")
    assert table.target in ("class", "kind")


def test_gzipped_csv_is_known_by_its_content() -> None:
    for name in ("a.csv.gz", "a.csv"):
        assert read(Source(write(name, gzip.compress(CSV.encode())))).x.tolist() == X


def test_csv_without_a_header_numbers_its_columns() -> None:
    table = read(Source(write("a.data", "T,2,8\nI,5,12\n"), header=False, target=0))
    assert table.x.tolist() == [[2, 8], [5, 12]]
    assert table.y is not None
    assert table.y.tolist() == ["T", "I"]
    assert (table.feature_names, table.target) == (("1", "2"), "0")


def test_csv_labels_keep_their_text() -> None:
    table = read(Source(write("a.csv", "x,y\n1,01\n2,1.50\n3,True\n")))
    assert table.y is not None
    assert table.y.tolist() == ["01", "1.50", "True"]


def test_csv_columns_of_late_fractions_are_read_as_numbers() -> None:
    rows = "".join(f"{row},1\n" for row in range(200_000))
    table = read(Source(write("a.csv", f"x,y\n{rows}0.25,2\n")))
    assert table.x.shape == (200_001, 1)
    assert table.x[-1, 0] == 0.25


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("", {}, "must have rows"),
        ("\n\n", {}, "must have rows"),
        ("a,y\n", {}, "must have rows"),
        ("a,y\n\n\n", {}, "must have rows"),
        ("y\n1\n", {}, "must have feature columns"),
        ("a,b\n1,2\n", {}, "target must name a column of 'x.csv'.*got none.*'a', 'b'"),
        ("a,y\n1,2\n", {"target": "z"}, "got 'z'; choose one of 'a', 'y'"),
        ("a,y\n1,2\n", {"target": 2}, "got '2'; choose one of 'a', 'y'"),
        ("y,class\n1,2\n", {}, "target must name a column"),
        ("1,2\n3,4\n", {"header": False}, "target must name a column"),
        (",".join(f"c{n}" for n in range(785)) + "\n1\n", {}, r"'c11', \.\.\. \(785 in all\)"),
        ("a,y,a\n1,2,3\n", {}, "must differ; got 'a' twice"),
        ("a,y,\n1,2,3\n", {}, "must have a name; got none for column 2"),
        ("a,y\n1,2\n3\n", {}, "must have 2 columns; got 1 in row 1 "),
        ("a,y\n1,2\n3,4,5\n6\n", {}, "must have 2 columns; got 3 in row 1 "),
        ("a,b,y\n1,2,3\n1,two,3\n", {}, r"text throughout; got 'two' in row 1 .*column 'b'"),
        ("b,y\n1,3\ntrue,3\n", {}, "text throughout; got 'true' in row 1 .* among 1 numbers"),
        ("a,y\n1,3\nNaN,3\n", {"complete": True}, "finite numbers; got a missing value or NaN in"),
        ("a,b,y\n,2,3\n", {"kinds": {"c": "date"}}, "name columns of 'x.csv'; got 'c'"),
        ("a,b,y\n,2,3\n", {"drop": ("c",)}, "name columns of 'x.csv'; got 'c'; choose among 'a'"),
        ("a,y\n1,3\nx,3\n", {"kinds": {"a": "number"}}, "be numbers; got 'x' in row 1 .*missing"),
        ("a,y\n2026-11-27,3\nx,3\n", {"kinds": {"a": "date"}}, "must hold dates .*; got 'x'"),
        ("a,y\n1,3\n-inf,3\n", {}, "finite numbers; got -inf in row 1"),
        ("a,y\n1,3\n1e999,3\n", {}, "finite numbers; got inf in row 1"),
        ("größe,y\n1,3\n".encode("latin-1"), {}, "UTF-8; got bytes that are not .f6"),
        ("a,y\n1,é\n".encode("latin-1"), {}, "UTF-8"),
        (b"a,y\n1,\xc3", {}, "UTF-8"),
        (b"a,y\n1,b\0c\n", {}, "NUL"),
        ("a,y\n1,2\n", {"delimiter": '"'}, "delimiter must be"),
        ("a,y\n1,2\n", {"delimiter": "é"}, "delimiter must be"),
        ("a,y\n1,2\n", {"delimiter": ""}, "delimiter must be"),
        ("a,y\n1,2\n", {"labels": "l.gz"}, "belong to the IDX format"),
        (gzip.compress(CSV.encode())[:-9], {}, "must be readable"),
    ],
)
def test_bad_csv(text: str | bytes, options: dict[str, Any], expected: str) -> None:
    assert re.search(expected, refusal(Source(write("x.csv", text), **options)))


# --- Parquet


def test_parquet() -> None:
    frame = pd.DataFrame(
        {
            "a.b": np.array([1, 2], np.int16),
            "flag": [True, False],
            "label": ["u", "v"],
            "c": np.array([0.5, 0.25], np.float32),
        },
        index=[5, 3],
    )
    frame.to_parquet("a.parquet")
    table = read(Source("a.parquet"))
    assert table.x.tolist() == [[1, 1, 0.5], [2, 0, 0.25]]
    assert table.y is not None
    assert table.y.tolist() == ["u", "v"]
    assert (table.feature_names, table.target) == (("a.b", "flag", "c"), "label")


def test_parquet_labels_of_other_types() -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": pd.Categorical(["v", "u"]), "n": [7, 8]})
    frame.to_parquet("a.parquet")
    by_category = read(Source("a.parquet", features=("n",)))
    by_number = read(Source("a.parquet", target="n", features=("x",)))
    assert by_category.y is not None
    assert by_number.y is not None
    assert by_category.y.tolist() == ["v", "u"]
    assert by_number.y.tolist() == [7, 8]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"x": [], "y": []}, "must have rows"),
        ({"x": ["a"], "y": [1]}, "must have feature columns"),
        ({"x": [[1, 2]], "y": [1]}, "features must be numbers, text or dates; got column 'x' of"),
        ({"x": [1, 2]}, "target must name a column"),
    ],
)
def test_bad_parquet(frame: dict[str, Any], expected: str) -> None:
    pd.DataFrame(frame).to_parquet("a.parquet")
    with pytest.raises(InputError, match=expected):
        read(Source("a.parquet"))


def test_damaged_parquet() -> None:
    pd.DataFrame({"x": [1, 2], "y": [1, 2]}).to_parquet("a.parquet")
    data = Path("a.parquet").read_bytes()
    for damaged in (b"", b"PAR1", data[:-5], data[: len(data) // 2], CSV.encode()):
        refusal(Source(write("b.parquet", damaged)))


# --- NPZ


@pytest.mark.parametrize("names", [("x", "y"), ("X", "Y"), ("features", "labels"), ("data", "own")])
def test_npz(names: tuple[str, str]) -> None:
    x = np.arange(24, dtype=np.uint8).reshape(3, 4, 2)
    np.savez_compressed("a.npz", **{names[0]: x, names[1]: np.array(["u", "v", "u"])})
    table = read(Source("a.npz", target="own" if names[1] == "own" else None))
    assert table.x.tolist() == x.reshape(3, 8).tolist()
    assert table.y is not None
    assert table.y.tolist() == ["u", "v", "u"]
    assert table.feature_names == tuple("01234567")


@pytest.mark.parametrize(
    ("arrays", "options", "expected"),
    [
        ({"x": np.ones((2, 2))}, {}, "exactly one array of labels"),
        ({"y": np.ones(2)}, {}, "exactly one array of features"),
        ({"x": np.ones((2, 2)), "X": np.ones((2, 2)), "y": np.ones(2)}, {}, "exactly one array"),
        ({"x": np.ones((2, 2)), "y": np.ones(2)}, {"target": "z"}, "target must name an array"),
        ({"x": np.ones((2, 2)), "y": np.ones(2)}, {"target": 0}, "target must name an array"),
        ({"x": np.ones((2, 2)), "y": np.ones(3)}, {}, "3 labels and 2 rows"),
        ({"x": np.ones((2, 2)), "y": np.eye(2)}, {}, "not one-hot"),
        ({"x": np.ones((2, 2)), "y": np.array(1)}, {}, "a single value"),
        ({"x": np.array([["a"], ["b"]]), "y": np.ones(2)}, {}, "array of real numbers"),
        ({"x": np.ones((2, 2), complex), "y": np.ones(2)}, {}, "array of real numbers"),
        ({"x": np.array(1.0), "y": np.ones(1)}, {}, "array of real numbers"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, {}, "must have rows"),
        ({"x": np.ones((2, 0)), "y": np.ones(2)}, {}, "must have feature columns"),
        ({"x": np.array([[1], [np.inf]]), "y": np.ones(2)}, {}, "got inf in row 1"),
        ({"x": np.array([[1], [None]]), "y": np.ones(2)}, {}, "Python objects"),
        ({"x": np.ones((2, 1)), "y": np.array([1, {}])}, {}, "Python objects"),
    ],
)
def test_bad_npz(arrays: dict[str, Any], options: dict[str, Any], expected: str) -> None:
    np.savez("a.npz", **arrays)
    with pytest.raises(InputError, match=expected):
        read(Source("a.npz", **options))


def test_npz_headers_that_claim_more_than_there_is() -> None:
    np.save("x.npy", np.ones((2, 2)))
    claim = Path("x.npy").read_bytes().replace(b"(2, 2), }       ", b"(99999999, 2), }")
    assert b"99999999" in claim
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.npy", claim)
        archive.writestr("y.npy", Path("x.npy").read_bytes())
    assert "not as long as its header" in refusal(Source("a.npz"))


def test_unpacked_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_table, "MAX_BYTES", 10_000)
    np.savez_compressed("a.npz", x=np.zeros((2000, 5)), y=np.zeros(2000))
    bomb = gzip.compress(b"0," * 50_000)
    for name in ("a.npz", write("a.csv", bomb), write("b.csv", "0," * 50_000)):
        assert "unpacked" in refusal(Source(name))


# --- IDX


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "names",
    [
        ("images.gz", "labels.gz"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("a.idx", "b"),
    ],
)
def test_idx(names: tuple[str, str], pack: Callable[[bytes], bytes]) -> None:
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    write(names[0], pack(idx(images)))
    write(names[1], pack(idx(np.array([7, 0, 7], np.uint8))))
    table = read(Source(names[0], labels=names[1]))
    assert table.x.tolist() == images.reshape(3, 4).tolist()
    assert table.y is not None
    assert table.y.tolist() == [7, 0, 7]


@pytest.mark.parametrize(
    ("kind", "dtype"), [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_idx_types(kind: int, dtype: str) -> None:
    values = np.array([[1, 2], [3, 100]], dtype)
    write("a.idx", idx(values, kind))
    table = read(Source("a.idx", labelled=False))
    assert table.x.tolist() == [[1, 2], [3, 100]]
    assert table.x.dtype.isnative
    assert table.y is None


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (b"", b"", "empty"),
        (b"\0\0\x08", b"", "must be an IDX file"),
        (b"\0\1\x08\x01\0\0\0\1a", b"", "must be an IDX file; got first bytes 00 01 08 01"),
        (b"\0\0\x07\x01\0\0\0\1a", b"", "must be an IDX file"),
        (b"\0\0\x08\0", b"", "must be an IDX file"),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"a", b"", "must be an IDX file"),
        (b"\0\0\x08\x02\0\0\0\1", b"", "as long as its header"),
        (b"\0\0\x08\x01\xff\xff\xff\xffa", b"", "as long as its header"),
        (idx(np.zeros((2, 3), np.uint8)) + b"x", b"", "as long as its header"),
        (idx(np.zeros((0, 3), np.uint8)), idx(np.zeros(0, np.uint8)), "must have rows"),
        (idx(np.zeros((2, 3), np.uint8)), idx(np.zeros(3, np.uint8)), "3 labels and 2 rows"),
        (idx(np.zeros((2, 3), np.uint8)), idx(np.zeros((2, 2), np.uint8)), "one number or text"),
        (idx(np.full((2, 3), np.inf, ">f4"), 13), idx(np.zeros(2, np.uint8)), "finite"),
    ],
)
def test_bad_idx(images: bytes, labels: bytes, expected: str) -> None:
    write("images.gz", images)
    write("labels.gz", labels)
    with pytest.raises(InputError, match=expected):
        read(Source("images.gz", labels="labels.gz"))


def test_idx_needs_labels_and_takes_no_target() -> None:
    write("a.idx", idx(np.zeros((2, 3), np.uint8)))
    assert "labels in a second file" in refusal(Source("a.idx"))
    assert "no target column" in refusal(Source("a.idx", labels="a.idx", target="y"))
    assert "'gone.gz'" in refusal(Source("a.idx", labels="gone.gz"))


# --- built-in sets and what is no file


@pytest.mark.parametrize(
    ("name", "rows", "features", "label"),
    [
        ("digits", 1797, 64, "0"),
        ("wine", 178, 13, "class_0"),
        ("breast_cancer", 569, 30, "malignant"),
        ("iris", 150, 4, "setosa"),
        ("diabetes", 442, 10, 151.0),
    ],
)
def test_built_in_sets(name: str, rows: int, features: int, label: object) -> None:
    table = read(Source(name, task=BUILTINS[name]))
    assert table.x.shape == (rows, features)
    assert len(table.feature_names) == features
    assert table.y is not None
    assert table.y[0] == label


def test_built_in_sets_have_their_own_task_and_target() -> None:
    assert read(Source("digits")).feature_names[:2] == ("pixel_0_0", "pixel_0_1")
    assert "task must be regression" in refusal(Source("diabetes"))
    assert "task must be classification" in refusal(Source("iris", task="regression"))
    assert "its own target" in refusal(Source("iris", target="species"))
    assert "its own target" in refusal(Source("iris", labels="x.gz"))


def test_no_such_source_tells_both_ways_out() -> None:
    text = refusal(Source("digit"))
    assert "built-in set or a readable file" in text
    assert "digits, wine, breast_cancer, iris, diabetes" in text


@pytest.mark.parametrize(
    "name", ["gone.csv", "../gone.csv", "a\0b.csv", "n" * 300, ".", "fifo.csv"]
)
def test_what_is_no_file(name: str) -> None:
    os.mkfifo("fifo.csv")
    assert repr(name[:20])[:-1] in refusal(Source(name))


def test_columns_beside_the_rows_are_no_features_and_come_as_they_are() -> None:
    frame = pd.DataFrame({"g": ["07", "8"], "x": [1.5, 2.5], "w": [0.5, 2.0], "y": ["u", "v"]})
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    frame.to_feather("t.feather")
    frame.to_json("t.jsonl", orient="records", lines=True)
    for name in ("t.csv", "t.parquet", "t.feather", "t.jsonl"):
        table = read(Source(name, beside=("w", "g")))
        assert table.feature_names == ("x",)
        assert table.beside["g"].to_pylist() == ["07", "8"]
        assert [float(value) for value in table.beside["w"].to_pylist()] == [0.5, 2.0]
        both = read(Source(name, features=("w", "x"), beside=("w", "y")))
        assert both.feature_names == ("w", "x")
        assert both.beside["y"].to_pylist() == ["u", "v"]
        assert "name columns of 't." in refusal(Source(name, beside=("z",)))
    assert "columns with names" in refusal(Source("iris", beside=("w",)))


def test_an_unknown_suffix_asks_for_the_format() -> None:
    assert "add format: one of csv, parquet, jsonl, feather, xlsx, npz, idx" in refusal(
        Source(write("a.xyz", CSV))
    )


def test_a_password_in_a_source_is_not_shown() -> None:
    text = refusal(Source("s3://key:canary@bucket/a.csv"))
    assert "canary" not in text
    assert "bucket" in text


# --- anything at all


def test_the_config_knows_the_formats() -> None:
    assert get_args(FileFormat) == tuple(READERS)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), kind=st.sampled_from(list(READERS)))
def test_any_bytes_are_read_or_refused(data: bytes, kind: str) -> None:
    write("any", data)
    with contextlib.suppress(InputError):
        read(Source("any", format=kind, labels="any" if kind == "idx" else None))


@settings(max_examples=90, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), kind=st.sampled_from(list(READERS)))
def test_flipped_bits_are_read_or_refused(place: int, bit: int, kind: str) -> None:
    if not Path("good.csv").exists():
        write("good.csv", CSV)
        frame = pd.DataFrame({"x": [1.0, 2.0], "y": ["u", "v"]})
        frame.to_parquet("good.parquet")
        frame.to_feather("good.feather")
        frame.to_excel("good.xlsx", index=False)
        frame.to_json("good.jsonl", orient="records", lines=True)
        np.savez_compressed("good.npz", x=np.ones((2, 2)), y=np.ones(2))
        write("good.idx", idx(np.zeros(3, np.uint8)))
    data = bytearray(Path(f"good.{kind}").read_bytes())
    data[place % len(data)] ^= 1 << bit
    write("bad", bytes(data))
    with contextlib.suppress(InputError):
        read(Source("bad", format=kind, labels="bad" if kind == "idx" else None))
