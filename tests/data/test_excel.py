"""Workbooks: the values that their cells show, by sheet."""

import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpsearch.data.readers.formats import read
from hpsearch.data.tables import raw_table
from hpsearch.data.tables.raw_table import Source
from workers.errors import InputError

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*sheets: list[list[Any]], name: str = "a.xlsx") -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"s{number}")
        for row in rows:
            sheet.append(row)
    book.save(name)


def refusal(name: str = "a.xlsx", **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(Source(name, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


DAY = datetime.datetime(2026, 11, 27, 14, 30)
ROWS: list[list[Any]] = [
    ["n", " code ", "when", "ok", "part", None, "y"],
    [1, "007", DAY, True, 0.5, None, "u"],
    [None, "12", DAY.replace(day=1), False, 2, None, "v"],
    [],
    [3, "n/a", None, True, None, None, "u"],
]


def test_cells_are_what_they_are() -> None:
    write([["other"], [1]], ROWS)
    table = read(Source("a.xlsx", sheet="s1"))
    assert table.feature_names == ("n", "code", "when", "ok", "part")
    assert table.columns is not None
    assert [one.kind for one in table.columns] == ["number", "category", "date", "number", "number"]
    nan = np.nan
    seconds = DAY.replace(tzinfo=datetime.UTC).timestamp()
    expected = [
        [1, 0, seconds, 1, 0.5],
        [nan, 1, seconds - 26 * 86400, 0, 2],
        [3, nan, nan, 1, nan],
    ]
    np.testing.assert_array_equal(table.x, expected)
    assert table.y is not None
    assert table.y.tolist() == ["u", "v", "u"]


def test_it_is_what_pandas_reads() -> None:
    frame = pd.DataFrame({"a": [1.5, np.nan, 3], "b": [1, 2, 3], "y": [0.5, 1, 2]})
    frame.to_excel("a.xlsx", index=False)
    table = read(Source("a.xlsx", task="regression"))
    np.testing.assert_array_equal(table.x, frame[["a", "b"]])
    assert table.y is not None
    assert table.y.tolist() == [0.5, 1, 2]


@pytest.mark.parametrize(
    ("rows", "options", "expected"),
    [
        (
            ROWS,
            {"sheet": "s7"},
            "must name a sheet of 'a.xlsx'; got 's7'; choose",
        ),
        ([], {}, "must have rows; got 'a.xlsx', empty"),
        (
            [["a", None, "y"], [1, 2, "u"]],
            {},
            "must have a name; got none for column 1",
        ),
        ([["a", "a", "y"], [1, 2, "u"]], {}, "must differ; got 'a' twice"),
    ],
)
def test_bad_sheets(rows: list[list[Any]], options: dict[str, Any], expected: str) -> None:
    write(rows)
    assert expected in refusal(**options)


def test_what_is_no_workbook(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("b.xlsx").write_bytes(b"PK nothing")
    assert "'b.xlsx' must be an Excel workbook" in refusal("b.xlsx")
    with zipfile.ZipFile("c.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 10_000)
    assert "must be an Excel workbook" in refusal("c.xlsx")
    monkeypatch.setattr(raw_table, "MAX_BYTES", 5_000)
    assert "must hold at most" in refusal("c.xlsx")


def test_without_the_library_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write(ROWS)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert refusal().endswith("; pip install openpyxl (hpsearch's extra excel), or save it as CSV")
