"""Files read, predicted and written block by block: the numbers of the whole, and its refusals."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpsearch.data.readers import blocks
from hpsearch.data.tables import raw_table
from hpsearch.ensembles import ensemble, fitted_network, prediction
from hpsearch.ensembles.prediction import predict_file
from hpsearch.storage.folder import RunFolder
from tests.support import predict_all, run_here, tiny_config, write_mixed
from workers.errors import InputError

ROWS = 300
SHARES = [f"probability_{name}" for name in ("bat", "hare", "newt")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("mixed")
    data = {"source": str(write_mixed(folder / "animals.csv")), "target": "animal"}
    stages = [{"name": "only", "num_trials": 2, "epochs": 2}]
    config = tiny_config(data=data, stages=stages, ensemble__size=2)
    return run_here(config, folder / "run")[0]


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return new rows: homes that begin like numbers, a note of several lines, all of it text."""
    path = write_mixed(tmp_path_factory.mktemp("new") / "new.csv", ROWS, seed=1)
    found = pd.read_csv(path, dtype={"home": str})
    found["id"] = [f"{row:05d}" for row in range(ROWS)]
    found["note"] = [f'of "{row}",\nor so' if row % 3 else f'{row}" wide' for row in range(ROWS)]
    found.loc[:99, "home"] = "7"
    return found.drop(columns="animal")


def small_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(blocks, "BLOCK", size)
    monkeypatch.setattr(blocks, "BLOCK_VALUES", size)
    for module in (fitted_network, prediction):
        monkeypatch.setattr(module, "GROUP", 128)


WRITERS: dict[str, Any] = {
    "new.csv": lambda frame, path: frame.to_csv(path, index=False),
    "new.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "new.parquet": lambda frame, path: frame.to_parquet(path),
    "new.feather": lambda frame, path: frame.to_feather(path),
    "new.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
}


@pytest.mark.parametrize("name", WRITERS)
def test_blocks_of_any_size_are_predicted_as_the_whole(
    run: RunFolder,
    frame: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    data = tmp_path / name
    WRITERS[name](frame, data)
    expected = ensemble.load(run.path).predict_proba(frame)
    keep, notes = ("note", "id"), list[str]()
    predict_file(run.path, data, tmp_path / "whole.csv", keep=keep)
    monkeypatch.setattr(raw_table, "MAX_BYTES", 100)
    for size, suffix in ((1, "csv"), (70, "csv.gz"), (70, "parquet"), (1500, "jsonl")):
        small_blocks(monkeypatch, size)
        made = tmp_path / f"made.{suffix}"
        assert predict_file(run.path, data, made, keep=keep, note=notes.append) == ROWS
    text = (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "made.csv").read_bytes() == text
    assert gzip.decompress((tmp_path / "made.csv.gz").read_bytes()) == text
    table = pq.read_table(tmp_path / "made.parquet")
    assert table.column_names == ["note", "id", "prediction", "probability", *SHARES]
    assert np.array_equal(table.select(SHARES).to_pandas().to_numpy(), expected)
    for column in keep:
        assert table.column(column).to_pylist() == frame[column].tolist()
    lines = (tmp_path / "made.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == table.to_pylist()
    assert set(notes) == {"100 values of 'home' unknown, taken as rare ones"}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_wrong_is_told_with_its_row_in_the_file(
    run: RunFolder,
    frame: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    bad = frame.astype({"weight": str})
    bad["weight"] = bad["weight"].where(bad["weight"] != "nan")
    bad.loc[250, "weight"] = "heavy"
    WRITERS[name](bad, tmp_path / name)
    (tmp_path / "out.csv").write_text("as before")
    said = set()
    for size in (40, 1 << 20):
        small_blocks(monkeypatch, size)
        with pytest.raises(InputError, match=r"'heavy' in row 250 .*column 'weight'") as caught:
            predict_file(run.path, tmp_path / name, tmp_path / "out.csv")
        said.add(str(caught.value))
    assert len(said) == 1
    assert (tmp_path / "out.csv").read_text() == "as before"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out.csv"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("9,1,cave,2024-01-01,x,y", "5 columns; got 6 in row 250"),
        ("9,inf,cave,2024-01-01,x", "finite numbers; got inf in row 250"),
        ("9,1,cave,someday,x", "'someday' in row 250"),
        ('9,1,cave,2024-01-01,"x', "at most 0 MiB"),
    ],
)
def test_lines_that_cannot_be_read(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    lines = ["id,weight,home,seen,note", *["1,2,cave,2024-01-01,z"] * 250, line]
    text = "\r\n".join([*lines, *["1,2,cave,2024-01-01,z"] * 50])
    (tmp_path / "new.csv").write_text(text)
    small_blocks(monkeypatch, 100)
    monkeypatch.setattr(blocks, "LONGEST", 1000)
    with pytest.raises(InputError, match=words):
        predict_file(run.path, tmp_path / "new.csv", tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_columns_are_carried_along_as_they_are(
    run: RunFolder, frame: pd.DataFrame, tmp_path: Path
) -> None:
    rows = len(frame)
    values: dict[str, Any] = {
        "number": pa.array([None, *range(1, rows)], pa.int32()),
        "short": pa.array(np.full(rows, 0.1), pa.float32()),
        "flag": pa.array([True, None] * (rows // 2)),
        "day": pa.array(np.arange(rows, dtype=np.int32)).cast(pa.date32()),
        "tag": pa.array(["a", "b"] * (rows // 2)).dictionary_encode(),
    }
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name, column in values.items():
        table = table.append_column(name, column)
    pq.write_table(table, tmp_path / "new.parquet", row_group_size=100)
    keep = [*values, "weight", "number"]
    for suffix in ("parquet", "csv"):
        predict_file(run.path, tmp_path / "new.parquet", tmp_path / f"out.{suffix}", keep=keep)
    written = pq.read_table(tmp_path / "out.parquet")
    assert written.column_names[:7] == [*values, "weight", "prediction"]
    for name in [*values, "weight"]:
        assert written.column(name).to_pylist() == table.column(name).to_pylist()
        assert written.schema.field(name).type == table.schema.field(name).type
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("number,short,flag,day,tag,weight,prediction,")
    assert lines[1].startswith(",0.1,True,1970-01-01,a,")
    assert lines[2].startswith("1,0.1,,1970-01-02,b,")


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (["id", "nothing"], "must name columns of .* got 'nothing'"),
        (["prediction"], "no column that predictions have; got 'prediction'"),
        (["probability_bat", "id"], "got 'probability_bat'"),
    ],
)
def test_columns_that_cannot_be_carried_along(
    run: RunFolder, frame: pd.DataFrame, tmp_path: Path, keep: list[str], words: str
) -> None:
    frame.assign(prediction=1, probability_bat=2).to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match=words):
        predict_file(run.path, tmp_path / "new.csv", tmp_path / "out.csv", keep=keep)
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_columns_without_names_are_the_models_by_their_place(
    run: RunFolder, frame: pd.DataFrame, tmp_path: Path
) -> None:
    expected = ensemble.load(run.path).predict_proba(frame)
    names = list(ensemble.load(run.path).members[0].metadata["feature_names"])
    frame[names].to_csv(tmp_path / "new.csv", index=False, header=False)
    found = predict_all(run.path, tmp_path / "new.csv", dialect={"header": False})
    assert np.array_equal(found[SHARES].to_numpy(), expected)
