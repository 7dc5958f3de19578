"""Compiled kernels follow their sources, inlined ones of other files included."""

import os
import subprocess
import sys
from pathlib import Path

from workers.nn.jit import discard_stale

KERNEL = """
import sys
from workers.nn.jit import discard_stale, kernel
from pathlib import Path
discard_stale(Path(__file__).parent)
from inner import value

@kernel
def outer():
    return value()

print(outer())
"""
INNER = """
from workers.nn.jit import inlined

@inlined
def value():
    return {}
"""


def _run(folder: Path) -> str:
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, str(folder / "outer.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_changed_inlined_function_is_compiled_again(tmp_path: Path) -> None:
    (tmp_path / "outer.py").write_text(KERNEL)
    for number in (1, 2):
        (tmp_path / "inner.py").write_text(INNER.format(number))
        assert _run(tmp_path) == str(number)
        assert list((tmp_path / "__pycache__").glob("*.nbi"))


def test_code_of_the_same_sources_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    assert discard_stale(tmp_path)
    code = tmp_path / "__pycache__" / "a.f-1.py311.nbi"
    code.touch()
    assert not discard_stale(tmp_path)
    assert code.exists()
    (tmp_path / "a.py").write_text("x = 2")
    assert discard_stale(tmp_path)
    assert not code.exists()
