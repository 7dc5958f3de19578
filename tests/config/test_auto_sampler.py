"""Which sampler `auto` stands for."""

from pathlib import Path
from typing import Any

import pytest

from hpsearch.config.search_config import SearchConfig
from tests.support import run_here, tiny_config

CHOICE = {"type": "categorical", "choices": ["momentum", "adam"]}
RATE = {"type": "float", "low": 1e-4, "high": 0.1, "log": True}
SHARE = {"type": "float", "low": 0.1, "high": 0.9}
MANY = ["learning_rate", "l1", "l2", "dropout", "input_dropout", "momentum", "rho", "beta1"]
MANY += ["beta2", "margin", "weight_decay"]


def auto(*stages: dict[str, Any], **changes: Any) -> SearchConfig:
    named = [{"name": f"s{n}", "sampler": "auto", "epochs": 2} | s for n, s in enumerate(stages)]
    return tiny_config(stages=named, **changes)


def samplers(*stages: dict[str, Any], space: dict[str, Any] | None = None) -> list[str]:
    space = space or {"learning_rate": RATE}
    return [stage.sampler for stage in auto(*stages, search_space=space).stages]


def test_the_first_of_several_stages_is_a_sobol_sequence() -> None:
    assert samplers({"num_trials": 9}, {"num_trials": 9}, {"num_trials": 9}) == [
        "sobol",
        "gp",
        "gp",
    ]


@pytest.mark.parametrize(
    ("trials", "space", "sampler"),
    [
        (200, {"learning_rate": RATE}, "gp"),
        (201, {"learning_rate": RATE}, "tpe"),
        (20, {"learning_rate": RATE, "optimizer": CHOICE}, "gp"),
        (20, {"optimizer": CHOICE}, "tpe"),
        (20, {"optimizer": CHOICE, "momentum": SHARE | {"when": {"optimizer": "momentum"}}}, "tpe"),
        (20, dict.fromkeys(MANY[:10], SHARE), "gp"),
        (20, dict.fromkeys(MANY, SHARE), "tpe"),
    ],
)
def test_a_few_ranges_and_trials_are_for_the_gaussian_process(
    trials: int, space: dict[str, Any], sampler: str
) -> None:
    assert samplers({"num_trials": trials}, space=space) == [sampler]
    # The trials of all stages count.
    more = samplers({"num_trials": trials // 2}, {"num_trials": -(-trials // 2)}, space=space)
    assert more == ["sobol", sampler]


def test_what_is_fixed_in_a_stage_does_not_count() -> None:
    held = {"num_trials": 20, "fixed": {"optimizer": "adam"}}
    space = {
        "learning_rate": RATE,
        "optimizer": CHOICE,
        "activation": CHOICE | {"choices": ["relu", "tanh"]},
    }
    assert samplers({"num_trials": 20}, held, space=space) == ["sobol", "gp"]
    assert samplers({"num_trials": 20}, {"num_trials": 20}, space=space) == ["sobol", "tpe"]


def test_the_log_says_what_auto_is_and_what_was_named_stays(tmp_path: Path) -> None:
    config = auto({"num_trials": 3}, {"num_trials": 2}, {"num_trials": 2, "sampler": "random"})
    folder, _ = run_here(config, tmp_path / "run")
    lines = folder.log.read_text().splitlines()
    said = [line.split("stage ", 1)[1] for line in lines if "sampler auto" in line]
    assert said == ["s0: sampler auto is sobol", "s1: sampler auto is gp"]
    assert folder.load_config().stages[2].sampler == "random"
