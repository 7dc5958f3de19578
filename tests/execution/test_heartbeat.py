"""A cluster that is gone is missed: its head after a while, this machine's raylet at once."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hpsearch.execution.cluster import heartbeat
from hpsearch.execution.cluster.heartbeat import GONE_SECONDS, Heartbeat
from tests.execution.test_startup import Clock
from workers.errors import RunError


@pytest.fixture
def raylet(short: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX)) as raylet:
        raylet.bind(str(short / "raylet"))
        raylet.listen()
        yield raylet


def watch(head: socket.socket, raylet: socket.socket, clock: Clock) -> Heartbeat:
    return Heartbeat(f"127.0.0.1:{head.getsockname()[1]}", raylet.getsockname(), clock=clock)


def look(line: Heartbeat, clock: Clock, seconds: float) -> None:
    """Look as often as a master does."""
    for _ in range(round(seconds * 5)):
        line.check()
        clock.now += 0.2


def test_a_head_that_is_away_for_a_while_is_waited_for(raylet: socket.socket) -> None:
    clock = Clock()
    head = socket.create_server(("127.0.0.1", 0))
    port = head.getsockname()[1]
    line = watch(head, raylet, clock)
    look(line, clock, 3 * GONE_SECONDS)
    for _ in range(3):
        head.close()
        look(line, clock, 0.9 * GONE_SECONDS)
        head = socket.create_server(("127.0.0.1", port))
        look(line, clock, 5)
    head.close()
    with pytest.raises(RunError, match=rf"head at 127.0.0.1:{port} is gone \(.*refused\); resume"):
        look(line, clock, 2 * GONE_SECONDS)


def test_a_head_that_is_silent_is_gone_too(
    raylet: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    def no_answer(*_: object) -> None:
        raise TimeoutError("timed out")

    with closing(socket.create_server(("127.0.0.1", 0))) as head:
        line = watch(head, raylet, clock)
        monkeypatch.setattr(heartbeat.socket, "create_connection", no_answer)
        with pytest.raises(RunError, match=r"is gone \(timed out\)"):
            look(line, clock, 2 * GONE_SECONDS)


def test_the_raylet_is_missed_at_once(raylet: socket.socket) -> None:
    clock = Clock()
    with closing(socket.create_server(("127.0.0.1", 0))) as head:
        line = watch(head, raylet, clock)
        connection, _ = raylet.accept()
        look(line, clock, 5)
        connection.close()
        with pytest.raises(RunError, match="this machine's node of the cluster is gone; resume"):
            line.check()
