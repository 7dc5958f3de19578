"""The report: parsed by an XML parser, read back, and fed with what is hostile or missing."""

import json
import math
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from hpsearch.cli.main import main
from hpsearch.reporting import report
from hpsearch.reporting.curves import finalists
from hpsearch.reporting.data import load
from hpsearch.reporting.failures import grouped
from hpsearch.reporting.style import DARK, LIGHT
from hpsearch.run.summary import reload
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from tests.support import run_here, tiny_config
from workers.checkpoints.checkpoint_files import file_name
from workers.errors import InputError, RunError
from workers.messages import Checkpoint, EpochReport

TAGS = """
html head meta title style body main header footer section article figure figcaption div
h1 h2 h3 p small span b ul li dl dt dd table thead tbody tr th td pre svg g path rect line text
"""
ATTRIBUTES = """
lang charset name content http-equiv class scope viewBox role aria-label aria-hidden
d x y x1 x2 y1 y2 width height
"""
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></svg><iframe>",
    "' onload='x",
    "&lt;b&gt; ]]> <!-- {{x}} ${y}",
    "a\x00b\x1b[31mc\u202ed\ud800e",
)
SPACE: dict[str, Any] = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "units": {"type": "int", "low": 8, "high": 64, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
}


class Builder:
    """A run's folder, filled trial by trial."""

    def __init__(self, path: Path, *, metric: str = "val_accuracy", name: str = "made") -> None:
        self.path, self.metric = path, metric
        minimize = metric.endswith(("loss", "mse"))
        meta = {"name": name, "metric": metric, "seed": 7}
        meta["direction"] = "minimize" if minimize else "maximize"
        (path / "config.yaml").write_text("study: {name: made}\n")
        self.store = Store.create(path / "search.db", meta)

    def stage(
        self, number: int, name: str, space: dict[str, Any] | None = None, *, first: int = 0
    ) -> "Builder":
        self.store.begin_stage(number, name, SPACE if space is None else space, first)
        return self

    def trial(
        self,
        number: int,
        scores: Sequence[float],
        *,
        stage: int = 0,
        failed: str | None = None,
        ends: bool = True,
        **params: Any,
    ) -> "Builder":
        defaults = {"learning_rate": 0.01, "dropout": 0.1, "units": 16, "activation": "relu"}
        self.store.add_trial(number, stage, defaults | params, max(len(scores), 1))
        self.store.start_trial(number, 1)
        for epoch, score in enumerate(scores, 1):
            metrics = {"train_loss": 1 / epoch, "val_loss": 1.1 / epoch, "train_accuracy": 0.9}
            saved = None
            if math.isfinite(score):
                file = file_name(self.metric, score, number, epoch)
                saved = Checkpoint(file, number, epoch, score, 10, "cd" * 32)
            self.store.record(
                [EpochReport(number, 1, epoch, metrics | {self.metric: score}, 0.5, saved)]
            )
        if failed is not None or ends:
            self.store.end_trial(number, "failed" if failed is not None else "complete", failed)
        return self

    def page(self) -> "Page":
        self.store.close()
        return Page(report.write(self.path).read_text(encoding="utf-8"))


class Page:
    """A report, parsed: it must be well-formed and hold nothing but what is allowed."""

    def __init__(self, text: str) -> None:
        assert text.startswith("<!DOCTYPE html>\n")
        self.text = text
        self.root = ET.fromstring(text)
        assert {element.tag for element in self.root.iter()} <= {*TAGS.split()}
        assert {name for element in self.root.iter() for name in element.attrib} <= {
            *ATTRIBUTES.split()
        }
        style = self.root.findtext("head/style") or ""
        for forbidden in ("url(", "@import", "expression", "//"):
            assert forbidden not in style
        self.words = " ".join(self.root.itertext())

    def section(self, title: str) -> ET.Element:
        return next(s for s in self.root.iter("section") if (s.findtext("h2") or "") == title)

    def chart(self, label: str) -> ET.Element:
        return next(
            svg for svg in self.root.iter("svg") if svg.get("aria-label", "").startswith(label)
        )

    def marks(self, label: str, style: str | None = None) -> dict[str, tuple[float, float]]:
        """Return the points of a chart: what the tooltip begins with, to where it is."""
        found = {}
        for group in self.chart(label).iter("g"):
            if style is None or group.get("class") == style:
                for path in group.findall("path"):
                    match = re.match(r"M([\d.]+) ([\d.]+)m", path.get("d", ""))
                    if match:
                        head = (path.findtext("title") or "").split(",")[0]
                        found[head] = float(match[1]), float(match[2])
        return found


