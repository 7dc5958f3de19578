"""The command line in processes of its own: started, watched, signalled, and looked after."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hpsearch.storage.store import Store
from tests.support import tiny

MARK = "HPSEARCH_TEST"
SECONDS = 120.0
"""After so long something counts as hung."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: exit code (below 0: a signal's), what it printed, how long it took
    since it was started, or since the signal that was sent to it."""

    code: int
    out: str
    err: str
    seconds: float


class Command:
    """A running command line, leader of a process group of its own.

    Every process that comes of it carries a mark, by which it is found and, in the end,
    killed. Its temporary folder is new and empty.
    """

    def __init__(
        self, *arguments: str | Path, folder: Path, code: str = "", **environment: str
    ) -> None:
        self._mark = f"{MARK}={secrets.token_hex(8)}"
        self._folder = folder
        self._began = time.monotonic()
        code = code or "from hpsearch.cli.main import main; main()"
        name, value = self._mark.split("=")
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, **environment, "TMPDIR": str(folder), name: value},
            start_new_session=True,
        )

    def wait(self) -> Ended:
        """Return how it ended; whatever is still left after too long is killed."""
        try:
            out, err = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = self.process.communicate()
            raise TimeoutError(
                f"still running after {SECONDS} s: {out[-1000:]} {err[-1000:]}"
            ) from None
        return Ended(self.process.returncode, out, err, time.monotonic() - self._began)

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal, to the whole group as a terminal does, or to the leader alone."""
        self._began = time.monotonic()
        (os.killpg if group else os.kill)(self.process.pid, number)

    def until(self, happened: Callable[[], Any]) -> None:
        """Wait for something; raises if the command ends before, or it takes too long."""
        last = time.monotonic() + SECONDS
        while not happened():
            if self.process.poll() is not None or time.monotonic() > last:
                self.kill()
                raise TimeoutError(f"it did not happen: {self.process.communicate()}")
            time.sleep(0.01)

    def processes(self) -> dict[int, str]:
        """Return all processes that came of it and are alive, and what each runs."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self._is_mine(entry):
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
        return found

    def _is_mine(self, process: Path) -> bool:
        """Tell by the mark, or, if the process overwrote its environment, by its open files."""
        if self._mark.encode() in (process / "environ").read_bytes().split(b"\0"):
            return True
        files = (process / "fd").iterdir()
        return any(str(file.readlink()).startswith(f"{self._folder}/") for file in files)

    def find(self, name: str) -> list[int]:
        """Return the processes of a name, such as ``raylet``."""
        return [pid for pid, comm in self.processes().items() if name in comm]

    def until_none(self, name: str = "") -> None:
        """Wait until no process of a name is left of it; raises if one stays."""
        last = time.monotonic() + SECONDS
        while left := self.find(name):
            if time.monotonic() > last:
                self.kill()
                raise TimeoutError(f"left behind: {left}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill all that came of it."""
        while left := self.processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()


def write_config(path: Path, **changes: Any) -> Path:
    """Write `tests.support.tiny` as YAML, changed."""
    path.write_text(yaml.safe_dump(tiny(**changes), sort_keys=False))
    return path


def acknowledged(run: Path) -> int:
    """Return how many epochs are in a run's database."""
    if not (run / "search.db").exists():
        return 0
    with Store.read(run / "search.db") as store:
        return len(store.epochs())
