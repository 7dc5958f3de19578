"""Runs that are made once and looked at by many tests; nobody may change them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpsearch.folder import RunFolder
from tests.support import run_here, tiny_config, write_colours, write_line


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``colours.csv`` (three classes) and ``line.csv`` (a regression)."""
    folder = tmp_path_factory.mktemp("data")
    write_colours(folder / "colours.csv")
    write_line(folder / "line.csv")
    return folder


@pytest.fixture(scope="session")
def colours_run(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run whose classes are text."""
    config = tiny_config(data__source=str(data_folder / "colours.csv"), data__target="colour")
    with unchanged():
        return run_here(config, tmp_path_factory.mktemp("results") / "tiny")[0]


@pytest.fixture(scope="session")
def line_run(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of a regression, whose metric is to be minimized."""
    config = tiny_config(
        study__metric="val_mse",
        data__source=str(data_folder / "line.csv"),
        data__target="price",
        data__task="regression",
        network__loss="squared_error",
        search_space__learning_rate={"type": "float", "low": 1e-3, "high": 0.1, "log": True},
    )
    with unchanged():
        return run_here(config, tmp_path_factory.mktemp("results") / "tiny")[0]


@contextmanager
def unchanged() -> Iterator[None]:
    """Make a run apart from the test that asked for it first, whatever that one patched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HPSEARCH_FAILPOINT", raising=False)
        yield
