"""A run's folder: whole or not there, the user's alone, and never mistaken for another."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from tests.support import tiny_config
from workers.checkpoints import atomic_files
from workers.errors import InputError, RunError

META = {"name": "tiny", "metric": "val_accuracy", "direction": "maximize", "seed": 3}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return make(tmp_path / "tiny")


def make(path: Path) -> RunFolder:
    folder = RunFolder(path)
    folder.create(tiny_config())
    Store.create(folder.database, META | {"data_digest": "abc"}).close()
    return folder


def contents(path: Path) -> dict[str, bytes]:
    """Return the files below a path, the lock aside."""
    return {str(p): p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != "lock"}


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_files_and_folders_are_the_users_alone(umask: int, tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    with folder.lock():
        pass
    for path in [folder.path, *folder.path.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_everything_lies_in_the_folder(folder: RunFolder) -> None:
    names = ["config", "database", "checkpoints", "ensembles", "summary", "report", "log"]
    paths = [getattr(folder, name) for name in names]
    assert {path.parent for path in paths} == {folder.path}
    assert len(set(paths)) == len(names)


def test_the_config_is_kept_as_it_was(folder: RunFolder) -> None:
    kept = folder.load_config()
    assert kept.document == tiny_config().document
    assert kept.stages == tiny_config().stages


def test_a_run_of_the_name_exists(folder: RunFolder, tmp_path: Path) -> None:
    RunFolder(tmp_path / "other").check_new()
    with pytest.raises(InputError) as caught:
        folder.check_new()
    assert str(folder.path) in str(caught.value)
    assert "--resume" in caught.value.remedy
    assert "--overwrite" in caught.value.remedy


def test_creating_over_something_changes_nothing(folder: RunFolder) -> None:
    before = contents(folder.path)
    with pytest.raises(FileExistsError):
        folder.create(tiny_config(study__seed=9))
    assert contents(folder.path) == before


@pytest.mark.parametrize("missing", ["search.db", "config.yaml"])
def test_what_is_no_run_is_refused_and_never_removed(folder: RunFolder, missing: str) -> None:
    folder.check()
    (folder.path / missing).unlink()
    before = contents(folder.path)
    for action in (folder.check, folder.remove):
        with pytest.raises(InputError, match=r"a run's folder holds search\.db and config\.yaml"):
            action()
    assert contents(folder.path) == before


@pytest.mark.parametrize("name", ["nowhere", "a_file"])
def test_a_path_that_is_no_folder_is_no_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "a_file").write_text("")
    with pytest.raises(InputError, match="a run's folder"):
        RunFolder(tmp_path / name).check()


def test_a_run_is_held_by_one(folder: RunFolder) -> None:
    with folder.lock():
        with pytest.raises(RunError, match=f"{folder.path} is .* by process {os.getpid()} on "):
            folder.lock().__enter__()
        with pytest.raises(RunError, match="is being worked on"):
            folder.remove()
        assert folder.config.is_file()
    with folder.lock():
        pass


def test_a_removed_run_is_gone_and_its_neighbours_are_not(tmp_path: Path) -> None:
    folder, neighbour = make(tmp_path / "tiny"), make(tmp_path / "tiny2")
    (folder.checkpoints / "file").write_bytes(b"x")
    (folder.path / "link").symlink_to(neighbour.path)
    before = contents(neighbour.path)
    folder.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny2"]
    assert contents(neighbour.path) == before


def test_folders_above_a_run_are_all_made_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def fails_in_the_third(folder: Path) -> None:
        made.append(folder)
        if len(made) == 3:
            raise OSError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(atomic_files, "sync_folder", fails_in_the_third)
    folder = RunFolder(tmp_path / "a" / "b" / "c" / "tiny")
    with pytest.raises(InputError, match="--results must be a folder or can become one"):
        folder.make_place()
    assert made == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert list(tmp_path.iterdir()) == []
    folder.make_place()
    assert folder.path.parent.is_dir()
