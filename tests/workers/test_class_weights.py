"""What classes and rows weigh, from a config and a column to the loss."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_class_weight

from hpsearch.config.network import parse_network
from hpsearch.data import datasets
from hpsearch.results.tables import Results
from hpsearch.run import preflight
from tests.support import run_here, tiny_config, write_mixed
from workers.errors import InputError
from workers.nn.spec import NetworkSpec
from workers.training.class_weights import class_weights, row_weights

Y = np.array([0] * 7 + [1] * 2 + [2], np.int32)
CLASSES = ("a", "b", "c")


def test_balanced_is_scikit_learns() -> None:
    found = class_weights(NetworkSpec(class_weight="balanced"), CLASSES, Y)
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=Y)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_classes_that_are_not_named_weigh_one() -> None:
    spec = parse_network({"class_weight": {"b": 2.5, "c": 0}})
    assert class_weights(spec, CLASSES, Y).tolist() == [1, 2.5, 0]
    assert hash(spec) == hash(parse_network({"class_weight": [["b", 2.5], ["c", 0]]}))


@pytest.mark.parametrize(
    ("given", "classes", "expected"),
    [
        ({"d": 1}, CLASSES, "name classes of the target; got 'd'; choose among a, b, c"),
        ({"a": 1}, (), "got a regression; leave it out"),
        ({"a": 0, "b": 0, "c": 0}, CLASSES, "weigh more than 0"),
    ],
)
def test_bad_tables(given: dict[str, float], classes: tuple[str, ...], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        class_weights(parse_network({"class_weight": given}), classes, Y)


@pytest.mark.parametrize("given", [{"a": -1}, {"a": "x"}, "even", ["a"], 3])
def test_what_is_no_table(given: Any) -> None:
    with pytest.raises(InputError, match=r"network\.class_weight"):
        parse_network({"class_weight": given})


def weighted(folder: Path, weights: list[Any]) -> dict[str, Any]:
    frame = pd.read_csv(write_mixed(folder / "animals.csv"))
    frame["w"] = np.resize(np.array(weights, object), len(frame))
    frame.to_csv(folder / "animals.csv", index=False)
    return {"source": str(folder / "animals.csv"), "target": "animal", "weight": "w"}


def test_a_column_of_weights_is_no_feature_and_has_a_mean_of_one(tmp_path: Path) -> None:
    config = tiny_config(data=weighted(tmp_path, [1, 2, 3.5]) | {"folds": 3})
    split = datasets.load(config.data, seed=0)
    assert "w" not in split.dataset.feature_names
    for part in split.dataset.splits:
        assert part.weights is not None
        assert part.weights.mean() == pytest.approx(1)
        assert len(np.unique(part.weights)) == 3
    spec = NetworkSpec(class_weight="balanced")
    both = row_weights(spec, split.dataset.splits)
    by_class = class_weights(spec, split.dataset.classes, split.dataset.y_train)
    assert both is not None
    assert by_class is not None
    wanted = split.dataset.weights * by_class[split.dataset.y_train]
    np.testing.assert_allclose(both[0], wanted, rtol=1e-6)
    plain = tiny_config(data=config.document["data"] | {"weight": None, "drop": ["w"]})
    other = datasets.load(plain.data, seed=0)
    assert other.dataset.x_train.tobytes() == split.dataset.x_train.tobytes()
    assert other.digest != split.digest


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1, -2, 3], "must hold weights: numbers from 0; got '-2' in row"),
        ([1, "much"], "got 'much' in row"),
        ([1, "inf"], "got 'inf' in row"),
        ([1, None], "got '' in row"),
        ([0], "must weigh more than 0; got 'w' is 0 in all"),
    ],
)
def test_bad_weights(tmp_path: Path, weights: list[Any], expected: str) -> None:
    config = tiny_config(data=weighted(tmp_path, weights))
    with pytest.raises(InputError, match=expected):
        datasets.load(config.data, seed=0)


def test_weights_of_classes_may_be_searched_beside_those_of_rows(tmp_path: Path) -> None:
    data = weighted(tmp_path, [0.5, 1, 2])
    choices = {"type": "categorical", "choices": ["none", "balanced"]}
    config = tiny_config(data=data, search_space__class_weight=choices)
    (whole, _), (first, _) = (run_here(config, tmp_path / name) for name in ("a", "b"))
    tables = [Results.load(run.path).trials.drop(columns="seconds") for run in (whole, first)]
    pd.testing.assert_frame_equal(*tables)
    assert set(tables[0]["class_weight"]) == {"none", "balanced"}


def test_a_class_that_is_not_there_is_told_before_anything_runs() -> None:
    config = tiny_config(network__class_weight={"eleven": 2.0})
    with pytest.raises(InputError, match="got 'eleven'"):
        preflight.load_data(config)
