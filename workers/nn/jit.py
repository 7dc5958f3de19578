"""The door to Numba: typed decorators for the fused element-wise kernels."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache
from numba.extending import register_jitable

from workers.nn import kernel_cache

_settings: Any = numba.config

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile plain loops over arrays on first use and keep the machine code on disk.

    Divisions follow IEEE 754 as in NumPy (a check for zero costs a factor of 4), and
    sums keep their order (no fastmath), so that a member's numbers don't depend on its
    stack. Under ``NUMBA_DISABLE_JIT=1`` the loops run as plain Python.
    """
    compiled = numba.njit(error_model="numpy")(function)
    folder = kernel_cache.place(_sources(function))
    if folder is not None and not _settings.DISABLE_JIT:
        _keep(compiled, folder)
    return cast(Function, compiled)


def inlined(function: Function) -> Function:
    """Let kernels call a plain function, which stays one."""
    return register_jitable(function)


class _Cache(FunctionCache):
    """Numba's cache, to which a torn file is none and a full disk no error."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return machine code; None if there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # Damaged bytes can mean anything to pickle.
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code, if there is room for it."""
        with suppress(OSError):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


def _sources(function: Callable[..., object]) -> Path:
    """Return the folder of all that may be inlined into a kernel: of this package, the whole."""
    file, package = Path(inspect.getfile(function)), Path(__file__).parent
    return package if file.is_relative_to(package) else file.parent


def _keep(compiled: Any, folder: Path) -> None:
    """Keep a kernel's machine code in a folder, as far as that goes.

    Numba takes a folder from its settings only, and goes to others if that one fails.
    """
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(folder)
    try:
        cache = _Cache(compiled.py_func)  # type: ignore[no-untyped-call]
    except RuntimeError:  # No place at all, since a moment ago.
        return
    finally:
        _settings.CACHE_DIR = before
    if Path(cache.cache_path).is_relative_to(folder):
        compiled._cache = cache  # noqa: SLF001