@pytest.fixture
def made(tmp_path: Path) -> Builder:
    narrow = SPACE | {"learning_rate": SPACE["learning_rate"] | {"low": 1e-2, "high": 1e-1}}
    builder = Builder(tmp_path).stage(0, "coarse").stage(1, "fine", narrow, first=3)
    builder.trial(0, [0.5], learning_rate=1e-3, activation="relu")
    builder.trial(1, [0.9, 0.8], learning_rate=1e-2, activation="tanh")
    builder.trial(2, [math.nan], learning_rate=1.0, failed="train_loss became nan in epoch 1")
    builder.trial(3, [0.7, 0.99, 0.98, 0.98, 0.98], learning_rate=1e-1, stage=1)
    return builder


def test_marks_lie_where_their_values_are(made: Builder) -> None:
    page = made.page()
    marks = page.marks("val_accuracy against learning_rate")
    x = {name: place[0] for name, place in marks.items()}
    decade = x["trial 1"] - x["trial 0"]
    assert decade > 20
    assert x["trial 3"] - x["trial 1"] == pytest.approx(decade, abs=0.2)
    assert x["trial 2"] - x["trial 3"] == pytest.approx(decade, abs=0.2)
    # Upwards is better, and misses of 0.5, 0.1 and 0.01 are spaced by their logarithms.
    y = {name: place[1] for name, place in marks.items()}
    assert y["trial 0"] > y["trial 1"] > y["trial 3"]
    rises = (y["trial 0"] - y["trial 1"]) / (y["trial 1"] - y["trial 3"])
    assert rises == pytest.approx(math.log10(5), abs=0.01)


def test_best_is_ringed_and_failed_is_crossed(made: Builder) -> None:
    page = made.page()
    for label in ("val_accuracy against dropout", "val_accuracy of 3 trials"):
        assert list(page.marks(label, "best")) == ["trial 3"]
        assert list(page.marks(label, "failed")) == ["trial 2"]
        assert page.marks(label, "best")["trial 3"] == page.marks(label, "s1")["trial 3"]


def test_ranges_are_seen_to_narrow(made: Builder) -> None:
    chart = made.page().chart("val_accuracy against learning_rate")
    bars = [r for r in chart.iter("rect") if (r.get("class") or "").startswith("bar")]
    coarse, fine = (float(bar.get("width", "")) for bar in bars)
    assert coarse == pytest.approx(4 * fine, abs=0.5)  # four decades, then one


def test_categories_keep_apart(made: Builder) -> None:
    x = {k: v[0] for k, v in made.page().marks("val_accuracy against activation").items()}
    assert max(x["trial 0"], x["trial 2"], x["trial 3"]) < x["trial 1"]


def test_dimensions_come_in_the_order_of_the_config(made: Builder) -> None:
    svgs = made.page().section("Score against each hyperparameter").iter("svg")
    names = [svg.get("aria-label", "").split(",")[0].split()[-1] for svg in svgs if svg.get("role")]
    assert names == list(SPACE)


def test_best_so_far_of_a_minimized_metric_only_falls(tmp_path: Path) -> None:
    builder = Builder(tmp_path, metric="val_loss").stage(0, "only")
    for number, score in enumerate([3.0, 4.0, 2.0, math.nan, 2.5, 1.0]):
        builder.trial(number, [score])
    page = builder.page()
    label = "val_loss of 5 trials"
    (steps,) = (g for g in page.chart(label).iter("g") if g.get("class") == "line so-far")
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", steps[0].get("d", ""))
    assert [float(y) for _, y in points] == sorted(float(y) for _, y in points)
    assert [float(x) for x, _ in points] == sorted(float(x) for x, _ in points)
    assert len(points) == 6  # three bests, the two steps between them, the end
    assert list(page.marks(label, "best")) == ["trial 5"]


@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
def test_failed_trials_lie_at_the_worse_end(tmp_path: Path, metric: str) -> None:
    builder = Builder(tmp_path, metric=metric).stage(0, "only")
    page = builder.trial(0, [0.2]).trial(1, [0.8]).trial(2, [], failed="died").page()
    y = {k: v[1] for k, v in page.marks(f"{metric} against dropout").items()}
    worse, better = ("trial 1", "trial 0") if metric == "val_loss" else ("trial 0", "trial 1")
    assert abs(y["trial 2"] - y[worse]) < abs(y["trial 2"] - y[better])


