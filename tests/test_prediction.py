"""Predictions for a file of new rows: columns by name, classes as text, one row each."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpsearch.folder import RunFolder
from hpsearch.prediction import predict_file
from tests.support import blobs
from workers.errors import InputError


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
    other = predicted(colours_run, tmp_path / "new.txt", delimiter=";", file_format="csv")
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
