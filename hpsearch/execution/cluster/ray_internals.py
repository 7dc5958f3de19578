"""What of Ray has no public switch: how its private modules are set; each has a test."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import ray

REGISTER_SECONDS = 30.0
"""How long a local Ray's node may take to register."""

LOOK_SECONDS = 0.05

_UNUSED = ("start_api_server", "start_monitor", "start_log_monitor")
"""What a cluster for one run needs none of: dashboard, autoscaler, other processes' lines."""

Look = Callable[[], None]
"""Called while Ray starts; may raise to end that."""


def tame() -> None:
    """Keep Ray's messages off the terminal, and its hands off the signals.

    Neither has a switch, and Ray's handler of SIGTERM ends the process.
    """
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # noqa: SLF001
    ray._private.utils.set_sigterm_handler = lambda _: None  # noqa: SLF001


@contextmanager
def quick_start(look: Look) -> Iterator[None]:
    """Start a local Ray without the processes that nobody uses, and see soon that it is up.

    Ray itself looks once a second whether its node has registered. What another version of
    Ray does not have is left as it is.
    """
    private: Any = ray._private  # noqa: SLF001
    node_class, get_node = private.node.Node, private.services.get_node

    def registered(address: str, node: str) -> Any:
        _wait_for_node(address, node, look)
        return get_node(address, node)

    with ExitStack() as stack:
        for name in _UNUSED:
            if hasattr(node_class, name):
                stack.enter_context(_replaced(node_class, name, lambda *_, **__: None))
        stack.enter_context(_replaced(private.services, "get_node", registered))
        yield


def _wait_for_node(address: str, node: str, look: Look) -> None:
    """Return when the node has registered at the head; raises RuntimeError if it does not."""
    private: Any = ray._private  # noqa: SLF001
    table = private.state.GlobalState()
    options = private.services._get_gcs_client_options(address)  # noqa: SLF001
    table._initialize_global_state(options)  # noqa: SLF001
    deadline = time.monotonic() + REGISTER_SECONDS
    while not any(row["NodeID"] == node and row["Alive"] for row in table.node_table()):
        look()
        if time.monotonic() > deadline:
            raise RuntimeError(f"its node did not register within {REGISTER_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def dead_processes() -> set[str]:
    """Return which of the local Ray's processes that it can't do without are gone."""
    node: Any = ray._private.worker._global_node  # noqa: SLF001
    return {"raylet", "gcs_server"}.intersection(name for name, _ in node.dead_processes())


def raylet_socket() -> str:
    """Return the socket of the raylet that this process has joined its cluster through."""
    node: Any = ray._private.worker._global_node  # noqa: SLF001
    return str(node.raylet_socket_name)
