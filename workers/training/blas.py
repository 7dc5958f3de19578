"""The BLAS held to one thread, in which small matrices are multiplied fastest."""

from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController

_CONTROLLER = ThreadpoolController()  # finding the libraries takes milliseconds, setting them none


def one_thread() -> AbstractContextManager[object]:
    """Return what limits NumPy's matrix products to the thread that asks for them."""
    limit: AbstractContextManager[object] = _CONTROLLER.limit(limits=1)
    return limit
