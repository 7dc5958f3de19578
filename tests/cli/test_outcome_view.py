"""What a person reads when a search is over, and the tables of `hpsearch results`."""

import csv
import io
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from hpsearch.cli import outcome_view
from hpsearch.cli.text_tables import print_frame, score_text
from hpsearch.results.tables import Results
from hpsearch.run.preflight import Preflight
from hpsearch.run.summary import Outcome, reload
from hpsearch.storage.folder import RunFolder
from tests.support import run_here, tiny_config
from workers.nn.checks.gradient_check import Finding


def screen(width: int, *, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)


def concluded(run: RunFolder, console: Console, outcome: Outcome | None = None) -> str:
    outcome_view.show_outcome(console, run, Results.load(run.path), outcome or reload(run))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "terminal"), [(40, False), (80, False), (80, True), (120, True)])
def test_the_end_of_a_run(colours_run: RunFolder, width: int, terminal: bool) -> None:
    text = concluded(colours_run, screen(width, terminal=terminal))
    summary = reload(colours_run).summary
    assert "…" not in text
    assert [part for part in ("Leaderboard", "borders: ", "Models", "next:") if part in text] == [
        *("Leaderboard", "borders: ", "Models", "next:"),
    ]
    best, ensemble = summary["best"], summary["ensemble"]
    lines = text.splitlines()
    single = next(
        line for line in lines if line.startswith(f" best single (trial {best['trial']})")
    )
    assert single.split()[-2:] == [f"{best[n]:.4f}" for n in ("val_accuracy", "test_accuracy")]
    several = next(line for line in lines if line.startswith(" ensemble of 3 (top)"))
    assert several.split()[-2:] == [f"{ensemble[n]:.4f}" for n in ("val_accuracy", "test_accuracy")]
    for command in ("results", "ensemble", "predict"):
        assert any(line.startswith(f"  hpsearch {command} {colours_run.path}") for line in lines)
    assert f"the report is {colours_run.report}" in text


def test_finalists_are_told_by_their_mean_over_fresh_seeds(tmp_path: Path) -> None:
    run, _ = run_here(tiny_config(rescore={"top": 2, "seeds": 3}), tmp_path / "run")
    lines = [line.split() for line in concluded(run, screen(80, terminal=False)).splitlines()]
    start = next(n for n, line in enumerate(lines) if " ".join(line).startswith("Scored anew"))
    assert lines[start + 1] == ["trial", "val_accuracy", "mean", "std", "seeds"]
    for line, one in zip(lines[start + 2 :], reload(run).summary["rescore"], strict=False):
        scores = [f"{one[name]:.4f}" for name in ("score", "mean", "std")]
        assert line == [str(one["trial"]), *scores, "3"]
    assert lines[start + 4] == []


def test_the_leaders_are_the_best_completed_trials(colours_run: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(colours_run.path, tmp_path / "run"))
    best = int(Results.load(run.path).top()["trial"][0])
    with sqlite3.connect(run.database) as connection:
        connection.execute("UPDATE trials SET state = 'failed' WHERE number = ?", [best])
    connection.close()
    lines = concluded(run, screen(80, terminal=False)).splitlines()
    start = next(n for n, line in enumerate(lines) if line.split()[:2] == ["trial", "stage"])
    rows = [line.split() for line in lines[start + 1 : lines.index("", start)]]
    frame = Results.load(run.path).top()
    frame = frame[frame["trial"] != best]
    assert [int(row[0]) for row in rows] == list(frame["trial"])
    assert [row[3] for row in rows] == [f"{score:.4f}" for score in frame["val_accuracy"]]


def test_a_best_value_at_a_border_is_warned_of(colours_run: RunFolder) -> None:
    outcome = reload(colours_run)
    first, *others = outcome.verdicts
    at_border = replace(first, at_border="high", text="learning_rate: best 1 lies at the border")
    inside = [replace(verdict, at_border=None) for verdict in others]
    changed = Outcome(outcome.summary, [at_border, *inside])
    text = concluded(colours_run, screen(40, terminal=False), changed)
    assert "warning: stage coarse: learning_rate: best 1 lies at the border\n" in text
    assert f"borders: {len(inside)} of {len(inside) + 1} best values lie inside" in text


def test_a_regression_shows_its_own_metrics(line_run: RunFolder) -> None:
    text = concluded(line_run, screen(80, terminal=False))
    heading = next(line for line in text.splitlines() if "test_mse" in line)
    assert heading.split() == ["val_mse", "val_r2", "test_mse", "test_r2"]