def test_hostile_strings_stay_text(tmp_path: Path) -> None:
    script, image, *_ = HOSTILE
    builder = Builder(tmp_path, name=script)
    space = {image: SPACE["dropout"], "c": {"type": "categorical", "choices": [*HOSTILE[:5]]}}
    builder.stage(0, HOSTILE[2], space)
    for number, text in enumerate(HOSTILE[:5]):
        params = {image: 0.1 * number, "c": text, "new": text}
        builder.trial(number, [0.1, 0.2], failed=text if number % 2 else None, **params)
    verdict = {"name": image, "text": f"{image}: {HOSTILE[4]}", "at_border": "low"}
    builder.store.end_stage(0, [verdict])
    (tmp_path / "config.yaml").write_text("search_space: {}\n" + "".join(HOSTILE[:5]))
    page = builder.page()
    assert script in page.words
    assert image in page.words
    assert HOSTILE[2] in page.words
    assert HOSTILE[4] in page.words


def test_invisible_characters_are_shown_as_such(tmp_path: Path) -> None:
    builder = Builder(tmp_path, name="x").stage(0, "one")
    page = builder.trial(0, [0.5], failed="a\x00b\x1bc\u202ed").page()
    assert "a\ufffdb\ufffdc\ufffdd" in page.words


def test_hostile_summary_and_ensemble(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    member = {"trial": 1, "epoch": 2, "weight": 1.0, "averaged": True}
    (outside / "ensemble.json").write_text(json.dumps({"members": [member | {"weight": 0.125}]}))
    path = tmp_path / "run"
    (path / "ensembles" / "top-1").mkdir(parents=True)
    members = [member, member | {"weight": "x"}, 3, member | {"trial": HOSTILE[0]}]
    (path / "ensembles" / "top-1" / "ensemble.json").write_text(json.dumps({"members": members}))
    builder = Builder(path).stage(0, "one").trial(1, [0.5])
    best = {"trial": HOSTILE[1], "val_accuracy": 0.75, "test_loss": "x", "val_loss": None}
    summary: dict[str, Any] = {"best": best, "ensemble": {"path": "ensembles/top-1"}}
    (path / "summary.json").write_text(json.dumps(summary))
    page = builder.page()
    assert HOSTILE[1][:10] in page.words
    assert HOSTILE[0] in " ".join(page.section("The ensemble").itertext())
    for where in ("../outside", str(outside), "..", "/", ""):
        summary["ensemble"]["path"] = where
        (path / "summary.json").write_text(json.dumps(summary))
        assert not load(RunFolder(path)).members


@pytest.mark.parametrize("text", ["", "{", "[]", '{"best": 3, "ensemble": []}', "[" * 99_999])
def test_a_damaged_summary_is_no_summary(made: Builder, text: str) -> None:
    (made.path / "summary.json").write_text(text)
    assert "Best so far: val_accuracy 0.9900, trial 3" in made.page().words


def test_passwords_of_urls_are_left_out(made: Builder) -> None:
    lines = "data: {source: 's3://key:canary1@bucket/x?token=canary2'}\nstudy: {seed: 0}\n"
    (made.path / "config.yaml").write_text(lines)
    page = made.page()
    assert "canary" not in page.text
    assert "bucket/x" in page.words
    assert "study: {seed: 0}" in page.words


@pytest.mark.parametrize(
    ("trials", "expected"),
    [(0, "0 trials, and none has a score."), (3, "3 trials, and none has a score.")],
)
def test_a_run_without_scores(tmp_path: Path, trials: int, expected: str) -> None:
    builder = Builder(tmp_path).stage(0, "coarse")
    for number in range(trials):
        builder.trial(number, [math.nan], failed=f"train_loss became nan in epoch {number}")
    page = builder.page()
    assert expected in page.words
    assert "not concluded in stage coarse" in page.words


def test_a_run_before_its_first_stage(tmp_path: Path) -> None:
    assert "0 trials" in Builder(tmp_path).page().words


def test_a_run_in_progress(made: Builder) -> None:
    made.trial(4, [0.6], stage=1, ends=False)
    made.store.add_trial(5, 1, {"learning_rate": 0.05}, 3)
    page = made.page()
    assert "4 of 6 ended, 1 failed" in page.words
    assert "not concluded in stage fine" in page.words
    assert f"hpsearch resume {made.path}" in page.words
    assert "trial 4" in page.marks("val_accuracy of 4 trials")


def test_a_finished_run_shows_what_its_summary_says(colours_run: RunFolder) -> None:
    page = Page(colours_run.report.read_text(encoding="utf-8"))
    outcome = reload(colours_run)
    best, ensemble = outcome.summary["best"], outcome.summary["ensemble"]
    head = ["val_accuracy", "test_accuracy", "val_log_loss", "test_log_loss"]
    scores = [[f"{model[name]:.4f}" for name in head] for model in (best, ensemble)]
    rows = [["".join(cell.itertext()) for cell in row] for row in page.root.iter("tr")]
    assert ["", *head] in rows
    assert [f"best single (trial {best['trial']})", *scores[0]] in rows
    assert ["ensemble of 3 (top)", *scores[1]] in rows
    assert all(v.text.removeprefix(f"{v.name}: ") in page.words for v in outcome.verdicts)
    assert f"hpsearch predict {colours_run.path}" in page.words
    assert "not concluded" not in page.words
    drawn = page.marks("val_accuracy against learning_rate")
    assert drawn.keys() >= {f"trial {number}" for number in range(10)}
    assert report.page(load(colours_run)) == page.text


def test_regression(line_run: RunFolder) -> None:
    page = Page(line_run.report.read_text(encoding="utf-8"))
    summary = reload(line_run).summary
    assert f"{summary['ensemble']['test_r2']:.4f}" in page.words
    charts = page.section("Learning curves of the finalists").iter("svg")
    titles = [svg.get("aria-label", "").split(" ")[0] for svg in charts if svg.get("role")]
    assert titles == ["loss", "R²"] * 4
    best = summary["best"]["trial"]
    assert list(page.marks("val_mse of", "best")) == [f"trial {best}"]


def test_fresh_seeds_have_a_mean_and_a_spread(made: Builder) -> None:
    made.stage(2, "rescore", {}, first=4)
    for number, score in enumerate([0.93, 0.95, 0.97], 4):
        made.trial(number, [0.5, score], stage=2, learning_rate=1e-1)
    made.trial(7, [0.995, 0.9], stage=2, learning_rate=1e-2, activation="tanh")
    made.store.close()
    assert [trial.number for trial in finalists(load(RunFolder(made.path)))] == [3]
    rows = made.page().section("Finalists on fresh seeds").iter("tr")
    texts = [["".join(cell.itertext()) for cell in row] for row in rows][1:]
    assert texts == [
        ["3", "0.9900", "3", "0.9500", "0.0200"],
        ["1", "0.9000", "1", "0.9950", ""],
    ]


def test_what_was_pruned_is_faint_and_never_best(made: Builder) -> None:
    made.trial(4, [0.999], stage=1, ends=False)
    made.store.end_trial(4, "pruned", "below the median")
    page = made.page()
    label = "val_accuracy against dropout"
    assert list(page.marks(label, "best")) == ["trial 3"]
    assert list(page.marks(label, "s1 faint")) == ["trial 4"]
    assert "pruned trial" in page.words


def test_fixed_and_conditional_dimensions(tmp_path: Path) -> None:
    only = {"type": "float", "low": 0.1, "high": 0.9, "when": {"activation": ["tanh"]}}
    fixed = {"type": "fixed", "value": 0.25}
    first = SPACE | {"momentum": only, "l2": fixed}
    builder = Builder(tmp_path).stage(0, "coarse", first)
    builder.stage(1, "fine", SPACE | {"dropout": fixed, "l2": fixed}, first=2)
    builder.trial(0, [0.5], l2=0.25).trial(1, [0.6], l2=0.25, activation="tanh", momentum=0.5)
    page = builder.trial(2, [0.7], stage=1, l2=0.25, dropout=0.25).page()
    assert list(page.marks("val_accuracy against momentum")) == ["trial 1"]
    assert len(page.marks("val_accuracy against dropout", "s1")) == 1
    assert not any("against l2" in svg.get("aria-label", "") for svg in page.root.iter("svg"))


def test_finalists_are_the_best_of_the_last_stage(made: Builder) -> None:
    made.store.close()
    assert [trial.number for trial in finalists(load(RunFolder(made.path)))] == [3]


def test_failures_are_grouped_by_what_they_have_in_common(tmp_path: Path) -> None:
    builder = Builder(tmp_path).stage(0, "coarse")
    for number in range(6):
        nan = f"train_loss became nan in epoch {number + 1}"
        builder.trial(number, [], learning_rate=0.5 + number / 10, dropout=number / 12, failed=nan)
    builder.trial(6, [], learning_rate=1e-3, failed="its worker died 4 times")
    for number in range(7, 12):
        builder.trial(number, [0.5], learning_rate=1e-2, dropout=number / 24, activation="tanh")
    builder.store.close()
    first, second = grouped(load(RunFolder(tmp_path)))
    assert first.reason == "train_loss became nan in epoch N"
    assert first.trials == (0, 1, 2, 3, 4, 5)
    assert first.where == "learning_rate at least 0.5, activation relu"
    assert (second.trials, second.where) == ((6,), "")


def test_attempts_that_were_made_good_are_told(tmp_path: Path) -> None:
    builder = Builder(tmp_path).stage(0, "coarse")
    builder.trial(0, [0.5], ends=False)
    builder.store.note_failure(0, 1, 1, "worker 3 <died>")
    assert "1 attempts failed" in (words := builder.page().words)
    assert "worker 3 <died>" in words


def test_a_thousand_trials_fit_in_half_a_megabyte(tmp_path: Path) -> None:
    builder = Builder(tmp_path).stage(0, "coarse").stage(1, "fine")
    with builder.store.transaction():
        for number in range(1000):
            share = (number * 0.618) % 1
            builder.trial(
                number,
                [0.5 + share * share / 2 for _ in range(5)],
                stage=number // 800,
                learning_rate=10 ** (-4 * share),
                dropout=(number * 0.414) % 0.5,
                units=8 + number % 57,
                failed="train_loss became nan in epoch 1" if number % 10 == 0 else None,
            )
    page = builder.page()
    assert len(page.text.encode()) < 500_000
    best = page.marks("val_accuracy against dropout", "best")
    assert len(best) == 1
    drawn = page.marks("val_accuracy against dropout")
    assert 300 < len(drawn) <= 460
    assert (
        best.keys()
        <= page.marks("val_accuracy against dropout", "s0").keys()
        | page.marks("val_accuracy against dropout", "s1").keys()
    )


@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_the_file_is_its_users_alone(made: Builder, mask: int) -> None:
    before = os.umask(mask)
    try:
        made.page()
    finally:
        os.umask(before)
    assert stat.S_IMODE((made.path / "report.html").stat().st_mode) == 0o600
    assert not list(made.path.glob(".report*"))


def test_a_report_is_replaced_as_a_whole(made: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    old = made.page().text

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        report.write(made.path)
    assert (made.path / "report.html").read_text() == old
    assert not list(made.path.glob(".report*"))


@pytest.mark.parametrize("output", ["search.db", "report.txt", "folder.html"])
def test_output_is_an_html_file(made: Builder, output: str) -> None:
    made.store.close()
    (made.path / "folder.html").mkdir()
    before = (made.path / "search.db").read_bytes()
    with pytest.raises(InputError, match="a report is a file"):
        report.write(made.path, made.path / output)
    assert (made.path / "search.db").read_bytes() == before


def test_a_place_that_is_not_there(made: Builder) -> None:
    made.store.close()
    before = set(made.path.rglob("*"))
    for where in ("no/report.html", "config.yaml/report.html", f"{'a' * 300}.html"):
        with pytest.raises(InputError, match="--output must be a file in a folder that is there"):
            report.write(made.path, made.path / where)
    assert set(made.path.rglob("*")) == before


def test_command(made: Builder, tmp_path: Path) -> None:
    made.store.close()
    runner = CliRunner()
    done = runner.invoke(main, ["report", str(made.path)])
    assert (done.exit_code, done.stdout) == (0, f"{made.path / 'report.html'}\n")
    elsewhere = tmp_path / "x.html"
    done = runner.invoke(main, ["report", str(made.path), "--output", str(elsewhere)])
    assert (done.exit_code, elsewhere.read_text()) == (0, (made.path / "report.html").read_text())
    done = runner.invoke(main, ["report", str(tmp_path / "nothing")])
    assert done.exit_code == 2
    assert "a run's folder holds search.db" in done.stderr


def test_a_failing_report_does_not_hide_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(report, "page", fail)
    folder, outcome = run_here(tiny_config(), tmp_path / "tiny")
    assert outcome.summary["trials"] == 10
    assert not folder.report.exists()
    assert "the report was not written" in folder.log.read_text()


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stand_out_from_the_ground(colours: dict[str, str]) -> None:
    for name in ("ink", "soft", "alarm", "good"):
        for ground in ("ground", "paper"):
            assert contrast(colours[name], colours[ground]) >= 4.5, name
    for name in ("s0", "s1", "s2", "s3", "s4", "s5", "train", "val", "ema"):
        assert contrast(colours[name], colours["ground"]) >= 3, name
