"""Predictions for a file of new rows: columns by name, classes as text, one row each."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from hpsearch.ensembles import ensemble
from hpsearch.ensembles.prediction import predict_file
from hpsearch.storage.folder import RunFolder
from tests.support import blobs, predict_all, run_here, tiny_config
from workers.errors import CheckpointError, InputError


def new_rows(path: Path, rows: int = 30, **columns: Any) -> Path:
    """Write rows like those of the training data, without their colours."""
    x, _ = blobs(rows, seed=1)
    frame = pd.DataFrame(x, columns=["x", "y", "z"]).assign(**columns)
    frame.to_csv(path, index=False)
    return path


def predicted(run: RunFolder, data: Path, **options: Any) -> pd.DataFrame:
    output = data.with_name("out.csv")
    count = predict_file(run.path, data, output, **options)
    frame = pd.read_csv(output)
    assert len(frame) == count
    assert [path.name for path in data.parent.glob(".*")] == []
    return frame


def test_classes_are_text_with_their_probabilities(colours_run: RunFolder, tmp_path: Path) -> None:
    frame = predicted(colours_run, new_rows(tmp_path / "new.csv"))
    assert list(frame.columns) == [
        *("prediction", "probability"),
        *("probability_blue", "probability_green", "probability_red"),
    ]
    shares = frame[["probability_blue", "probability_green", "probability_red"]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(np.ones(30))
    assert (shares.max(axis=1) == frame["probability"]).all()
    assert list("probability_" + frame["prediction"]) == list(shares.idxmax(axis=1))
    # The centres lie five deviations apart.
    assert (frame["prediction"] == blobs(30, seed=1)[1]).mean() > 0.9


def test_columns_go_by_name_and_others_are_left_aside(
    colours_run: RunFolder, tmp_path: Path
) -> None:
    plain = predicted(colours_run, new_rows(tmp_path / "new.csv"))
    frame = pd.read_csv(tmp_path / "new.csv").assign(colour="unknown", note="x", more=1)
    for order in (["z", "note", "x", "more", "y"], ["colour", "y", "z", "x"]):
        frame[order].to_csv(tmp_path / "other.csv", index=False)
        pd.testing.assert_frame_equal(predicted(colours_run, tmp_path / "other.csv"), plain)


def test_the_data_are_not_overwritten(colours_run: RunFolder, tmp_path: Path) -> None:
    data = new_rows(tmp_path / "new.csv")
    before = data.read_bytes()
    (tmp_path / "link.csv").symlink_to(data)
    for output in (data, tmp_path / "link.csv"):
        with pytest.raises(InputError, match="must not be the data"):
            predict_file(colours_run.path, data, output)
    assert data.read_bytes() == before


def test_rows_of_other_formats(colours_run: RunFolder, tmp_path: Path) -> None:
    plain = predicted(colours_run, new_rows(tmp_path / "new.csv"))
    frame = pd.read_csv(tmp_path / "new.csv")
    frame.to_parquet(tmp_path / "new.parquet")
    pd.testing.assert_frame_equal(predicted(colours_run, tmp_path / "new.parquet"), plain)
    frame.to_csv(tmp_path / "new.txt", index=False, sep=";")
    other = predicted(
        colours_run, tmp_path / "new.txt", dialect={"delimiter": ";"}, file_format="csv"
    )
    pd.testing.assert_frame_equal(other, plain)


def test_a_row_alone_is_predicted_as_among_others(colours_run: RunFolder, tmp_path: Path) -> None:
    together = predicted(colours_run, new_rows(tmp_path / "new.csv"))
    pd.read_csv(tmp_path / "new.csv").iloc[[7]].to_csv(tmp_path / "one.csv", index=False)
    alone = predicted(colours_run, tmp_path / "one.csv")
    assert alone["prediction"][0] == together["prediction"][7]
    assert alone["probability"][0] == pytest.approx(together["probability"][7], rel=1e-5)


def test_a_regression_has_one_column(line_run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("b,a\n0,0\n0,1\n1,0\n")
    frame = predicted(line_run, tmp_path / "new.csv")
    assert list(frame.columns) == ["prediction"]
    # price = 3 a - 2 b + 10; the search was short.
    assert list(frame["prediction"]) == pytest.approx([10, 13, 8], abs=4)
    assert frame["prediction"][1] > frame["prediction"][0] > frame["prediction"][2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\n", ["3 feature columns", "'z'"]),
        ("x,y,z\n", ["must have rows"]),
        ("", ["must have rows"]),
        ("x,y,z\n1,2,\n", ["finite", "row 0", "'z'"]),
        ("x,y,z\n1,2,nan\n", ["finite", "row 0"]),
        ("x,y,z\n1,2,inf\n", ["finite"]),
        ("x,y,z\n1,2,red\n", ["numbers", "'red'"]),
        ("x,y,z\n1,2,1e300\n", ["finite", "row 0"]),
        ("x,x,y,z\n1,1,2,3\n", ["twice"]),
    ],
)
def test_rows_that_cannot_be_predicted(
    colours_run: RunFolder, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "new.csv").write_text(text)
    (tmp_path / "out.csv").write_text("as before")
    with pytest.raises(InputError) as caught:
        predict_file(colours_run.path, tmp_path / "new.csv", tmp_path / "out.csv")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert (tmp_path / "out.csv").read_text() == "as before"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("output", ["nowhere/out.csv", ".", "", "folder", "a" * 300, "new.csv/x"])
def test_outputs_that_cannot_be_written(
    colours_run: RunFolder, tmp_path: Path, output: str
) -> None:
    new_rows(tmp_path / "new.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="--output"):
        predict_file(colours_run.path, tmp_path / "new.csv", tmp_path / output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "new.csv"]


def labelled(path: Path, labels: list[Any]) -> RunFolder:
    """Train one epoch on a file whose classes are ``labels``, and return the run."""
    x, colours = blobs(60)
    names = sorted(set(colours))
    y = [labels[names.index(colour) % len(labels)] for colour in colours]
    frame = pd.DataFrame(x, columns=["x", "y", "z"]).assign(label=y)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    config = tiny_config(
        data__source=str(path),
        data__target="label",
        stages=[{"name": "one", "num_trials": 1, "epochs": 1}],
    )
    return run_here(config, path.with_name("run"))[0]


@pytest.mark.parametrize(
    ("name", "labels", "kind"),
    [
        ("a.csv", [3, 1, 20], "int64"),
        ("a.csv", ["01", "02", "3"], "string"),
        ("a.csv", ["1", "2.5", "3"], "double"),
        ("a.csv", ["True", "False"], "string"),
        ("a.parquet", [3, 1, 20], "int64"),
        ("a.parquet", ["1", "2", "3"], "string"),
        ("a.parquet", [1.0, 2.0, 3.0], "double"),
        ("a.parquet", [True, False], "bool"),
    ],
)
def test_classes_are_again_what_they_were(
    tmp_path: Path, name: str, labels: list[Any], kind: str
) -> None:
    run, data = labelled(tmp_path / name, labels), new_rows(tmp_path / "new.csv")
    for suffix in (".csv", ".csv.gz", ".parquet", ".JSONL"):
        assert predict_file(run.path, data, tmp_path / f"out{suffix}") == 30
    table = pq.read_table(tmp_path / "out.parquet")
    assert str(table.schema.field("prediction").type).removeprefix("large_") == kind
    values = table.column("prediction").to_pylist()
    known = [float(x) for x in labels] if kind == "double" else labels
    assert set(values) <= set(known)
    lines = (tmp_path / "out.JSONL").read_text().splitlines()
    assert [json.loads(line) for line in lines] == table.to_pylist()
    assert {type(json.loads(line)["prediction"]) for line in lines} == {type(known[0])}
    text = (tmp_path / "out.csv").read_bytes()
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == text
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, whole in zip(rows, table.to_pylist(), strict=True):
        assert f"probability_{row['prediction']}" in row
        assert [float(row[c]) for c in row if c != "prediction"] == [
            value for column, value in whole.items() if column != "prediction"
        ]


def test_a_checkpoint_of_before_tells_types_by_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data = labelled(tmp_path / "a.parquet", [3, 1, 20]), new_rows(tmp_path / "new.csv")
    new = predict_all(run.path, data)
    loaded = ensemble.load(run.path)
    for member in loaded.members:
        assert dict(member.metadata).pop("class_type") == "int"
        del member.snapshot.metadata["class_type"]
    monkeypatch.setattr(ensemble, "load", lambda _: loaded)
    pd.testing.assert_frame_equal(predict_all(run.path, data), new)
    loaded.members[0].snapshot.metadata["class_type"] = "complex"
    del loaded.members[0].__dict__["labels"]
    with pytest.raises(CheckpointError, match="complex"):
        predict_all(run.path, data)


@pytest.mark.parametrize("name", ["out", "out.xlsx", "out.csv.bz2", "out.parquet.gz", ".csv2"])
def test_a_suffix_that_says_nothing_is_refused_before_predicting(
    colours_run: RunFolder, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"--output must end in \.csv, .* or \.jsonl"):
        predict_file(colours_run.path, tmp_path / "nowhere.csv", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_targets_are_doubles_with_all_their_bits(line_run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("b,a\n0,0\n0.1,1\n1,0.3\n")
    for suffix in ("csv", "parquet", "jsonl"):
        predict_file(line_run.path, tmp_path / "new.csv", tmp_path / f"out.{suffix}")
    table = pq.read_table(tmp_path / "out.parquet")
    assert str(table.schema.field("prediction").type) == "double"
    exact = predict_all(line_run.path, tmp_path / "new.csv")["prediction"].tolist()
    assert table.column("prediction").to_pylist() == exact
    assert [
        json.loads(x) for x in (tmp_path / "out.jsonl").read_text().splitlines()
    ] == table.to_pylist()
    assert [float(x) for x in (tmp_path / "out.csv").read_text().split()[1:]] == exact
