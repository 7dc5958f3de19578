"""What `hpsearch check` looks at."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hpsearch.run import preflight
from tests.support import tiny_config
from workers.nn.checks.gradient_check import Finding, Verdict


def with_data_of(split: int | None, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Check a linear model on three folds, one of which has equal rows of different classes."""
    config = tiny_config(
        data={"source": "iris", "folds": 3},
        network={"hidden": [], "learning_rate": 1.0},
        search_space={"l2": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}},
    )
    whole = preflight.load_data(config)
    splits = list(whole.dataset.splits)
    if split is not None:
        splits[split] = replace(splits[split], x_train=np.ones_like(splits[split].x_train))
    data = replace(splits[0], further=tuple(replace(s, further=()) for s in splits[1:]))
    monkeypatch.setattr(preflight, "load_data", lambda *_: replace(whole, dataset=data))
    (checked,) = preflight.preflight(config)
    return list(checked.findings)


@pytest.mark.parametrize("split", range(3))
def test_what_one_split_fails_the_check_fails(split: int, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = with_data_of(split, monkeypatch)
    (found,) = [finding for finding in findings if finding.failed]
    assert (found.check, found.verdict) == ("tiny subset", "wrong")
    assert found.remark.endswith(f"; split {split + 1}")


def test_sound_splits_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(finding.failed for finding in with_data_of(None, monkeypatch))


@pytest.mark.parametrize(
    ("found", "worst"),
    [
        ([("right", 5.0), ("acceptable", 1e-6), ("right", 9.0)], 1),
        ([("acceptable", 1e-6), ("acceptable", 3e-6), ("acceptable", 2e-6)], 1),
        ([("wrong", 0.5), ("wrong", 0.1), ("wrong", math.nan)], 2),
        ([("doubtful", 1e-3), ("wrong", 0.0), ("acceptable", 1.0)], 1),
        ([("right", 0.0), ("right", 0.0), ("right", 0.0)], 0),
    ],
)
def test_the_worst_is_told(
    found: list[tuple[Verdict, float]], worst: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = iter(Finding("check", f"of {n}", v, b) for n, (b, v) in enumerate(found))
    monkeypatch.setattr(preflight, "check_gradients", lambda *_, **__: [next(findings)])
    for other in ("check_precision", "check_sanity"):
        monkeypatch.setattr(preflight, other, lambda *_, **__: [])
    (finding,) = with_data_of(None, monkeypatch)
    assert (finding.subject, finding.remark) == (f"of {worst}", f"split {worst + 1}")


def test_a_single_split_is_not_spoken_of() -> None:
    checked = preflight.preflight(tiny_config())
    assert not [f for one in checked for f in one.findings if "split" in f.remark]


def test_the_middle_of_ranges_and_each_other_choice_are_checked() -> None:
    space = {
        "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        "momentum": {"type": "fixed", "value": 0.5},
        "optimizer": {"type": "categorical", "choices": ["momentum", "adam", "rmsprop"]},
        "activation": {"type": "categorical", "choices": ["tanh", "relu"]},
    }
    checked = preflight.preflight(tiny_config(search_space=space))
    middle = {"learning_rate": pytest.approx(1e-3), "momentum": 0.5}
    assert [one.params for one in checked] == [
        middle | {"optimizer": optimizer, "activation": activation}
        for optimizer, activation in (
            *(("momentum", "tanh"), ("adam", "tanh"), ("rmsprop", "tanh"), ("momentum", "relu")),
        )
    ]
