"""The workers' data set: its sizes, its digest, its way through a pickle."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from workers.data.dataset import Dataset
from workers.data.preprocessing import fit


def dataset(**changes: Any) -> Dataset:
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    base = Dataset(
        task="classification",
        x_train=x,
        y_train=np.array([0, 1, 0, 1], np.int32),
        x_validation=x[:2],
        y_validation=np.array([0, 1], np.int32),
        classes=("a", "b"),
        feature_names=("p", "q", "r"),
        target="class",
        preprocessing=fit(["standardize"], x),
    )
    return replace(base, **changes)


def test_sizes() -> None:
    assert (dataset().rows, dataset().features, dataset().outputs) == (4, 3, 2)
    regression = dataset(classes=(), y_train=np.zeros((4, 5), np.float32))
    assert regression.outputs == 5


def test_equal_data_have_equal_digests() -> None:
    assert dataset().digest == dataset().digest
    assert len(dataset().digest) == 64
    read_only = np.asfortranarray(dataset().x_train)
    read_only.flags.writeable = False
    assert dataset(x_train=read_only).digest == dataset().digest


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "regression"},
        {"x_train": np.arange(1, 13, dtype=np.float32).reshape(4, 3)},
        {"x_train": np.arange(12, dtype=np.float32).reshape(2, 6)},
        {"y_train": np.array([1, 1, 0, 1], np.int32)},
        {"y_train": np.array([0, 1, 0, 1], np.uint32)},
        {"further": (dataset(),)},
        {"further": (dataset(), dataset())},
        {"x_validation": np.zeros((2, 3), np.float32)},
        {"y_validation": np.array([1, 1], np.int32)},
        {"classes": ("a", "c")},
        {"feature_names": ("p", "r", "q")},
        {"target": "y"},
        {"preprocessing": fit(["center"], np.eye(3))},
    ],
    ids=str,
)
def test_the_digest_sees_every_change(changes: dict[str, Any]) -> None:
    assert dataset(**changes).digest != dataset().digest


def test_it_holds_nothing_of_the_test_set() -> None:
    assert not [name for name in Dataset.__dataclass_fields__ if "test" in name]


def test_pickle_hands_the_arrays_out_of_band() -> None:
    original = dataset()
    buffers: list[pickle.PickleBuffer] = []
    packed = pickle.dumps(original, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(packed, buffers=buffers)
    assert np.shares_memory(again.x_train, original.x_train)
    assert again.digest == original.digest
