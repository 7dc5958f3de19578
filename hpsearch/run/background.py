"""Work that goes on in a thread while the main one waits for something else."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """What a function returns, or raises where it is asked for, in a thread of its own."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._found.append(self._function())
        except BaseException as error:
            self._error = error
        finally:
            self._over.set()

    def check(self) -> None:
        """Raise what the function has raised, if it is over already."""
        if self._error is not None:
            raise self._error

    def result(self) -> T:
        """Wait for the function, and return or raise what it did."""
        self._over.wait()
        self.check()
        return self._found[0]

    def close(self) -> None:
        """Wait for the thread, even if nobody wants its result: it can't be ended."""
        self._thread.join()
