"""Ensembles: averages by hand, folders that need nothing else, damage that is told."""

import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.data import datasets
from hpsearch.data.datasets import Split
from hpsearch.ensembles import ensemble, metrics, model, selection
from hpsearch.ensembles.ensemble import DESCRIPTION, Ensemble
from hpsearch.results.tables import Results
from hpsearch.storage.folder import RunFolder
from workers.errors import CheckpointError, HpsearchError, InputError


@dataclass(frozen=True)
class Fixed:
    """A model that says the same of every row."""

    answer: tuple[float, ...]
    task: str = "classification"
    classes: tuple[str, ...] = ("no", "yes")

    def predict_proba(self, x: Any) -> np.ndarray:
        return np.tile(np.array(self.answer, np.float32), (len(x), 1))


def fixed(*answers: tuple[float, ...], weights: tuple[float, ...]) -> Ensemble:
    return Ensemble(tuple(map(Fixed, answers)), weights)  # type: ignore[arg-type]


def test_probabilities_are_averaged_by_weight() -> None:
    # 0.25 * 0.8 + 0.75 * 0.2 = 0.35
    both = fixed((0.8, 0.2), (0.2, 0.8), weights=(0.25, 0.75))
    assert both.predict_proba(np.zeros((3, 1))) == pytest.approx(np.array([[0.35, 0.65]] * 3))
    assert (both.task, both.classes) == ("classification", ("no", "yes"))


def test_averages_are_of_probabilities_and_not_of_votes() -> None:
    three = fixed((0.9, 0.1), (0.4, 0.6), (0.4, 0.6), weights=(1 / 3,) * 3)
    assert three.predict_proba(np.zeros((1, 1))).argmax() == 0


# --- choosing


@pytest.fixture(scope="module")
def split(colours_run: RunFolder) -> Split:
    config = colours_run.load_config()
    return datasets.load(config.data, seed=config.study.seed)


def candidates(run: RunFolder) -> list[Path]:
    return [run.checkpoints / name for name in Results.load(run.path).checkpoints["name"]]


def chosen(run: RunFolder, split: Split, **values: Any) -> Ensemble:
    options: dict[str, Any] = {"method": "top", "size": 3, "metric": "val_accuracy"}
    options["rows"] = (split.x_validation, split.dataset.y_validation)
    return selection.choose(candidates(run), **(options | values))


def test_the_top_ones_are_those_with_the_best_recorded_scores(
    colours_run: RunFolder, split: Split
) -> None:
    found = chosen(colours_run, split, size=2)
    best = Results.load(colours_run.path).top(2)
    assert [m.metadata["trial"] for m in found.members] == list(best["trial"])
    assert found.weights == (0.5, 0.5)


@pytest.mark.parametrize("metric", ["val_accuracy", "val_loss", "ema_val_loss"])
def test_greedy_is_as_good_as_the_best_single_one(
    colours_run: RunFolder, split: Split, metric: str
) -> None:
    found = chosen(colours_run, split, method="greedy", metric=metric)
    name, sign = ("accuracy", 1) if metric == "val_accuracy" else ("log_loss", -1)
    y = split.dataset.y_validation

    def score(one: Any) -> float:
        measured = metrics.measure("classification", one.predict_held_out(split.x_validation), y)
        return sign * measured[name]

    assert score(found) >= max(score(model.load(path)) for path in candidates(colours_run)) - 1e-5


def test_averaged_weights_are_chosen_by_word(colours_run: RunFolder, split: Split) -> None:
    assert {m.averaged for m in chosen(colours_run, split).members} == {False}
    assert {m.averaged for m in chosen(colours_run, split, averaged=True).members} == {True}


def test_the_best_are_the_same_without_any_rows(colours_run: RunFolder, split: Split) -> None:
    with_rows, without = chosen(colours_run, split), chosen(colours_run, split, rows=None)
    assert with_rows.weights == without.weights
    numbers = [[m.metadata["trial"] for m in made.members] for made in (with_rows, without)]
    assert numbers[0] == numbers[1]
    with pytest.raises(ValueError, match="greedy needs"):
        chosen(colours_run, split, method="greedy", rows=None)


def test_nothing_makes_no_ensemble() -> None:
    with pytest.raises(InputError, match="completed trial"):
        selection.choose([], method="top", size=3, metric="val_loss", rows=None)


# --- folders


def test_a_saved_ensemble_needs_nothing_else(
    colours_run: RunFolder, split: Split, tmp_path: Path
) -> None:
    expected = chosen(colours_run, split, method="greedy").predict_proba(split.x_validation[0])
    copy = tmp_path / "run"
    shutil.copytree(colours_run.path, copy)
    saved = copy / "ensembles" / "mine"
    ensemble.save(chosen(RunFolder(copy), split, method="greedy"), saved)
    moved = tmp_path / "elsewhere"
    saved.rename(moved)
    shutil.rmtree(copy)
    assert (ensemble.load(moved).predict_proba(split.x_validation[0]) == expected).all()
    assert {stat.S_IMODE(path.stat().st_mode) for path in moved.iterdir()} == {0o600}
    assert stat.S_IMODE(moved.stat().st_mode) == 0o700


