"""SIGINT and SIGTERM as a request that the master answers at a moment of its own."""

import os
import signal
import sys
import threading
from types import FrameType

from hpsearch.execution.cluster import local_cluster

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 6.0


class Interrupted(BaseException):
    """A signal asked the run to stop; what was acknowledged is on disk."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """Takes over both signals for a while; made in the main thread.

    One that the process was started to ignore, as a shell without job control starts what
    is to run in its background, stays ignored. A signal is noted, until :meth:`check` or
    :meth:`install` is called: so none is raised before whoever made it can bear that. While
    ``at_once`` is true, which :meth:`install` makes it, `Interrupted` is raised where the signal
    arrives: right for slow code that can bear it, which Ray's start can't. Later signals change
    nothing. If the process has not given the signals back after `GRACE_SECONDS`, a thread ends it,
    and the local cluster with it: all that was acknowledged is on disk.
    """

    def __init__(self) -> None:
        self.at_once = False
        self._received: int | None = None
        self._over = threading.Event()
        self._news, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        found = {number: signal.getsignal(number) for number in SIGNALS}
        self._before = {number: how for number, how in found.items() if how != signal.SIG_IGN}
        self._wakeup_before = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        self._take()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def install(self) -> None:
        """Raise at once from now on; take the signals over again, should a library have done so.

        Raises
        ------
        Interrupted
            If a signal came.
        """
        self._take()
        self.at_once = True
        self.check()

    def check(self) -> None:
        """Raise Interrupted if a signal came."""
        if self._received is not None:
            raise Interrupted(self._received)

    def restore(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._over.set()
        os.close(self._wakeup)
        self._watcher.join(GRACE_SECONDS)

    def _take(self) -> None:
        for number in self._before:
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._received is None:
            self._received = number
            if self.at_once:
                raise Interrupted(number)

    def _watch(self) -> None:
        """Wait for the news of a signal, which come even while the main thread is stuck."""
        with open(self._news, "rb", buffering=0) as news:  # noqa: PTH123 (no path)
            number = 0
            while number not in SIGNALS:
                byte = news.read(1)
                if not byte:
                    return
                number = byte[0]
        if not self._over.wait(GRACE_SECONDS):
            _give_up(number)


def _give_up(number: int) -> None:
    show_cursor = "\x1b[?25h" if sys.stdout.isatty() else ""
    os.write(2, f"{show_cursor}hpsearch: interrupted\n".encode())
    local_cluster.abandon(128 + number)
