"""Parquet data in several files: folders, patterns, partitions."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpsearch.data.readers.formats import read, read_blocks
from hpsearch.data.tables.raw_table import Source
from hpsearch.ensembles.prediction import predict
from hpsearch.storage.folder import RunFolder
from tests.support import run_here, tiny_config
from workers.data.columns import Column
from workers.errors import InputError


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, **columns: Any) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(columns)
    frame.to_csv(path, index=False) if path.endswith(".csv") else frame.to_parquet(path)


def refusal(path: str, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(Source(path, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def parts() -> None:
    write("d/2.parquet", x=[3.5, 4], w=["b", "c"], y=["u", "v"])
    write("d/1.parquet", y=["u", "v"], w=["a", "b"], x=[1, 2])
    write("d/_metadata.parquet", z=[1])
    write("d/.hidden/3.parquet", z=[1])
    write("d/notes.csv", z=[1])


@pytest.mark.parametrize("path", ["d", "d/", "d/[12].parquet", "./d/?.parquet", "**/[12].parquet"])
def test_files_are_read_in_the_order_of_their_names(path: str) -> None:
    parts()
    table = read(Source(path))
    assert table.feature_names == ("w", "x")
    assert table.x.tolist() == [[0, 1], [1, 2], [1, 3.5], [2, 4]]
    assert table.y is not None
    assert table.y.tolist() == ["u", "v", "u", "v"]
    known = (Column("x"), Column("w", "category", ("b", "c")))
    source = Source(path, features=("x", "w"), known=known, labelled=False)
    blocks = [part.x for part in read_blocks(source)]
    assert len(blocks) == 2
    assert np.concatenate(blocks).tolist() == [[1, -1], [2, 0], [3.5, 0], [4, 1]]


def test_folders_of_partitions_are_columns() -> None:
    for year, place in ((2024, "no%2Fwhere"), (2025, "__HIVE_DEFAULT_PARTITION__"), (2024, "a")):
        write(f"d/year={year}/place={place}/p.parquet", x=[1.0, 2.0], y=["u", "v"])
    table = read(Source("d"))
    assert table.feature_names == ("x", "year", "place")
    assert table.columns is not None
    assert table.columns[2].values == ("a", "no/where")
    assert table.x[::2, 1].tolist() == [2024, 2024, 2025]
    np.testing.assert_array_equal(table.x[::2, 2], [0, 1, np.nan])
    by_pattern = read(Source("d/*/*/p.parquet"))
    np.testing.assert_array_equal(by_pattern.x, table.x)
    beside = read(Source("d", beside=("year",)))
    assert beside.feature_names == ("x", "place")
    assert beside.beside["year"].to_pylist() == [2024] * 4 + [2025] * 2
    write("d/year=2024/q.parquet", x=[1.0], y=["u"])
    assert "must lie in folders of the same partitions" in refusal("d")


def test_dictionaries_of_each_file_may_be_another() -> None:
    for number, words in enumerate((["b", "a"], ["c", "b"])):
        write(f"d/{number}.parquet", w=pd.Categorical(words), y=["u", "v"])
    table = read(Source("d"))
    assert table.columns is not None
    assert table.columns[0].values == ("a", "b", "c")
    assert table.x[:, 0].tolist() == [1, 0, 2, 1]


def test_what_can_not_be_read_as_one() -> None:
    parts()
    write("d/3.parquet", x=[1], y=["u"])
    assert "same columns; got 'w' is not in all, as 'd/3.parquet' shows" in refusal("d")
    write("d/3.parquet", x=["text"], w=["a"], y=["u"])
    assert "must have types that go together" in refusal("d")
    Path("d/3.parquet").write_bytes(b"PAR1 nothing")
    assert "'d/3.parquet' must be a Parquet file" in refusal("d")
    Path("empty").mkdir()
    assert "must have some; got 'empty'" in refusal("empty")
    assert "must have some; got 'x/*.parquet'" in refusal("x/*.parquet")
    assert "a data source must be a file; got 'd', a folder" in refusal("d", format="csv")


def test_a_run_on_a_folder_goes_on_wherever_the_folder_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        label = rng.integers(2, size=60)
        write(f"data/{number}.parquet", x=label + 0.2 * rng.normal(size=60), label=label)
    with pytest.raises(InputError, match=r"test\.source must be another file than source"):
        run_here(
            tiny_config(data={"source": "data", "test": {"source": "data/1.parquet"}}),
            tmp_path / "no",
        )
    config = tiny_config(data={"source": "data"})
    run, _ = run_here(config, tmp_path / "run")
    (block,) = predict(run.path, Path("data"))
    wanted = read(Source("data")).y
    assert wanted is not None
    assert (block.named["prediction"].to_numpy() == wanted).mean() > 0.9
    (one,) = predict(run.path, Path("data/2.parquet"))
    pd.testing.assert_frame_equal(one.named, block.named[120:].reset_index(drop=True))
    shutil.move("data", "elsewhere")
    from hpsearch.storage import data_sources

    folder = RunFolder(run.path)
    assert data_sources.found(config, folder) == []
    (there,) = data_sources.found(config, folder, data=Path("elsewhere"))
    assert there.data.source == "elsewhere"
