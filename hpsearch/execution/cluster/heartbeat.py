"""Whether the cluster that a run joined is still there."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from hpsearch.execution.cluster.addresses import endpoint
from workers.errors import RunError

GONE_SECONDS = 20.0
"""For how long a head may not answer; Ray itself ends the process after 60 s."""

KNOCK_SECONDS = 2.0

_ANSWER_SECONDS = 1.0


class Heartbeat:
    """Watches a cluster's head, and the raylet of this machine through which it is reached.

    Without either Ray's C code would end the process, with a report in place of a line.

    Parameters
    ----------
    address
        ``HOST:PORT`` of the head.
    raylet
        The socket of this machine's raylet.
    clock
        This process's own monotonic clock.
    """

    def __init__(
        self, address: str, raylet: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._head, self._address = endpoint(address), address
        self._clock = clock
        self._heard = self._knocked = clock()
        self._raylet = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._raylet.connect(raylet)
        self._raylet.setblocking(False)

    def check(self) -> None:
        """Do nothing if all is well, which is looked at every `KNOCK_SECONDS`.

        Raises
        ------
        RunError
            If the raylet is gone, or the head has not answered for `GONE_SECONDS`.
        """
        with suppress(BlockingIOError):
            if not self._raylet.recv(1, socket.MSG_PEEK):
                raise RunError("this machine's node of the cluster is gone; resume the run")
        now = self._clock()
        if now - self._knocked < KNOCK_SECONDS:
            return
        self._knocked = now
        try:
            socket.create_connection(self._head, _ANSWER_SECONDS).close()
        except OSError as error:
            if now - self._heard > GONE_SECONDS:
                head = f"the cluster's head at {self._address}"
                why = error.strerror or error
                raise RunError(f"{head} is gone ({why}); resume the run") from error
        else:
            self._heard = now

    def __del__(self) -> None:
        """Let go of the raylet."""
        self._raylet.close()
