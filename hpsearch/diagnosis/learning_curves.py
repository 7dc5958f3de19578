"""Learning curves read as the CS231n notes read them: a diagnosis in words.

The loss falls about linearly if the learning rate is low and looks exponential if it is
high; a rate that is too high gets stuck at worse values or diverges. The gap between
training and validation accuracy is the amount of overfitting; where there is hardly one
while the training rows are not fitted, the capacity is too low.

Source: CS231n, Neural Networks Part 3, "Babysitting the learning process".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final, Literal

from hpsearch.space.space import text_of

_NEEDED: Final = 5
"""Fewer epochs than this have no shape."""

_STRAIGHT: Final = 0.65
"""A curve whose first half brings less than this share of the fall is about straight."""

_STILL: Final = 0.05
"""A loss that falls by less than this share of its first value barely moves."""

_BOUNCE: Final = 0.05
"""A step up of this share of the whole fall is more than noise."""

_BOUNCING: Final = 0.3
"""Such steps are too many if they make up this share of the fall."""

_SMALL_GAP, _LARGE_GAP, _HUGE_GAP = 0.02, 0.05, 0.15
"""Differences between training and validation score, both at most 1."""

_LOW_SCORE: Final = 0.95
"""A training score below this leaves something to fit."""

_TURNED: Final = 1.1
"""A validation loss that ends at so many times its minimum has turned."""

_RISE, _LEAST_RISE = 0.1, 0.002
"""What counts as rising: this share of the error, and so much at least."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a curve says: how serious it is, a label, and a sentence with the evidence."""

    level: Literal["good", "note", "warning"]
    label: str
    text: str


def diagnose(epochs: Sequence[Mapping[str, float]]) -> tuple[Reading, ...]:
    """Return what a trial's metrics, an epoch each, say of it.

    The score beside the losses is the accuracy, or R squared in regression.
    """
    if len(epochs) < _NEEDED:
        few = f"{len(epochs)} epochs are too few to read a curve; {_NEEDED} are needed."
        return (Reading("note", "too short", few),)
    name = "accuracy" if "val_accuracy" in epochs[-1] else "r2"
    curve = {
        key: [values[key] for values in epochs if key in values]
        for key in ("train_loss", "val_loss", f"train_{name}", f"val_{name}", f"ema_val_{name}")
    }
    fit, score, averaged = (curve[f"{part}_{name}"] for part in ("train", "val", "ema_val"))
    word = "accuracy" if name == "accuracy" else "R²"
    readings = [
        read_loss(curve["train_loss"]),
        read_gap(fit, score, word=word),
        read_turn(curve["val_loss"]),
        read_end(score, word=word),
        read_average(score, averaged, word=word),
    ]
    return tuple(reading for reading in readings if reading is not None)


