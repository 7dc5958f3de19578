"""Axes, marks and markup: what is drawn is where it should be, and text stays text."""

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.charts import axes
from hpsearch.charts.frame import Frame, line
from hpsearch.charts.marks import Mark, thinned
from hpsearch.charts.markup import cut, escape, join, tag

ANY = st.floats(allow_nan=True, allow_infinity=True)


VISIBLE = st.text(st.characters(exclude_categories=["C"], exclude_characters="\u2028\u2029"))


@given(VISIBLE, VISIBLE)
def test_what_is_written_is_read_back(text: str, value: str) -> None:
    element = ET.fromstring(tag("p", text, class_=value))
    assert (element.tag, len(element), element.text or "") == ("p", 0, text)
    assert element.attrib == {"class": value}


@given(st.text(st.characters(categories=["C"])))
def test_no_character_breaks_a_page(text: str) -> None:
    element = ET.fromstring(tag("p", text, class_=text).encode("utf-8"))
    assert not {*"\x00\x1b\x7f\x9b\u202e\u2066\ud800"} & {*(element.text or "")}


def test_markup_is_not_escaped_twice() -> None:
    inner = tag("b", "a & b")
    assert tag("p", inner, None, "<") == "<p><b>a &amp; b</b>&lt;</p>"
    assert escape(escape("&")) == "&amp;"
    assert join(["<", inner], " | ") == "&lt; | <b>a &amp; b</b>"
    # A combination of Markup and text is text again, and is escaped.
    assert tag("p", inner + "<i>") == "<p>&lt;b&gt;a &amp;amp; b&lt;/b&gt;&lt;i&gt;</p>"


def test_cut() -> None:
    assert (cut("abcdef", 6), cut("abcdefg", 6)) == ("abcdef", "abcde…")


@given(st.lists(ANY), st.sampled_from([axes.linear, axes.logarithmic, axes.whole, axes.scores]))
def test_every_axis_holds_its_values(values: list[float], make: object) -> None:
    make_axis = {axes.scores: lambda v: axes.scores("val_loss", v)}.get(
        make, lambda v: make("x", v)  # type: ignore[operator]
    )  # fmt: skip
    axis = make_axis(values)
    assert axis.low < axis.high
    assert len(axis.ticks) <= 16
    places = [axis.place(v) for v in sorted(v for v in values if math.isfinite(v))]
    assert all(0 <= place <= 1 for place in places)
    assert places == sorted(places)


@given(st.lists(st.floats(-10, 1), min_size=1))
def test_complement_holds_any_r2(values: list[float]) -> None:
    axis = axes.complement("val_r2", values)
    places = [axis.place(v) for v in sorted(values)]
    assert places == sorted(places)
    assert axis.low < axis.high


def test_linear_axis() -> None:
    axis = axes.linear("x", [0, 10], pad=0)
    assert [axis.place(v) for v in (0, 2.5, 10)] == [0, 0.25, 1]
    assert axis.ticks == ((0, "0"), (2, "2"), (4, "4"), (6, "6"), (8, "8"), (10, "10"))
    labels = [label for _, label in axes.linear("x", [0.97, 0.99]).ticks]
    assert labels == ["0.97", "0.975", "0.98", "0.985", "0.99"]


def test_logarithmic_axis() -> None:
    axis = axes.logarithmic("x", [1e-4, 1], pad=0)
    assert [axis.place(v) for v in (1e-4, 1e-3, 1e-2, 1)] == pytest.approx([0, 0.25, 0.5, 1])
    assert [label for _, label in axis.ticks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert axis.place(0) == axis.place(-1) == 0


def test_complement_gives_each_tenth_of_the_error_as_much_room() -> None:
    axis = axes.complement("accuracy", [0.0, 0.9, 0.99, 0.999])
    places = [axis.place(v) for v in (0.0, 0.9, 0.99, 0.999)]
    steps = [b - a for a, b in pairwise(places)]
    assert steps == pytest.approx([steps[0]] * 3)
    assert {"0", "0.9", "0.99", "0.999"} <= {label for _, label in axis.ticks}


def test_a_perfect_score_is_above_all_others() -> None:
    axis = axes.scores("val_accuracy", [0.5, 0.999, 1.0])
    assert axis.place(0.999) < axis.place(1.0) < 1


@pytest.mark.parametrize(
    ("metric", "values", "title"),
    [
        ("val_accuracy", [0.1, 0.99], "val_accuracy (spaced by the error)"),
        ("val_accuracy", [0.90, 0.91], "val_accuracy"),
        ("val_r2", [-3.0, 0.9], "val_r2 (spaced by the error)"),
        ("ema_val_roc_auc", [0.5, 0.99], "ema_val_roc_auc (spaced by the error)"),
        ("val_mse", [0.01, 1e3], "val_mse (log)"),
        ("val_brier", [0.01, 1.0], "val_brier (log)"),
        ("val_mse", [0.0, 1e3], "val_mse"),
        ("val_loss", [0.5, 0.6], "val_loss"),
        ("val_loss", [], "val_loss"),
    ],
)
def test_scores_get_the_axis_that_tells_them_apart(
    metric: str, values: list[float], title: str
) -> None:
    assert axes.scores(metric, values).title == title


@pytest.mark.parametrize("metric", ["val_mse", "val_r2"])
def test_what_diverged_does_not_squeeze_the_others(metric: str) -> None:
    errors = [0.2 + 0.01 * i for i in range(40)]
    values = [e if metric == "val_mse" else 1 - e for e in [*errors, 1e9, 1e21]]
    axis = axes.scores(metric, values)
    best, worst = axis.place(values[0]), axis.place(values[39])
    assert abs(best - worst) > 0.8
    assert axis.place(values[40]) == axis.place(values[41]) == round(worst)


def test_whole_numbers_have_whole_ticks() -> None:
    assert [label for _, label in axes.whole("epoch", [1, 3], pad=0).ticks] == ["1", "2", "3"]


def test_a_line_breaks_where_a_value_is_missing() -> None:
    frame = Frame(axes.linear("x", [0, 3]), axes.linear("y", [0, 1]))
    pairs = [(0, 0.0), (1, 1.0), (2, math.nan), (3, 0.0)]
    path = ET.fromstring(line(frame, pairs, kind="val", title="t"))[0]
    assert [c for c in path.get("d", "") if c.isalpha()] == ["M", "L", "M"]


@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 300), st.integers(0, 2)), max_size=300),
    st.integers(1, 50),
)
def test_thinning_keeps_the_first_and_few(
    places: list[tuple[float, float, int]], limit: int
) -> None:
    marks = [Mark(x, y, stage, f"{i}") for i, (x, y, stage) in enumerate(places)]
    kept = thinned(marks, limit)
    assert len(kept) <= limit
    assert kept[:1] == marks[:1]
    assert [mark for mark in marks if mark in kept] == kept
    if len(marks) <= limit:
        assert kept == marks


def test_thinning_spares_what_stands_apart() -> None:
    crowd = [Mark(100 + i % 10, 100 + i // 10, 0, f"{i}") for i in range(100)]
    alone = Mark(400, 20, 0, "alone")
    other = Mark(100, 100, 1, "another stage")
    kept = thinned([*crowd, alone, other], 20)
    assert alone in kept
    assert other in kept
