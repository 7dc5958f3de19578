"""What kind a column is of, and its values as raw rows have them."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hpsearch.data.readers.formats import read
from hpsearch.data.tables.kinds import values_of
from hpsearch.data.tables.raw_table import MISSING, Source, Table
from workers.data.columns import Column
from workers.errors import InputError

NAN = float("nan")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def seconds(*date: int) -> float:
    return (datetime.datetime(*date) - datetime.datetime(1970, 1, 1)).total_seconds()


def csv(text: str, **options: Any) -> Table:
    Path("a.csv").write_text(text)
    return read(Source("a.csv", **options))


def kinds(table: Table) -> dict[str, str]:
    return {column.name: column.kind for column in table.columns or ()}


MIXED = """id,size,colour,when,empty,one,y
a1,1.5,red,2026-11-27,,x,u
b2,?,blue,2026-01-02,,x,v
c3,3,, ,NA,x,u
d4,4, red ,2026-03-04,?,x,v
"""


def test_a_table_of_all_kinds() -> None:
    table = csv(MIXED + "".join(f"e{n},{n},red,2026-05-06,,x,u\n" for n in range(20)))
    assert kinds(table) == {"size": "number", "colour": "category", "when": "date"}
    assert table.columns is not None
    assert table.columns[1].values == ("blue", "red")
    expected = [[1.5, 1, seconds(2026, 11, 27)], [NAN, 0, seconds(2026, 1, 2)], [3, NAN, NAN]]
    np.testing.assert_array_equal(table.x[:3], expected)
    assert table.left_out == (
        "id: as many values as rows, an identifier",
        "empty: without a value",
        "one: the same in all rows",
    )


def test_few_rows_make_no_identifier() -> None:
    assert kinds(csv("id,y\na,1\nb,2\n")) == {"id": "category"}


def test_complete_numbers_are_as_they_were() -> None:
    table = csv("a,b,y\n1,2.5,u\n3,4,v\n")
    assert (table.columns, table.left_out) == (None, ())
    assert table.x.tolist() == [[1, 2.5], [3, 4]]


def test_text_may_come_late() -> None:
    """Beyond the first rows, by which columns are known at first."""
    rows = "".join(f"{n % 7},{n}\n" for n in range(100_000))
    with pytest.raises(InputError, match=r"got 'n.i.', 'late' in row 100000 .*, among 100000 num"):
        csv(f"x,y\n{rows}n.i.,1\nlate,1\n")
    table = csv(f"x,y\n{rows}n.i.,1\n", missing=("n.i.",))
    assert np.isnan(table.x[-1, 0])
    assert table.x.shape == (100_001, 1)
    table = csv(f"x,y\n{rows}late,1\n", kinds={"x": "category"})
    assert table.columns == (Column("x", "category", ("0", "1", "2", "3", "4", "5", "6", "late")),)


def test_the_config_says_otherwise() -> None:
    said = {"zip": "category", "when": "category", "size": "number"}
    table = csv("zip,when,size,y\n01234,2026-11-27,1,u\n00999,2026-01-01,2,v\n", kinds=said)
    assert kinds(table) == {"zip": "category", "when": "category", "size": "number"}
    assert table.columns is not None
    assert table.columns[0].values == ("00999", "01234")


@pytest.mark.parametrize("mark", ["", " ", *MISSING])
def test_what_stands_for_a_missing_value(mark: str) -> None:
    table = csv(f"x,c,y\n1,a,u\n{mark},{mark},v\n2,b,w\n")
    assert np.isnan(table.x).tolist() == [[False, False], [True, True], [False, False]]


def test_a_class_may_be_called_none() -> None:
    table = csv("x,y\n1,None\n2,a\n")
    assert table.y is not None
    assert table.y.tolist() == ["None", "a"]


def test_an_index_that_was_written_along_is_left_out() -> None:
    frame = pd.DataFrame({"a": [1.5, 2], "c": ["u", None], "y": ["v", "w"]})
    frame.to_csv("a.csv")
    table = read(Source("a.csv"))
    assert table.feature_names == ("a", "c")
    assert table.left_out == ("column 0: without a name, it numbers the rows",)


def test_lines_may_end_in_a_delimiter() -> None:
    table = csv(",a,y,\n0,1,u,\n1,2,v, \n")
    assert (table.feature_names, table.x.tolist()) == (("a",), [[1], [2]])
    index, end = table.left_out
    assert index.startswith("column 0: ")
    assert end == "column 3: without a name or a value, lines end in a delimiter"
    new = csv(",a,\n7,5,\n", features=("a",), known=(Column("a"),), labelled=False)
    assert new.x.tolist() == [[5]]


@pytest.mark.parametrize("text", [",a,y\n1,1,u\n2,2,v\n", "a,,y\n1,0,u\n2,1,v\n", "a,y,\n1,u,7\n"])
def test_other_columns_must_have_a_name(text: str) -> None:
    with pytest.raises(InputError, match="every column must have a name; got none for column"):
        csv(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27", (2026, 11, 27)),
        ("2026-11-27 14:30", (2026, 11, 27, 14, 30)),
        ("2026-11-27T14:30:05", (2026, 11, 27, 14, 30, 5)),
        ("2026-11-27T14:30:05Z", (2026, 11, 27, 14, 30, 5)),
        ("2026/11/27", (2026, 11, 27)),
        ("27.11.2026", (2026, 11, 27)),
        ("1890-01-01", (1890, 1, 1)),
    ],
)
def test_forms_of_dates(text: str, moment: tuple[int, ...]) -> None:
    table = csv(f"when,y\n{text},u\n,v\n")
    assert kinds(table) == {"when": "date"}
    np.testing.assert_array_equal(table.x, [[seconds(*moment)], [NAN]])


@pytest.mark.parametrize("kind", ["string", "category"])
def test_parquet_tells_types(kind: str) -> None:
    frame = pd.DataFrame(
        {
            "text": pd.Series(["7", "8", None, "7"], dtype=kind),
            "flag": [True, False, True, True],
            "number": pd.array([1, None, 3, 4], dtype="Int64"),
            "when": pd.to_datetime(["2026-11-27", None, "2026-11-28", "2026-11-29"]),
            "y": [1, 2, 1, 2],
        }
    )
    frame.to_parquet("a.parquet")
    table = read(Source("a.parquet"))
    names = {"text": "category", "flag": "number", "number": "number", "when": "date"}
    assert kinds(table) == names
    days = [seconds(2026, 11, 27), NAN, seconds(2026, 11, 28), seconds(2026, 11, 29)]
    expected = np.transpose([[0, 1, NAN, 0], [1, 0, 1, 1], [1, NAN, 3, 4], days])
    np.testing.assert_array_equal(table.x, expected)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.feather", "a.arrow"])
def test_other_formats_with_types(name: str) -> None:
    frame = pd.DataFrame(
        {
            "text": ["u", None, "w", "u"],
            "flag": [True, False, True, True],
            "number": [1.5, None, 3, 4],
            "when": ["2026-11-27", None, "2026-11-28", "2026-11-29"],
            "y": ["a", "b", "a", "b"],
        }
    )
    if "json" in name:
        frame.to_json(name, orient="records", lines=True)
    else:
        frame.to_feather(name)
    table = read(Source(name))
    names = {"text": "category", "flag": "number", "number": "number", "when": "date"}
    assert kinds(table) == names
    days = [seconds(2026, 11, 27), NAN, seconds(2026, 11, 28), seconds(2026, 11, 29)]
    expected = np.transpose([[0, NAN, 1, 0], [1, 0, 1, 1], [1.5, NAN, 3, 4], days])
    np.testing.assert_array_equal(table.x, expected)
    assert table.y is not None
    assert table.y.tolist() == ["a", "b", "a", "b"]


def test_keys_that_a_row_of_json_lacks_are_missing() -> None:
    Path("a.jsonl").write_text('{"a": 1, "y": 1}\n{"b": "u", "y": 2}\n{"b": "v", "a": 3, "y": 1}\n')
    table = read(Source("a.jsonl"))
    np.testing.assert_array_equal(table.x, [[1, NAN], [NAN, 0], [3, 1]])


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.jsonl", b"{}", "must have|target must name"),
        ("a.jsonl", b"[1, 2]\n", "must hold a JSON object a line"),
        ("a.jsonl", b'{"a": 1, "y": 1}\n{"a": ', "must hold a JSON object a line"),
        ("a.jsonl", b'{"a": 1, "y": 1}\n{"a": "u", "y": 1}\n', "must hold a JSON object a line"),
        ("a.jsonl", b'{"a": [1], "y": 1}\n', "must be numbers, text or dates; got column 'a'"),
        ("a.jsonl", b'{"a": {"b": 1}, "y": 1}\n', "must be numbers, text or dates; got column 'a'"),
        ("a.jsonl", b'{"\xff": 1, "y": 1}\n', "must be text in UTF-8"),
        ("a.feather", b"", "must be a Feather file"),
        ("a.feather", b"ARROW1" + bytes(90), "must be a Feather file"),
    ],
)
def test_damaged_files_of_these(name: str, data: bytes, expected: str) -> None:
    Path(name).write_bytes(data)
    with pytest.raises(InputError, match=expected):
        read(Source(name))


def test_damaged_text_within_a_feather_file_is_told() -> None:
    """Arrow believes a file's offsets, and that its text is UTF-8."""
    frame = pd.DataFrame({"c": ["some", "text"] * 50, "y": ["u", "v"] * 50})
    frame.to_feather("a.feather", compression="uncompressed")
    data = Path("a.feather").read_bytes()
    Path("a.feather").write_bytes(data.replace(b"sometext", b"som\xfftext"))
    with pytest.raises(InputError, match="must be a Feather file"):
        read(Source("a.feather"))