def read_loss(losses: Sequence[float]) -> Reading | None:
    """Read the learning rate from the shape of the training loss."""
    if len(losses) < _NEEDED:
        return None
    first, last, least = losses[0], _end(losses), min(losses)
    fall, ends = first - least, f"({text_of(first)} at first, {text_of(last)} at last)"
    if last > first * (1 + _STILL):
        text = f"The training loss ends above its beginning {ends}: lower the learning rate."
        return Reading("warning", "learning rate too high", text)
    if fall <= _STILL * abs(first):
        text = (
            f"The training loss barely moves {ends}: the learning rate is too low, "
            "or everything was learned, or lost, in the first epoch."
        )
        return Reading("note", "loss barely moves", text)
    if last - least > 0.25 * fall:
        risen = f"from {text_of(least)} to {text_of(last)}"
        text = f"The training loss has risen again {risen}: lower the learning rate."
        return Reading("warning", "learning rate too high", text)
    rises = _rises(losses, _BOUNCE * fall)
    if sum(rises) > _BOUNCING * fall:
        text = (
            f"The training loss bounces: up {len(rises)} times, by {text_of(max(rises))} at most "
            f"{ends}. Lower the learning rate, let it decay, or take larger batches."
        )
        return Reading("warning", "learning rate high", text)
    share = (first - losses[len(losses) // 2]) / (first - last)
    if share < _STRAIGHT:
        text = (
            f"The training loss falls almost in a straight line {ends}: "
            "raise the learning rate, or train for longer."
        )
        return Reading("note", "learning rate low", text)
    text = f"The training loss falls fast, then levels off {ends}: the shape of a good rate."
    return Reading("good", "learning rate good", text)


def read_gap(train: Sequence[float], validation: Sequence[float], *, word: str) -> Reading | None:
    """Read overfitting and capacity from the gap between two scores that are at most 1."""
    if not train or not validation:
        return None
    quarter = max(1, len(train) // 4)
    fit, score = fmean(train[-quarter:]), fmean(validation[-quarter:])
    gap = fit - score
    both = f"{word} {fit:.3f} in training and {score:.3f} in validation, {gap:.3f} apart"
    if gap > _LARGE_GAP:
        label = "strong overfitting" if gap > _HUGE_GAP else "overfitting"
        text = f"A large gap ({both}): regularize more, or find more data."
        return Reading("warning", label, text)
    if gap > _SMALL_GAP:
        return Reading("note", "slight overfitting", f"A moderate gap ({both}).")
    if fit < _LOW_SCORE:
        text = (
            f"Hardly a gap ({both}), and the training rows are not fitted either: "
            "the capacity is low. Try a larger network, less regularization, or more epochs."
        )
        return Reading("note", "low capacity", text)
    return Reading("good", "little overfitting", f"Hardly a gap ({both}).")


def read_turn(losses: Sequence[float]) -> Reading | None:
    """Say since when the validation loss has been rising, if it has."""
    if len(losses) < _NEEDED:
        return None
    least, last = min(losses), _end(losses)
    epoch = losses.index(least) + 1
    if least <= 0 or last < _TURNED * least or epoch > 0.8 * len(losses):
        return None
    text = (
        f"The validation loss is lowest in epoch {epoch} ({text_of(least)}) and ends at "
        f"{text_of(last)}: from there on it overfits. Stop earlier (patience), or regularize more."
    )
    return Reading("note", "validation loss rises", text)


def read_end(scores: Sequence[float], *, word: str) -> Reading | None:
    """Say whether the validation score was still improving when training ended."""
    last = max(1, len(scores) // 5)
    if len(scores) < 2 * _NEEDED:
        return None
    before, after = fmean(scores[-2 * last : -last]), fmean(scores[-last:])
    if after - before <= max(_RISE * (1 - before), _LEAST_RISE):
        return None
    text = (
        f"The validation {word} was still rising at the end ({after:.4f} in the last {last} "
        f"epochs, {before:.4f} in the {last} before): train for longer."
    )
    return Reading("note", "not finished", text)


def read_average(raw: Sequence[float], averaged: Sequence[float], *, word: str) -> Reading | None:
    """Say whether the running average of the parameters is clearly better at the end."""
    if not raw or not averaged:
        return None
    quarter = max(1, len(raw) // 4)
    ahead = fmean(averaged[-quarter:]) - fmean(raw[-quarter:])
    if ahead < 0.05 * max(1 - fmean(raw[-quarter:]), 0.02):
        return None
    text = (
        f"The running average of the parameters is better by {ahead:.4f} ({word}, over the last "
        "quarter): choose by it with an ema_ metric."
    )
    return Reading("note", "average ahead", text)


def _end(values: Sequence[float]) -> float:
    """Return the mean of the last tenth."""
    return fmean(values[-max(1, len(values) // 10) :])


def _rises(values: Sequence[float], least: float) -> list[float]:
    """Return the steps up that are greater than ``least``."""
    return [after - before for before, after in pairwise(values) if after - before > least]
