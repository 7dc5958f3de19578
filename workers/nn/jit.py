"""The door to Numba: typed decorators for the fused element-wise kernels."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba
from numba.extending import register_jitable

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile plain loops over arrays on first use and keep the machine code on disk.

    Divisions follow IEEE 754 as in NumPy (a check for zero costs a factor of 4), and
    sums keep their order (no fastmath), so that a member's numbers don't depend on its
    stack. Under ``NUMBA_DISABLE_JIT=1`` the loops run as plain Python.
    """
    return cast(Function, numba.njit(cache=True, error_model="numpy")(function))


def inlined(function: Function) -> Function:
    """Let kernels call a plain function, which stays one."""
    return register_jitable(function)


def discard_stale(folder: Path) -> bool:
    """Remove machine code that was made from other sources, and return whether there was any.

    Numba watches a kernel's own file only, not those of the functions inlined into it, so
    a changed one would leave wrong code behind. Other processes may do the same at once:
    what Numba misses it compiles again. A folder that can't be written keeps its code.
    """
    sources = sorted(folder.glob("*.py"))
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = folder / "__pycache__" / "kernels.sha256"
    try:
        if stamp.is_file() and stamp.read_text() == digest:
            return False
        stamp.parent.mkdir(exist_ok=True)
        for code in stamp.parent.glob("*.nb[ic]"):
            code.unlink(missing_ok=True)
        stamp.write_text(digest)
    except OSError:
        return False
    return True


discard_stale(Path(__file__).parent)
