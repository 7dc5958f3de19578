"""Whether a Ray cluster answers at an address."""

import os
import socket

from workers.errors import InputError, RunError

ANSWER_SECONDS = 5.0

_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4


def check_address(address: str) -> None:
    """Raise unless a server of Ray's kind answers at ``address``.

    Ray itself would try for minutes and then end the process. Every gRPC server answers
    the greeting of HTTP/2 with its settings; a dashboard or a closed port does not.

    Raises
    ------
    InputError
        If this is no ``HOST:PORT``.
    RunError
        If nobody answers, or somebody else.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdecimal() or not 0 < int(port) < 65536:
        remedy = "give that of the head node, such as 10.0.0.1:6379"
        raise InputError("the address of a Ray cluster is HOST:PORT", repr(address), remedy)
    try:
        answer = _answer(host.strip("[]"), int(port))
    except (OSError, UnicodeError) as error:
        raise RunError(f"no Ray cluster answers at {address}: {error}") from error
    if answer is not None and answer != _SETTINGS:
        raise RunError(f"no Ray cluster answers at {address}: it is another server")


def _answer(host: str, port: int) -> int | None:
    """Return the type of the first HTTP/2 frame (-1: no such frame; None: it is encrypted)."""
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
        if os.environ.get("RAY_USE_TLS") == "1":
            return None
        connection.sendall(_GREETING)
        frame = connection.recv(9)
    return frame[3] if len(frame) == 9 else -1
