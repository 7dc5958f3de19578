"""Whether a Ray cluster answers at an address, and to whom."""

import os
import socket
from contextlib import suppress

from workers.errors import InputError, RunError

ANSWER_SECONDS = 5.0

_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_LAST_OF_STREAM, _LAST_OF_HEADERS = 1, 4

_CALL = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/ray.rpc.NodeInfoGcsService/GetClusterId"),
    (b":authority", b"head"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)
_STATUS = b"\x0bgrpc-status"
_WELCOME = _STATUS + b"\x010"
_LONGEST_ANSWER = 2**16

_SUBMIT = "submit the search to that dashboard: ray job submit --address URL -- hpsearch run ..."
_REMEDIES = {
    "ray": "leave Ray Client out: give HOST:PORT of the head node, from a node of the cluster",
    "http": _SUBMIT,
    "https": _SUBMIT,
}


def endpoint(address: str) -> tuple[str, int]:
    """Return host and port of an address that :func:`check_form` takes.

    >>> endpoint("[::1]:6379")
    ('::1', 6379)
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def check_form(address: str, *, said: str) -> None:
    """Raise InputError unless ``address`` is ``HOST:PORT``; ``said`` is what the user gave."""
    host, _, port = address.rpartition(":")
    if host and "/" not in address and port.isdecimal() and 0 < int(port) < 65536:
        return
    scheme = address.partition("://")[0]
    remedy = _REMEDIES.get(scheme, "give that of the head node, such as 10.0.0.1:6379")
    raise InputError("the address of a Ray cluster is HOST:PORT, auto or local", said, remedy)


def check_answer(address: str) -> None:
    """Raise unless a server of Ray's kind answers at ``address``, which is ``HOST:PORT``.

    Ray itself would try for minutes and then end the process. Every gRPC server answers
    the greeting of HTTP/2 with its settings; a dashboard or a closed port does not.

    Raises
    ------
    RunError
        If nobody answers, or somebody else.
    """
    try:
        answer = _answer(*endpoint(address))
    except (OSError, UnicodeError) as error:
        raise RunError(f"no Ray cluster answers at {address}: {error}") from error
    if answer is not None and answer != _SETTINGS:
        raise RunError(f"no Ray cluster answers at {address}: it is another server")


def is_open(address: str) -> bool:
    """Return whether the cluster at ``address`` lets everybody in: it asks for no token.

    A call of gRPC without one is answered there, and refused elsewhere; what is encrypted
    asks for a certificate. False too if there is no telling.
    """
    if os.environ.get("RAY_USE_TLS") == "1":
        return False
    headers = b"".join(
        bytes([0, len(name)]) + name + bytes([len(value)]) + value for name, value in _CALL
    )
    call = _frame(_HEADERS, _LAST_OF_HEADERS, headers) + _frame(_DATA, _LAST_OF_STREAM, bytes(5))
    answer = b""
    with (
        suppress(OSError),
        socket.create_connection(endpoint(address), ANSWER_SECONDS) as connection,
    ):
        connection.sendall(_GREETING + call)
        while _STATUS not in answer[:-2] and len(answer) < _LONGEST_ANSWER:
            more = connection.recv(4096)
            answer += more or b" " * _LONGEST_ANSWER
    return _WELCOME in answer


def _frame(kind: int, flags: int, payload: bytes) -> bytes:
    """Return a frame of the first stream."""
    return len(payload).to_bytes(3) + bytes([kind, flags, 0, 0, 0, 1]) + payload


def _answer(host: str, port: int) -> int | None:
    """Return the type of the first HTTP/2 frame (-1: no such frame; None: it is encrypted)."""
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
        if os.environ.get("RAY_USE_TLS") == "1":
            return None
        connection.sendall(_GREETING)
        frame = connection.recv(9)
    return frame[3] if len(frame) == 9 else -1
