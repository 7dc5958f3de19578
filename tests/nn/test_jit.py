"""Compiled kernels follow their sources, and work wherever their machine code can be kept."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.nn import kernel_cache

KERNEL = """
import sys
from pathlib import Path
from workers.nn.jit import kernel
from inner import value

@kernel
def outer():
    return value()

exec(sys.argv[1])
print(outer())
"""
INNER = """
from workers.nn.jit import inlined

@inlined
def value():
    return {}
"""
NOWHERE = "/dev/null/nowhere"
"""Nobody can make that, not even root."""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a kernel, beside which nothing can be written; nor is there a home."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", NOWHERE)
    monkeypatch.setenv("XDG_CACHE_HOME", NOWHERE)
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "outer.py").write_text(KERNEL)
    (folder / "inner.py").write_text(INNER.format(1))
    (folder / "__pycache__").touch()
    yield folder
    kernel_cache.place.cache_clear()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, closed to others."""
    folder = tmp_path / "temporary"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _run(folder: Path, before: str = "") -> str:
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(folder / "outer.py"), before]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _code(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nb[ic]"))


@pytest.mark.parametrize("beside", [True, False])
def test_a_changed_inlined_function_is_compiled_again(
    sources: Path, temporary: Path, beside: bool
) -> None:
    if beside:
        (sources / "__pycache__").unlink()
    for number in (1, 2):
        (sources / "inner.py").write_text(INNER.format(number))
        assert _run(sources) == str(number)
        assert _code(sources if beside else temporary)


@pytest.mark.parametrize("changed", ["inner.py", "deeper/inner.py"])
def test_code_of_the_same_sources_is_kept(sources: Path, changed: str) -> None:
    (sources / "__pycache__").unlink()
    (sources / changed).parent.mkdir(exist_ok=True)
    code = sources / "__pycache__" / "sources_1" / "a.f-1.py311.nbi"
    for stays in (False, True):
        kernel_cache.place.cache_clear()
        code.parent.mkdir(exist_ok=True, parents=True)
        code.touch()
        assert kernel_cache.place(sources) == code.parents[1]
        assert code.exists() == stays
    (sources / changed).write_text(INNER.format(2))
    kernel_cache.place.cache_clear()
    assert kernel_cache.place(sources) == code.parents[1]
    assert not code.exists()


def test_code_is_kept_in_the_first_place_that_can_be_written(
    sources: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found from the last to the first; each is left be once there is a better one."""
    monkeypatch.setattr(tempfile, "tempdir", str(Path.cwd()))  # Python's choice without any.
    assert kernel_cache.place(sources) is None
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    found = []

    def look() -> None:
        kernel_cache.place.cache_clear()
        place = kernel_cache.place(sources)
        assert place is not None
        found.append(place)

    look()
    home = temporary.parent / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    look()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    look()
    (sources / "__pycache__").unlink()
    look()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(home / "named"))
    look()
    expected = [
        temporary / f"hpsearch-kernels-{os.geteuid()}",
        home / ".cache" / "hpsearch-kernels",
        home / "xdg" / "hpsearch-kernels",
        sources,
        home / "named",
    ]
    assert [place.parent for place in found] == expected
    assert all(place.stat().st_uid == os.geteuid() for place in expected)
    assert [place.stat().st_mode & 0o777 for place in expected[:3]] == [0o700] * 3


@pytest.mark.parametrize("named", [True, False])
def test_a_kernel_works_and_is_kept_elsewhere(
    sources: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(sources.parent / "named"))
    assert _run(sources) == "1"
    code = _code(sources.parent / "named" if named else temporary)
    assert {path.suffix for path in code} == {".nbi", ".nbc"}
    moments = [path.stat().st_mtime_ns for path in code]
    assert _run(sources) == "1"
    assert [path.stat().st_mtime_ns for path in code] == moments


def test_a_kernel_works_where_nothing_is_kept(
    sources: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary folder can be written, but what bears our name there is another's."""
    (temporary / f"hpsearch-kernels-{os.geteuid()}").mkdir(mode=0o770)
    (temporary / f"hpsearch-kernels-{os.geteuid()}").chmod(0o770)
    assert _run(sources) == "1"
    assert _code(temporary) == []


def test_damaged_code_is_made_again(sources: Path, temporary: Path) -> None:
    """A loss of power leaves files empty; the disk itself may do worse."""
    assert _run(sources) == "1"
    code, index = _code(temporary)
    sizes = code.stat().st_size, index.stat().st_size
    for damaged, content in ((index, b""), (index, b"\x80\x05N."), (code, b"")):
        damaged.write_bytes(content)
        assert _run(sources) == "1"
        assert (code.stat().st_size, index.stat().st_size) == sizes


def test_a_place_that_fails_later_costs_nothing_but_time(sources: Path, temporary: Path) -> None:
    gone = "import os, shutil; d = os.environ['TMPDIR']; shutil.rmtree(d); open(d, 'w')"
    assert _run(sources, gone) == "1"


def test_only_what_nobody_else_can_plant_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = tmp_path / "above"
    above.mkdir(mode=0o700)
    own = above / "own"
    assert kernel_cache.is_private(own)
    for mode, private in ((0o755, False), (0o770, False), (0o701, False), (0o700, True)):
        own.chmod(mode)
        assert kernel_cache.is_private(own) == private
    for mode, private in ((0o777, False), (0o775, False), (0o1777, True), (0o755, True)):
        above.chmod(mode)
        assert kernel_cache.is_private(own) == private
    (above / "link").symlink_to(own)
    (above / "file").touch()
    assert not kernel_cache.is_private(above / "link")
    assert not kernel_cache.is_private(above / "file")
    assert not kernel_cache.is_private(above / "missing" / "folder")
    monkeypatch.setattr(os, "geteuid", lambda: own.stat().st_uid + 1)
    assert not kernel_cache.is_private(own)