KNOWN = (Column("size"), Column("colour", "category", ("blue", "red")), Column("when", "date"))


def test_known_columns_are_read_as_what_they_are() -> None:
    """As at prediction: nothing is inferred, and unknown values are told from missing ones."""
    text = "when,colour,size\n2026-11-27,green,1\n,blue,\n,,7\n"
    table = csv(text, known=KNOWN, features=("size", "colour", "when"), labelled=False)
    assert table.columns == KNOWN
    expected = [[1, -1, seconds(2026, 11, 27)], [NAN, 0, NAN], [7, NAN, NAN]]
    np.testing.assert_array_equal(table.x, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("when,colour,size\n2026-11-27,red,big\n", "must be numbers; got 'big' in row 0 .*'size'"),
        ("when,colour,size\ntoday,red,1\n", "column 'when' must hold dates .*; got 'today'"),
        ("when,colour,size\n5,red,1\n", "column 'when' must hold dates .*; got '5'"),
        ("when,size\n5,1\n", "must have the 3 feature columns; got 2 columns without 'colour'"),
    ],
)
def test_a_column_of_another_kind_is_refused(text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        csv(text, known=KNOWN, features=("size", "colour", "when"), labelled=False)


def test_numbers_of_a_category_are_text() -> None:
    column = pa.chunked_array([pa.array([1, 2, None])])
    found = values_of(column, "zip", Source("a", kinds={"zip": "category"}), typed=True)
    assert found.column == Column("zip", "category", ("1", "2"))
    np.testing.assert_array_equal(found.values, [0, 1, NAN])


def test_columns_to_choose_and_to_drop() -> None:
    text = "a,b,c,y\n1,2,3,u\n4,5,6,v\n"
    assert csv(text, drop=("b",)).feature_names == ("a", "c")
    assert csv(text, features=("c", "a")).x.tolist() == [[3, 1], [6, 4]]
