"""Files in blocks of rows: where they are cut, and that nothing is lost between."""

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.data.readers import blocks, formats
from hpsearch.data.tables.raw_table import Source
from workers.data.columns import Column
from workers.errors import InputError

CELLS = st.text(alphabet='a",\n\r ;é', max_size=6)


def read(text: str, size: int, monkeypatch: pytest.MonkeyPatch, name: str = "new.csv") -> list[str]:
    """Return the column ``t`` of a file that is read in blocks of so many bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(text.encode())
        monkeypatch.setattr(blocks, "BLOCK", size)
        source = Source(str(path), features=("n",), known=(Column("n"),), labelled=False)
        parts = list(formats.read_blocks(Source(**{**vars(source), "beside": ("t",)})))
    numbers = [number for part in parts for number in part.x[:, 0]]
    assert numbers == list(range(len(numbers)))
    return [cell for part in parts for cell in part.beside["t"].to_pylist()]


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(CELLS, min_size=1, max_size=12), size=st.integers(1, 40), end=st.booleans())
def test_rows_are_what_the_csv_module_wrote(cells: Sequence[str], size: int, end: bool) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n" if end else "\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["n", "t"], *enumerate(cells)])
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert read(written.getvalue(), size, monkeypatch) == list(cells)


@pytest.mark.parametrize("size", range(1, 30))
def test_a_quote_within_a_value_is_none(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'n,t\n0,5" pipe\n1,"a\n""b"" "\n\n2,"x"y"\n3,6" pipe'
    assert read(text, size, monkeypatch) == ['5" pipe', 'a\n"b" ', 'xy"', '6" pipe']


def test_keys_and_types_may_come_late(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        '{"n": 0, "t": null}',
        '{"n": 1}',
        '{"n": 2.0, "t": "2024-01-01"}',
        '{"n": 3, "t": "é"}',
    ]
    assert read("\n".join(rows), 8, monkeypatch, "new.jsonl") == [None, None, "2024-01-01", "é"]
    with pytest.raises(InputError, match="changed from number to string in row 4"):
        read("\n".join([*rows, '{"n": "x"}']), 8, monkeypatch, "new.jsonl")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("n,t\n0,é\n1,e\n".encode("latin-1"), r"UTF-8; got bytes that are not \(e9 0a"),
        ("n,t\n0,é".encode()[:-1], r"UTF-8; got bytes that are not \(c3\)"),
        (b"n,t\n0,a\n1,\0\n", "UTF-8; got NUL bytes"),
        (b"\x1f\x8b\x08\0broken", "must be readable"),
        (b"n,t\n", "must have rows"),
        (b"n,t\n\n\r\n", "must have rows"),
        (b"", "must have rows"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_files_that_are_no_text(
    content: bytes, words: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.csv").write_bytes(content)
    monkeypatch.setattr(blocks, "BLOCK", size)
    source = Source(str(tmp_path / "new.csv"), features=("n",), known=(Column("n"),))
    with pytest.raises(InputError, match=words):
        list(formats.read_blocks(Source(**{**vars(source), "labelled": False})))


def test_line_ends_within_quotes_are_read_beyond_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("n,y\n" + '0,"a\nb"\n1,c\n' * 100_000)
    found = formats.read(Source(str(path))).y
    assert found is not None
    assert found[:2].tolist() == ["a\nb", "c"]
    assert len(found) == 200_000


LATE = ["a,b,c,y", *["1,2.5, 3,u"] * 40, "2,x,4,v", *["3,5,6,w "] * 20, "7,,NA,v", "8,0x,2024,u"]


@pytest.mark.parametrize(
    "lines",
    [
        LATE,
        ["a,y,", *["p,u,"] * 50, "2,v,", "x,w, "],
        [",a,y", *[f"{row},{row},u" for row in range(50)], "50,-5,v"],
        ["a,y", *["2024-01-01,u"] * 50, ",v"],
        ["a,b,y", *["1,,u"] * 50, "2,,v"],
    ],
)
def test_the_whole_does_not_depend_on_blocks(
    lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.csv"
    path.write_text("\n".join(lines))
    kinds = {"b": "category"} if lines is LATE else {}
    whole = formats.read(Source(str(path), target="y", kinds=kinds))
    assert len(whole.x) == len(lines) - 1
    for size in (1, 100):
        monkeypatch.setattr(blocks, "BLOCK", size)
        found = formats.read(Source(str(path), target="y", kinds=kinds))
        np.testing.assert_array_equal(found.x, whole.x)
        assert found.x.flags.c_contiguous
        np.testing.assert_array_equal(found.y, whole.y)
        assert (found.columns, found.left_out) == (whole.columns, whole.left_out)