def test_averaged_members_stay_averaged(
    colours_run: RunFolder, split: Split, tmp_path: Path
) -> None:
    made = chosen(colours_run, split, averaged=True)
    ensemble.save(made, tmp_path / "a")
    again = ensemble.load(tmp_path / "a")
    x = split.x_validation[0]
    assert (again.predict_proba(x) == made.predict_proba(x)).all()
    assert (again.predict_proba(x) != chosen(colours_run, split).predict_proba(x)).any()


def test_saving_again_replaces(colours_run: RunFolder, split: Split, tmp_path: Path) -> None:
    ensemble.save(chosen(colours_run, split, size=3), tmp_path / "a")
    ensemble.save(chosen(colours_run, split, size=1), tmp_path / "a")
    assert len(ensemble.load(tmp_path / "a").members) == 1
    assert len(list((tmp_path / "a").iterdir())) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_what_a_path_stands_for(colours_run: RunFolder, split: Split) -> None:
    best = candidates(colours_run)[0]
    assert [m.metadata["trial"] for m in ensemble.load(best).members] == [
        model.load(best).metadata["trial"]
    ]
    of_run = ensemble.load(colours_run.path)
    of_folder = ensemble.load(colours_run.ensembles / "top-3")
    x = split.x_validation[0]
    assert len(of_run.members) == 3
    assert (of_run.predict_proba(x) == of_folder.predict_proba(x)).all()


@pytest.mark.parametrize("name", ["nowhere", "a" * 300, "a\0b"])
def test_what_is_no_model(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        ensemble.load(tmp_path / name)
    with pytest.raises(InputError):
        ensemble.load(tmp_path)


def test_an_unfinished_run_has_no_model_yet(colours_run: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(colours_run.path, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(InputError, match="once it is finished"):
        ensemble.load(tmp_path / "run")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"ensemble": {"path": 5}}',
        '{"ensemble": {"path": ".."}}',
        "\xff" * 500,
        "[" * 100_000,
    ],
)
def test_a_damaged_summary_is_told(colours_run: RunFolder, tmp_path: Path, text: str) -> None:
    shutil.copytree(colours_run.path, tmp_path / "run")
    (tmp_path / "run" / "summary.json").write_text(text, encoding="latin-1")
    with pytest.raises(HpsearchError) as caught:
        ensemble.load(tmp_path / "run")
    assert len(str(caught.value)) < 500


def swap(path: Path, key: str, value: Any) -> None:
    """Change a member's entry, or the list of members."""
    description = json.loads(path.read_text())
    if key == "members":
        description["members"] = value
    else:
        description["members"][0][key] = value
    path.write_text(json.dumps(description))


def link(path: Path) -> None:
    member = next(path.parent.glob("*.safetensors"))
    other = member.rename(path.parent / "other")
    member.symlink_to(other)


def truncate(path: Path) -> None:
    member = next(path.parent.glob("*.safetensors"))
    os.truncate(member, member.stat().st_size - 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text("{"),
        lambda path: path.write_bytes(b"\xff" * 500),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text("[]"),
        lambda path: swap(path, "members", []),
        lambda path: swap(path, "members", 5),
        lambda path: swap(path, "members", [5]),
        lambda path: swap(path, "weight", 0.5),
        lambda path: swap(path, "weight", float("nan")),
        lambda path: swap(path, "weight", -1),
        lambda path: swap(path, "weight", "heavy"),
        lambda path: swap(path, "file", "../../search.db"),
        lambda path: swap(path, "file", "/etc/passwd"),
        lambda path: swap(path, "file", "val_accuracy=0.5000_trial=00099_epoch=0001.safetensors"),
        lambda path: next(path.parent.glob("*.safetensors")).unlink(),
        link,
        truncate,
    ],
)
def test_damage_is_told(colours_run: RunFolder, tmp_path: Path, damage: Any) -> None:
    shutil.copytree(colours_run.ensembles / "top-3", tmp_path / "a")
    ensemble.load(tmp_path / "a")
    damage(tmp_path / "a" / DESCRIPTION)
    with pytest.raises(CheckpointError) as caught:
        ensemble.load(tmp_path / "a")
    assert len(str(caught.value)) < 500


def test_members_of_different_tasks_are_refused(
    colours_run: RunFolder, line_run: RunFolder, tmp_path: Path
) -> None:
    shutil.copytree(colours_run.ensembles / "top-3", tmp_path / "a")
    other = next((line_run.ensembles / "top-3").glob("*.safetensors"))
    shutil.copy(other, tmp_path / "a")
    swap(tmp_path / "a" / DESCRIPTION, "file", other.name)
    with pytest.raises(CheckpointError, match="members"):
        ensemble.load(tmp_path / "a")
