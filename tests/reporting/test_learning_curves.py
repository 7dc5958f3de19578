"""The reading of learning curves, on curves whose diagnosis is known beforehand."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.diagnosis.learning_curves import (
    Reading,
    diagnose,
    read_average,
    read_end,
    read_gap,
    read_loss,
    read_turn,
)

EPOCHS = range(40)
FALLING = [0.1 + 2.2 * math.exp(-epoch / 5) for epoch in EPOCHS]
STRAIGHT = [2.3 - 0.02 * epoch for epoch in EPOCHS]


def label(reading: Reading | None) -> str | None:
    return None if reading is None else reading.label


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (FALLING, "learning rate good"),
        (STRAIGHT, "learning rate low"),
        ([2.302576, 2.302582, 2.302558, 2.302519, 2.302517, 2.302518], "loss barely moves"),
        ([0.0] * 9, "loss barely moves"),
        ([2.3 * 1.2**epoch for epoch in EPOCHS], "learning rate too high"),
        ([*FALLING, *(0.1 + 0.05 * epoch for epoch in EPOCHS)], "learning rate too high"),
        ([2.3, *([0.6, 1.0] * 15)], "learning rate high"),
        ([2.3, 1.0, 0.5, 0.2], None),
    ],
)
def test_shapes_of_the_training_loss(losses: Sequence[float], expected: str | None) -> None:
    assert label(read_loss(losses)) == expected


@given(st.floats(1e-3, 1e3), st.integers(0, 2))
def test_shapes_do_not_depend_on_the_unit(unit: float, which: int) -> None:
    losses = [FALLING, STRAIGHT, [2.3, *([0.6, 1.0] * 15)]][which]
    assert label(read_loss([unit * loss for loss in losses])) == label(read_loss(losses))


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [
        (0.99, 0.70, "strong overfitting"),
        (0.99, 0.92, "overfitting"),
        (0.99, 0.96, "slight overfitting"),
        (0.99, 0.985, "little overfitting"),
        (0.60, 0.59, "low capacity"),
        (0.60, 0.65, "low capacity"),
    ],
)
def test_the_gap_between_training_and_validation(
    train: float, validation: float, expected: str
) -> None:
    reading = read_gap([0.1] * 3 + [train], [0.1] * 3 + [validation], word="accuracy")
    assert label(reading) == expected
    assert reading is not None
    assert f"{train:.3f}" in reading.text


def test_a_validation_loss_that_turns_names_its_epoch() -> None:
    losses = [1 / epoch for epoch in range(1, 11)] + [0.1 + epoch / 100 for epoch in range(1, 11)]
    reading = read_turn(losses)
    assert reading is not None
    assert "in epoch 10 (0.1) and ends at 0.19" in reading.text
    assert read_turn(FALLING) is None
    assert read_turn([*FALLING[:-1], FALLING[-2] * 1.05]) is None


def test_a_score_that_still_rises() -> None:
    assert label(read_end([epoch / 50 for epoch in EPOCHS], word="accuracy")) == "not finished"
    assert read_end([1 - math.exp(-epoch) for epoch in EPOCHS], word="accuracy") is None
    # One lucky epoch is no rise.
    assert read_end([0.9 + 0.02 * (epoch == 38) for epoch in EPOCHS], word="accuracy") is None


def test_an_average_that_is_ahead() -> None:
    raw = [0.90, 0.88] * 10
    assert label(read_average(raw, [0.92] * 20, word="accuracy")) == "average ahead"
    assert read_average(raw, [0.89] * 20, word="accuracy") is None
    assert read_average(raw, [], word="accuracy") is None


def test_a_trial_in_whole() -> None:
    epochs = [
        {
            "train_loss": FALLING[epoch],
            "val_loss": FALLING[epoch] + 0.02 * epoch,
            "train_r2": 1 - FALLING[epoch] / 20,
            "val_r2": 0.7,
        }
        for epoch in EPOCHS
    ]
    readings = diagnose(epochs)
    assert [r.label for r in readings] == [
        "learning rate good",
        "strong overfitting",
        "validation loss rises",
    ]
    assert "R² 0.99" in readings[1].text
    assert [r.label for r in diagnose(epochs[:3])] == ["too short"]


_VALUES = st.floats(-1e6, 1e6)


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "ema_val_accuracy"), _VALUES
)), max_size=30))  # fmt: skip
def test_any_curve_has_a_reading(epochs: list[dict[str, float]]) -> None:
    for reading in diagnose(epochs):
        assert reading.level in ("good", "note", "warning")
        assert reading.text.endswith((".", ")."))
