"""Layers read in the notes' words, from numbers made for each verdict."""

from pathlib import Path
from typing import Any

import pytest

from hpsearch.diagnosis.layers import diagnose_layers
from hpsearch.diagnosis.learning_curves import Reading
from hpsearch.storage.sqlite.rows import LayerRow
from tests.reporting.test_report import Builder
from workers.messages import EpochReport
from workers.nn.layer_statistics import LayerStatistics

GOOD: dict[str, Any] = {
    "update_ratio": 1e-3,
    "gradient_norm": 0.1,
    "activation_mean": 0.5,
    "activation_std": 1.0,
}


def epoch(number: int, *layers: dict[str, Any]) -> list[LayerRow]:
    return [
        LayerRow(1, number, layer, LayerStatistics(**(GOOD | changes)))
        for layer, changes in enumerate(layers, 1)
    ]


def one(*layers: dict[str, Any], label: str) -> Reading:
    """Return the reading of this label, which one epoch of such layers must have."""
    (found,) = [r for r in diagnose_layers(epoch(1, *layers)) if r.label == label]
    return found


def test_nothing_is_said_of_no_layers() -> None:
    assert diagnose_layers([]) == ()


def test_good_layers_have_nothing_but_good_updates() -> None:
    found = diagnose_layers(epoch(1, {"dead": 0.05}, {"update_ratio": 2e-3}, {}))
    assert [(r.level, r.label) for r in found] == [("good", "updates good")]
    assert "1e-3 to 2e-3 of the weights" in found[0].text


@pytest.mark.parametrize(
    ("ratio", "level", "label"),
    [
        (0.2, "warning", "updates too large"),
        (0.02, "note", "updates large"),
        (3e-3, "good", "updates good"),
        (3e-4, "good", "updates good"),
        (1e-6, "note", "updates small"),
    ],
)
def test_the_ratio_of_updates(ratio: float, level: str, label: str) -> None:
    layers = ({"update_ratio": ratio}, {"update_ratio": ratio / 2})
    assert one(*layers, label=label).level == level


def test_updates_are_told_by_the_layer_that_moves_most() -> None:
    reading = one({}, {"update_ratio": 0.2}, {}, label="updates too large")
    assert "2e-1 of the weights in layer 2" in reading.text
    assert "lower the learning rate" in reading.text


def test_one_wild_epoch_among_many_is_not_typical() -> None:
    rows = [row for n in range(1, 8) for row in epoch(n, {"update_ratio": 0.9 if n == 1 else 1e-3})]
    assert [r.label for r in diagnose_layers(rows)] == ["updates good"]


def test_dead_units_of_the_last_epoch() -> None:
    reading = one({"dead": 0.0}, {"dead": 0.6}, {}, label="units dead")
    assert reading.level == "warning"
    assert "60 % of layer 2's units are dead" in reading.text
    assert one({"dead": 0.2}, label="units dead").level == "note"
    later = [*epoch(1, {"dead": 0.6}), *epoch(2, {"dead": 0.0})]
    assert "units dead" not in [r.label for r in diagnose_layers(later)]


def test_saturated_activations() -> None:
    reading = one({"saturated": 0.5}, {"saturated": 0.25}, {}, label="activations saturated")
    assert reading.level == "warning"
    assert "50 % of layer 1's, 25 % of layer 2's activations are saturated" in reading.text


def test_activations_that_fade_or_grow() -> None:
    deep = [{"activation_std": 0.5**n} for n in range(6)]
    reading = one(*deep, {}, label="activations fade from layer to layer")
    assert "1 in layer 1 and 3.1e-2 in layer 6" in reading.text
    assert one(*deep[::-1], {}, label="activations grow from layer to layer").level == "warning"


def test_the_scores_may_spread_as_they_like() -> None:
    found = diagnose_layers(epoch(1, {}, {"activation_std": 50.0}))
    assert [r.label for r in found] == ["updates good"]


def test_a_gradient_that_vanishes() -> None:
    reading = one({"gradient_norm": 1e-6}, {"gradient_norm": 0.01}, {}, label="gradient vanishes")
    assert "1e-1 in layer 3 and 1e-6 in layer 1" in reading.text


def test_missing_numbers_say_nothing() -> None:
    nothing = dict.fromkeys(GOOD)
    assert diagnose_layers(epoch(1, nothing, nothing)) == ()


def test_the_report_shows_the_best_trials_layers(tmp_path: Path) -> None:
    made = Builder(tmp_path).stage(0, "coarse").trial(0, [0.5, 0.75, 0.5]).trial(1, [0.5, 0.25])
    made.store.add_trial(2, 0, {}, 9)
    made.store.start_trial(2, 1)
    for number in range(1, 10):
        rows = epoch(number, {"update_ratio": 0.2, "dead": 0.6}, *[{"update_ratio": None}] * 8)
        layers = tuple(row.statistics for row in rows)
        score = {"val_accuracy": 0.9}
        made.store.record([EpochReport(2, 1, number, score, 0.5, layers=layers)])
    made.store.end_trial(2, "complete")
    section = made.page().section("Layers of the best trials")
    words = " ".join(section.itertext())
    assert [h.text for h in section.iter("h3")] == ["Trial 2"]  # the others have no layers
    assert "60 % of layer 1's units are dead" in words
    assert "Updates are 2e-1 of the weights in layer 1" in words
    cells = [[cell.text or "" for cell in row] for row in section.iter("tr")]
    assert cells[1] == ["layer 1", "0.2", "0.1", "0.5", "1", "60 %", ""]
    assert cells[-1] == ["layer 9 (scores)", "", "0.1", "0.5", "1", "", ""]
    drawn = [g for g in section.iter("g") if g.get("class") == "line l5"]
    assert [g.findtext("path/title") for g in drawn[1:]] == ["layer 9", "layer 9"]


def test_a_run_without_diagnostics_has_no_such_section(tmp_path: Path) -> None:
    page = Builder(tmp_path).stage(0, "coarse").trial(0, [0.5, 0.75]).page()
    assert "Layers of" not in page.words
