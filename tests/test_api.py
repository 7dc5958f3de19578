"""What `import hpsearch` offers, and that it costs nothing until it is asked for."""

import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hpsearch
from hpsearch.ensembles import ensemble
from hpsearch.storage.folder import RunFolder
from workers import errors

HEAVY = {"numba", "numpy", "optuna", "pandas", "pyarrow", "pydantic", "ray", "scipy", "sklearn"}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh process has imported after some code."""
    lines = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import hpsearch",
        "import hpsearch; dir(hpsearch); hpsearch.__version__",
        "from hpsearch import InputError, load, load_ensemble",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_asked_for(code: str) -> None:
    assert not modules_after(code) & HEAVY


def test_tables_are_imported_when_they_are_asked_for() -> None:
    assert {"numpy", "pandas"} <= modules_after("from hpsearch import Results")


@pytest.mark.parametrize("name", hpsearch.__all__)
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"from hpsearch import {name}", namespace)
    assert inspect.cleandoc(namespace[name].__doc__)
    assert namespace[name].__name__ == name


def test_all_public_names_come_with_a_star() -> None:
    namespace: dict[str, Any] = {}
    exec("from hpsearch import *", namespace)
    assert namespace.keys() - {"__builtins__"} == set(hpsearch.__all__)
    assert {*hpsearch.__all__, "__version__"} <= set(dir(hpsearch))


def test_classes_are_those_that_the_project_uses() -> None:
    assert hpsearch.Ensemble is ensemble.Ensemble
    assert hpsearch.Model is ensemble.Model
    for name in ("HpsearchError", "InputError", "CheckpointError", "RunError"):
        assert getattr(hpsearch, name) is getattr(errors, name)


def test_a_wrong_name_is_told_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'hpsearch' has no attribute 'lode'"):
        hpsearch.lode  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'lode'"):
        exec("from hpsearch import lode", {})


def test_the_version_is_the_installed_one() -> None:
    assert hpsearch.__version__ == version("hpsearch")


def test_a_run_is_loaded_by_a_path_or_its_text(colours_run: RunFolder) -> None:
    x = np.zeros((2, 3))
    one, other = (hpsearch.load_ensemble(p) for p in (colours_run.path, str(colours_run.path)))
    assert (one.predict_proba(x) == other.predict_proba(x)).all()
    tables = hpsearch.load(str(colours_run.path))
    assert isinstance(tables, hpsearch.Results)
    best = hpsearch.load_ensemble(tables.checkpoints["path"][0])
    assert isinstance(best, hpsearch.Ensemble)
    assert [type(member) for member in best.members] == [hpsearch.Model]


def test_what_is_no_run_is_an_input_error(tmp_path: Path) -> None:
    for load in (hpsearch.load, hpsearch.load_ensemble):
        with pytest.raises(hpsearch.InputError):
            load(tmp_path)