def test_without_a_test_set_nothing_is_said_of_one(colours_run: RunFolder, tmp_path: Path) -> None:
    outcome = reload(colours_run)
    summary = {
        key: {k: v for k, v in value.items() if not k.startswith("test_")}
        if key in ("best", "ensemble")
        else value
        for key, value in outcome.summary.items()
    }
    text = concluded(colours_run, screen(80, terminal=False), Outcome(summary, outcome.verdicts))
    assert "test_" not in text


# --- the trials as a table


def shown(run: RunFolder, capsys: pytest.CaptureFixture[str], kind: str, **choice: object) -> str:
    options = {"columns": None, "top": None, "sort": None, "stage": None}
    outcome_view.show_trials(Results.load(run.path), kind, **(options | choice))  # type: ignore[arg-type]
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_csv_and_json_hold_every_value_exactly(
    colours_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = Results.load(colours_run.path).top()
    rows = list(csv.DictReader(io.StringIO(shown(colours_run, capsys, "csv"))))
    records = json.loads(shown(colours_run, capsys, "json"))
    assert len(rows) == len(records) == len(frame) == 10
    assert list(rows[0]) == list(records[0]) == list(frame.columns)
    for name in ("learning_rate", "val_accuracy", "train_loss", "seconds"):
        assert [float(row[name]) for row in rows] == list(frame[name])
        assert [record[name] for record in records] == list(frame[name])
    assert [record["trial"] for record in records] == list(frame["trial"])


def test_holes_are_null_and_empty(
    colours_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    records = json.loads(shown(colours_run, capsys, "json"))
    assert {record["reason"] for record in records} == {None}
    rows = csv.DictReader(io.StringIO(shown(colours_run, capsys, "csv")))
    assert {row["reason"] for row in rows} == {""}


def test_a_table_is_whole_where_nobody_looks(
    colours_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(colours_run, capsys, "table").splitlines()
    frame = Results.load(colours_run.path).top().dropna(axis="columns", how="all")
    assert lines[0].split() == list(frame.columns)
    assert len(lines) == 11
    assert all(line == line.rstrip() for line in lines)


# --- frames

FRAME = pd.DataFrame(
    {
        "trial": [1, 2],
        "epochs": [3, 4],
        "val_accuracy": [0.5, 0.25],
        "val_loss": [1e-9, 2.0],
        "ema_train_accuracy": [0.1, None],
        "learning_rate": [1.23456e-5, 1.0],
        "hidden": [(64, 32), None],
        "seconds": [0.123456, 5.0],
    }
)


def framed(width: int, *, terminal: bool) -> tuple[str, list[str]]:
    console = screen(width, terminal=terminal)
    left_out = print_frame(console, FRAME, title="T", metric="val_accuracy")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), left_out


def test_cells() -> None:
    text, left_out = framed(10, terminal=False)
    assert left_out == []
    assert text.splitlines()[2].split() == [
        *("1", "3", "0.5000", "1e-09", "0.1000", "1.23e-05", "[64,", "32]", "0.123"),
    ]
    assert text.splitlines()[3].split() == ["2", "4", "0.2500", "2.0000", "1", "5"]


def test_a_narrow_terminal_breaks_headings_and_then_leaves_columns_out() -> None:
    wide, left_out = framed(200, terminal=True)
    assert left_out == []
    assert "ema_train_accuracy" in wide
    broken, left_out = framed(82, terminal=True)
    assert left_out == []
    assert "ema_train_accuracy" not in broken
    assert "0.1000" in broken
    narrow, left_out = framed(48, terminal=True)
    assert left_out == ["val_loss", "ema_train_accuracy", "seconds"]
    for text in (wide, broken, narrow):
        assert "…" not in text
        assert all(word in text for word in ("0.5000", "1.23e-05", "[64, 32]"))


def test_scores() -> None:
    texts = [score_text(value) for value in (0.0, 0.97222, -0.5, 12345.6789, 1e-7, 1e9)]
    assert texts == ["0.0000", "0.9722", "-0.5000", "12345.6789", "1e-07", "1e+09"]


def test_what_a_check_could_not_see_is_counted_apart(capsys: pytest.CaptureFixture[str]) -> None:
    seen = Finding("data loss, initial", "weights.0", 1e-9, "right", 6, 2)
    unseen = Finding("data loss, initial", "bias.0", float("nan"), "unchecked", remark="kinks")
    wrong = Finding("initial loss", "tiny weights", 9.0, "wrong")
    outcome_view.show_preflight([Preflight({}, (seen, unseen, wrong))])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["data", "loss,", "initial", "weights.0", "1e-09", "right", *"6+2"]
    assert lines[3].split() == ["data", "loss,", "initial", "bias.0", "unchecked", "kinks"]
    assert lines[-1] == "1 of 3 checks passed, 1 could not be made"
