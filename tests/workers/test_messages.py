"""Messages cross processes unchanged, and nobody changes them on the way."""

import dataclasses
import pickle
from typing import Any

import pytest

from workers import messages
from workers.messages import Checkpoint, EpochReport, Pack, RunSettings, Trial
from workers.nn.layer_statistics import LayerStatistics
from workers.nn.spec import NetworkSpec

CHECKPOINT = Checkpoint("val_loss=000000.5000_trial=00003_epoch=0002", 3, 2, 0.5, 1234, "ab" * 32)
TRIAL = Trial(3, NetworkSpec(hidden=(8, 4), dropout=(0.1, 0.2)), 9, attempt=2, start=CHECKPOINT)
EXAMPLES = [
    CHECKPOINT,
    TRIAL,
    Pack(7, (TRIAL, Trial(4, NetworkSpec(), 9))),
    RunSettings(1, "val_loss", "minimize", "/somewhere", 2, 0.995),
    EpochReport(3, 2, 5, {"val_loss": 0.1 + 0.2}, 0.25, CHECKPOINT, stopped="enough"),
    EpochReport(3, 2, 5, {}, 0.25, layers=(LayerStatistics(1e-3, 0.1, 0.5, 1.0, dead=0.25),)),
    EpochReport(3, 2, 6, {}, 0.25, failure="train_loss became nan in epoch 6"),
]


def test_every_message_has_an_example() -> None:
    defined = {
        value
        for value in vars(messages).values()
        if dataclasses.is_dataclass(value) and value.__module__ == messages.__name__
    }
    assert {type(example) for example in EXAMPLES} == defined


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_messages_survive_pickling(message: Any) -> None:
    copy = pickle.loads(pickle.dumps(message))
    assert copy == message
    assert type(copy) is type(message)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_messages_are_frozen_and_take_no_other_attributes(message: Any) -> None:
    first = dataclasses.fields(message)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(message, first, None)
    with pytest.raises((AttributeError, TypeError)):
        message.note = "hello"


def test_messages_differ_if_any_field_does() -> None:
    for changes in ({"attempt": 3}, {"epoch": 6}, {"metrics": {}}, {"stopped": None}):
        assert dataclasses.replace(EXAMPLES[4], **changes) != EXAMPLES[4]  # type: ignore[type-var]
