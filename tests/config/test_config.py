"""Every rule about a config: one line with the rule, the value and the remedy."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch.config.loading import build, load
from hpsearch.config.network import parse_network
from hpsearch.config.sections.study import METRICS
from hpsearch.config.target_warnings import target_warnings
from tests.support import TINY, tiny, tiny_config
from workers.errors import InputError
from workers.nn.spec import NetworkSpec

CONFIGS = Path(__file__).parents[2] / "configs"


def rate(**values: Any) -> dict[str, Any]:
    """A search space of one learning rate."""
    return {"search_space": {"learning_rate": {"type": "float", **values}}}


def choices(name: str, *values: Any) -> dict[str, Any]:
    return {"search_space": {name: {"type": "categorical", "choices": list(values)}}}


# Each change, with what the line must hold beside "; got " and a remedy.
REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    # Keys
    ({"studdy": {}}, ["studdy", "'study'"]),
    ({"study__nam": "x"}, ["study.nam", "'name'"]),
    ({"network__lr": 0.1}, ["network.lr", "did you mean 'learning_rate'?"]),
    ({"network__bn": True}, ["network.bn", "did you mean 'batch_normalization'?"]),
    ({"learning_rate": 0.1}, ["no key learning_rate", "did you mean 'network.learning_rate'?"]),
    ({"l2": 0.1}, ["no key l2", "network.l2, search_space.l2"]),
    ({"data__preproces": []}, ["data.preproces", "'preprocess'"]),
    ({"network__hiden": [3]}, ["network.hiden", "'hidden'"]),
    ({"search_space__lerning_rate": {}}, ["search_space.lerning_rate", "type"]),
    (choices("lerning_rate", 0.1), ["search_space.lerning_rate", "'learning_rate'"]),
    (rate(low=0.1, high=1, logg=True), ["learning_rate.logg", "'log'"]),
    ({"stages__0__epoch": 1}, ["stages.0.epoch", "'epochs'"]),
    ({"stages__1__narrow": {"keep": 1}}, ["stages.1.narrow.keep", "'keep_top'"]),
    ({"checkpoint__evry": 1}, ["checkpoint.evry", "'every'"]),
    ({"ensemble__sise": 1}, ["ensemble.sise", "'size'"]),
    ({"data__validation": {"row": [1, 2]}}, ["data.validation.row", "'rows'"]),
    # What must be there
    *[({section: None}, [section, "must be given"]) for section in ("study", "data", "stages")],
    ({"search_space": None}, ["search_space", "must be given"]),
    ({"study__name": None}, ["study.name", "must be given"]),
    ({"data__source": None}, ["data.source", "must be given"]),
    ({"stages__1__epochs": None}, ["stages.1.epochs", "must be given"]),
    (rate(low=1), ["search_space.learning_rate.high", "must be given"]),
    ({"stages": []}, ["stages", "not be empty"]),
    (choices("hidden"), ["search_space.hidden.choices", "not be empty"]),
    # Types
    ({"study": 5}, ["study", "mapping", "5"]),
    ({"network": []}, ["network", "mapping", "[]"]),
    ({"stages": {}}, ["stages", "list"]),
    ({"stages": [5]}, ["stages.0", "mapping"]),
    ({"search_space__learning_rate": 5}, ["search_space.learning_rate", "mapping"]),
    ({"search_space__learning_rate": {"low": 1}}, ["learning_rate", "type"]),
    ({"search_space__learning_rate__type": "flot"}, ["'float', 'int', 'categorical'", "flot"]),
    ({"study__name": 5}, ["study.name", "text", "5"]),
    ({"study__seed": "1"}, ["study.seed", "whole number", "'1'"]),
    ({"study__seed": 1.5}, ["study.seed", "whole number", "1.5"]),
    ({"study__seed": True}, ["study.seed", "whole number", "True"]),
    ({"data__header": "yes"}, ["data.header", "true or false", "'yes'"]),
    ({"data__target": 1.5}, ["data.target", "text or a whole number"]),
    ({"data__preprocess": "standardize"}, ["data.preprocess", "list"]),
    ({"data__validation": "0.2"}, ["data.validation", "share", "'0.2'"]),
    ({"data__validation": True}, ["data.validation", "number", "True"]),
    ({"data__validation": []}, ["data.validation", "share", "[]"]),
    ({"stages__0__num_trials": 6.0}, ["stages.0.num_trials", "whole number"]),
    ({"network__hidden": 3}, ["network.hidden", "list", "3"]),
    ({"network__hidden": [8.0]}, ["network.hidden.0", "whole number", "8.0"]),
    ({"network__batch_size": "all"}, ["network.batch_size", "'full'", "'all'"]),
    ({"network__batch_normalization": 1}, ["network.batch_normalization", "true or false"]),
    (rate(low="1e-6x", high=1), ["learning_rate.low", "number", "'1e-6x'"]),
    (rate(low=0.1, high=1, log="yes"), ["learning_rate.log", "true or false"]),
    ({"search_space__batch_size": {"type": "int", "low": 1.5, "high": 3}}, ["low", "whole"]),
    # Bounds
    ({"study__seed": -1}, ["study.seed", "0", "-1"]),
    ({"study__seed": 2**63}, ["study.seed", "less than"]),
    ({"study__max_failures": -1}, ["study.max_failures", "-1"]),
    ({"data__target": -1}, ["data.target", "-1"]),
    ({"data__delimiter": ",,"}, ["data.delimiter", "1 character", "',,'"]),
    *[({"data__validation": share}, ["data.validation", str(share)]) for share in (0, 1, -0.1, 2)],
    ({"data__test": 1.5}, ["data.test", "1.5"]),
    ({"network__hidden": [0]}, ["network.hidden.0", "0"]),
    ({"network__batch_size": 0}, ["network.batch_size", "0"]),
    ({"network__epsilon": 1e-46}, ["network.epsilon", "1e-45", "1e-46"]),
    ({"network__learning_rate": 0}, ["network.learning_rate", "0"]),
    ({"network__learning_rate": float("nan")}, ["network.learning_rate", "nan"]),
    ({"network__learning_rate": float("inf")}, ["network.learning_rate", "inf"]),
    ({"network__dropout": 1}, ["network.dropout", "less than 1"]),
    ({"network__dropout": [0.5, 2]}, ["network.dropout.1", "less than 1", "2"]),
    ({"stages__0__epochs": 0}, ["stages.0.epochs", "0"]),
    ({"stages__0__epochs": 10**30}, ["stages.0.epochs", "1000000000"]),
    ({"stages__1__narrow": {"keep_top": 0}}, ["stages.1.narrow.keep_top", "0"]),
    ({"stages__1__narrow": {"keep_top": 1.5}}, ["stages.1.narrow.keep_top", "1.5"]),
    ({"stages__1__narrow": {"margin": -1}}, ["stages.1.narrow.margin", "-1"]),
    ({"stages__1__narrow": {"min_width": 0}}, ["stages.1.narrow.min_width", "0"]),
    ({"checkpoint__every": 0}, ["checkpoint.every", "0"]),
    ({"checkpoint__ema_decay": 1}, ["checkpoint.ema_decay", "less than 1"]),
    ({"ensemble__size": 101}, ["ensemble.size", "100", "101"]),
    # Ranges
    (rate(low=2, high=1), ["low must be below high", "low=2, high=1", "swap"]),
    (rate(low=1, high=1), ["low must be below high", "widen"]),
    (rate(low=0, high=1, log=True), ["above 0 on a log scale", "low=0"]),
    (rate(low=-6.5, high=1, log=True), ["above 0 on a log scale", "low=-6.5"]),
    (rate(low=-6, high=1, log=True), ["not exponents", "1e-06 and 10"]),
    (rate(low=-6, high=-1, log=True), ["not exponents", "1e-06 and 0.1"]),
    (rate(low=-6, high=1), ["not exponents", "low: 1e-06, high: 10, log: true"]),
    (rate(low=-0.5, high=1), ["search_space.learning_rate", "greater than 0", "-0.5"]),
    (rate(low=0.1, high=1e10), ["search_space.learning_rate", "1000000000"]),
    (rate(low=0.1, high=float("inf")), ["learning_rate.high", "finite"]),
    (rate(low=float("nan"), high=1), ["learning_rate.low", "finite"]),
    (rate(low=0.1, high=1, log=True, step=0.1), ["no step", "step=0.1"]),
    (rate(low=0.1, high=1, step=5), ["step must not be above", "step=5"]),
    (rate(low=0.1, high=1, step=0), ["learning_rate.step", "0"]),
    ({"search_space__dropout__high": 1}, ["search_space.dropout", "less than 1"]),
    ({"search_space__batch_size": {"type": "float", "low": 8, "high": 9}}, ["batch_size", "8.0"]),
    # Choices
    (choices("hidden", [8], [8]), ["given once", "twice"]),
    (choices("batch_size", 8, 8.0), ["given once", "8.0 twice"]),
    (choices("hidden", [8], [0]), ["search_space.hidden.0", "0"]),
    (choices("hidden", {"a": 1}), ["search_space.hidden.choices.0", "{'a': 1}"]),
    (choices("activation", "relu", "tan"), ["search_space.activation", "tanh", "'tan'"]),
    # Names out of tables
    ({"study__direction": "up"}, ["study.direction", "'maximize' or 'minimize'", "'up'"]),
    ({"study__metric": "accuracy"}, ["study.metric", "val_accuracy", "'accuracy'"]),
    ({"study__metric": "ema_"}, ["study.metric", "val_accuracy", "'ema_'"]),
    ({"data__format": "xls"}, ["data.format", "'csv'", "'xls'"]),
    ({"data__task": "ranking"}, ["data.task", "'classification' or 'regression'"]),
    ({"data__preprocess": ["normalise"]}, ["preprocess", "standardize", "'normalise'"]),
    ({"network__activation": "rellu"}, ["network.activation", "relu", "'rellu'"]),
    ({"network__activation": ["relu"]}, ["network.activation", "tanh", "['relu']"]),
    ({"network__loss": "mse"}, ["network.loss", "softmax", "'mse'"]),
    ({"network__optimizer": 3}, ["network.optimizer", "momentum", "3"]),
    ({"stages__1__narrow": {"at_border": "grow"}}, ["at_border", "'extend'", "'grow'"]),
    ({"ensemble__method": "best"}, ["ensemble.method", "'greedy'", "'best'"]),
    # Names of runs and stages
    *[
        ({"study__name": name}, ["study.name", "1 to 64"])
        for name in ("", "a/b", "../x", "..", ".x", "a" * 65, "ä", "a\n", "a\0", "a b", "~")
    ],
    ({"stages__1__name": "coarse"}, ["name may stand once", "'coarse'"]),
    ({"stages__1__name": "a b"}, ["stages.1.name", "1 to 64"]),
    # Splits
    ({"data__validation": {}}, ["data.validation", "exactly one of share, rows and source"]),
    ({"data__test": {"share": 0.1, "rows": [0, 3]}}, ["data.test", "exactly one"]),
    ({"data__test": {"rows": [5, 3]}}, ["data.test.rows", "first below end", "[5, 3]"]),
    ({"data__test": {"rows": [3, 3]}}, ["data.test.rows", "first below end"]),
    ({"data__test": {"rows": [-1, 3]}}, ["data.test.rows.0", "-1"]),
    ({"data__test": {"rows": [1]}}, ["data.test.rows", "more items"]),
    ({"data__test": {"rows": [1, 2, 3]}}, ["data.test.rows", "at most 2"]),
    ({"data__test": {"rows": "1-3"}}, ["data.test.rows", "list"]),
    # Sections that do not go together
    ({"study__direction": "minimize"}, ["study.direction", "maximize for val_accuracy"]),
    ({"study__metric": "val_mse"}, ["must fit data.task", "val_mse and classification"]),
    ({"study__metric": "ema_val_r2"}, ["must fit data.task", "ema_val_r2 and classification"]),
    ({"study__metric": "val_mae"}, ["must fit data.task", "val_mae and classification"]),
    ({"data__task": "regression"}, ["must fit data.task", "val_accuracy and regression"]),
    (
        {"study__metric": "val_roc_auc", "data__task": "regression"},
        ["must fit data.task", "val_roc_auc and regression", "val_mse"],
    ),
    (
        {"study__metric": "val_brier", "study__direction": "maximize"},
        ["study.direction", "minimize for val_brier"],
    ),
    (
        {"study__metric": "ema_val_loss", "checkpoint__ema_decay": 0},
        ["needs a running average", "ema_decay"],
    ),
    ({"checkpoint__keep_top": 2}, ["keep_top", "ensemble.size", "2 and 3"]),
    ({"stages__0__narrow": {}}, ["first stage", "'coarse'"]),
    # What JSON or text can't hold
    ({"data__source": "\ud800"}, ["plain text"]),
    ({"data__source": b"x"}, ["plain values"]),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused_in_one_line(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        build(tiny(**changes))
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    assert all(word in line for word in words), line
    assert all((caught.value.rule, caught.value.value, caught.value.remedy)), line


@pytest.mark.parametrize(
    ("changes", "get", "value"),
    [
        ({}, lambda c: c.study.seed, 3),
        ({"study__seed": None}, lambda c: c.study.seed, 0),
        ({"study__metric": None}, lambda c: (c.study.metric, c.study.sign), ("val_accuracy", 1)),
        ({"study__metric": "val_loss"}, lambda c: c.study.sign, -1),
        ({"study__metric": "ema_val_loss"}, lambda c: c.study.sign, -1),
        ({"data__validation": 0.3}, lambda c: c.data.validation.share, 0.3),
        ({"data__validation": {"rows": [3, 5]}}, lambda c: c.data.validation.rows, (3, 5)),
        ({"data": {"source": "x", "test": None}}, lambda c: c.data.test, None),
        ({"data__target": 0}, lambda c: c.data.target, 0),
        ({"data__target": "0"}, lambda c: c.data.target, "0"),
        ({"network": None}, lambda c: c.network, NetworkSpec()),
        ({"network__dropout": [0.5]}, lambda c: c.network.dropout, (0.5,)),
        ({"network__batch_size": "full"}, lambda c: c.network.batch_size, "full"),
        ({"network__learning_rate": 1}, lambda c: c.network.learning_rate, 1.0),
        ({"stages__1__narrow": {"keep_top": 3}}, lambda c: c.stages[1].narrow.keep_top, 3),
        ({"stages__1__narrow": {"keep_top": 1.0}}, lambda c: c.stages[1].narrow.keep_top, 1.0),
        ({}, lambda c: c.num_trials, 10),
        ({"search_space": {}}, lambda c: len(c.search_space), 0),
    ],
)
def test_accepted(changes: dict[str, Any], get: Any, value: Any) -> None:
    found = get(tiny_config(**changes))
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_that_come_along_are_good(path: Path) -> None:
    assert load(path).study.name == path.stem


def test_numbers_as_yaml_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = yaml.safe_dump(tiny(), sort_keys=False).replace("low: 0.001", "low: 1e-6")
    assert "low: 1e-6" in text
    path.write_text(text)
    dimension = load(path).search_space["learning_rate"]
    assert (dimension.low, type(dimension.low)) == (1e-6, float)


def test_assignments_are_checked_like_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(tiny()))
    assignments = [
        "study.seed=7",
        "stages.fine.epochs=9",
        "stages.0.epochs=3",
        "network.hidden=[5]",
    ]
    config = load(path, assignments=assignments, name="other")
    assert (config.study.seed, config.study.name) == (7, "other")
    assert [stage.epochs for stage in config.stages] == [3, 9]
    assert config.network.hidden == (5,)
    assert config.document["study"]["seed"] == 7
    for assignment in ("study.sed=7", "stages.fine.epochs=0", "stages.medium.epochs=1"):
        with pytest.raises(InputError):
            load(path, assignments=[assignment])
    for name in ("a/b", "", "x: y", "*a"):
        with pytest.raises(InputError, match="name"):
            load(path, name=name)


def test_a_config_is_the_same_after_writing_its_document() -> None:
    config = tiny_config(study__name="1e5")
    assert build(copy.deepcopy(dict(config.document))) == config


def test_limits_are_what_the_network_takes() -> None:
    space = {
        "learning_rate": {"type": "float", "low": 1e-3, "high": 1.0},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "batch_size": {"type": "int", "low": 8, "high": 64},
        "l2": {"type": "float", "low": 0.0, "high": 0.5},
    }
    config = tiny_config(search_space=space)
    for name, ends in config.limits.items():
        for value in ends:
            if math.isfinite(value):
                parse_network({name: int(value) if name == "batch_size" else value})
    assert 0.99 < config.limits["dropout"][1] < 1
    assert config.limits["learning_rate"][0] > 0
    assert config.limits["l2"] == (0.0, 1e9)
    assert config.limits["batch_size"][0] == 1


def test_sampled_values_replace_the_networks() -> None:
    spec = tiny_config(network__dropout=0.1).spec({"learning_rate": 0.5})
    assert (spec.learning_rate, spec.dropout, spec.hidden) == (0.5, 0.1, (8,))


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_the_direction_of_its_name(metric: str) -> None:
    better = "minimize" if metric.endswith(("loss", "mse", "mae", "brier")) else "maximize"
    assert METRICS[metric] == better


def test_what_the_data_say_is_checked_against_every_end_of_the_space() -> None:
    config = tiny_config(**choices("loss", "softmax", "logistic"))
    config.check_outputs(2)
    with pytest.raises(InputError, match="two classes"):
        config.check_outputs(3)


# --- noise

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NOISE = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.text(max_size=5), LEAVES)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document that a value can be put at."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = [*value.items(), ("new", None)]
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [p for key, item in inner for p in ((*path, key), *places(item, (*path, key)))]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(places(TINY)), noise=NOISE)
def test_any_value_anywhere_is_taken_or_refused(place: tuple[Any, ...], noise: Any) -> None:
    """Never another error than InputError, and one line."""
    document = tiny()
    target: Any = document
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = noise
    try:
        build(document)
        refusal = "; "
    except InputError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert "; " in refusal


@pytest.mark.parametrize(
    ("size", "changes", "odd"),
    [
        (100.0, {}, True),
        (100.0, {"data__task": "classification"}, False),
        (20.0, {}, False),
        (100.0, {"search_space__learning_rate__high": 5e-3}, False),
        (1e4, {"search_space__learning_rate__high": 5e-3}, True),
        (90.0, {"search_space__learning_rate": None}, False),
        (100.0, {"search_space__learning_rate": None, "network__learning_rate": 0.1}, True),
    ],
)
def test_targets_are_set_against_the_learning_rates(
    size: float, changes: dict[str, Any], odd: bool
) -> None:
    regression = {
        "study__metric": "val_loss",
        "data__task": "regression",
        "network__loss": "squared_error",
    }
    config = tiny_config(**regression | changes)
    small = np.array([[-0.1], [0.1]] * 5)
    targets = np.hstack([small, 10 * size * small])
    assert len(target_warnings(config, targets)) == odd


def test_targets_that_vary_little_about_a_large_mean_lose_digits() -> None:
    regression = {"data__task": "regression", "network__loss": "squared_error"}
    config = tiny_config(study__metric="val_loss", **regression)
    steady = np.array([[1e7 - 1.0], [1e7 + 1.0]] * 5)
    (line,) = target_warnings(config, steady)
    assert line.startswith("data.target: the targets vary by 1 about a mean of 1e+07")
    assert "scale_targets: true" in line
    assert target_warnings(config, (steady - 1e7)) == []
