"""SIGINT and SIGTERM as a request that the master answers at a moment of its own."""

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 (it is news, not an error)
    """A signal asked the run to stop; what was acknowledged is on disk."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """Takes over both signals for a while.

    While ``at_once`` is true a signal raises `Interrupted` where it arrives, which suits
    a slow start-up; afterwards it is only noted, until :meth:`check` is called. A second
    signal raises in any case.
    """

    def __init__(self) -> None:
        self.at_once = True
        self._received: int | None = None
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        self.install()

    def install(self) -> None:
        """Take the signals over, again if a library replaced the handler."""
        for number in SIGNALS:
            signal.signal(number, self._receive)

    def check(self) -> None:
        """Raise Interrupted if a signal came."""
        if self._received is not None:
            raise Interrupted(self._received)

    def restore(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        again = self._received is not None
        self._received = number
        if self.at_once or again:
            raise Interrupted(number)
