"""The door to Numba: typed decorators for the fused element-wise kernels."""

from collections.abc import Callable
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
    """Let kernels call a plain function, which stays one.

    The disk cache watches a kernel's own file only, so such a function lives beside the
    kernels that call it.
    """
    return register_jitable(function)
