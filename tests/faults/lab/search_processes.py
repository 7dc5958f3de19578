"""Searches in processes of their own, which can be killed, stopped and starved."""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.support import tiny

SECONDS = 120.0
"""After so long a run counts as hung; each takes less than one second in this process."""

THREE_STAGES = tiny(
    stages=[
        {"name": "coarse", "num_trials": 6, "epochs": 1},
        {"name": "medium", "num_trials": 4, "epochs": 2, "narrow": {"keep_top": 0.5}},
        {"name": "fine", "num_trials": 3, "epochs": 4, "narrow": {"keep_top": 0.5}},
    ],
    checkpoint={"every": 1, "keep_top": 3},
)
"""A search of 13 trials and 26 epochs, and a fraction of a second."""


def with_study(**study: Any) -> dict[str, Any]:
    """Return THREE_STAGES with these keys of its study changed."""
    return {**THREE_STAGES, "study": {**THREE_STAGES["study"], **study}}


_context = multiprocessing.get_context("forkserver")
_fresh = multiprocessing.get_context("spawn")
_context.set_forkserver_preload(["tests.faults.lab.preload"])
# Each start would poll all other processes; two threads that poll one make its code 255.
multiprocessing.process._cleanup = lambda: None  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code (below 0: the signal), and what it printed."""

    code: int
    output: str


@dataclass(frozen=True)
class Started:
    """A process in which the command line runs, leader of a group of its own."""

    process: BaseProcess
    output: Path

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        if self.process.pid is None:
            raise RuntimeError("the process was not started")
        return self.process.pid

    def wait(self, seconds: float = SECONDS) -> Ended:
        """Return how it ended; raises TimeoutError, after killing it, if it did not."""
        self.process.join(seconds)
        code = self.process.exitcode
        if code is None:
            self.kill()
            raise TimeoutError(f"still running after {seconds} s: {self.output.read_text()}")
        return Ended(code, self.output.read_text(errors="replace"))

    def kill(self) -> None:
        """Kill it with all its group, and wait for it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.join(SECONDS)


@dataclass(frozen=True)
class Lab:
    """A folder in which the command line is started again and again.

    ``witness`` is a file to which a run writes each epoch as soon as the master counts it.
    """

    folder: Path

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.folder / "results" / "tiny"

    @property
    def witness(self) -> Path:
        """The file of epochs that the outside world was told of."""
        return self.folder / "witness"

    @property
    def points(self) -> Path:
        """The folder that failpoints write to."""
        return self.folder / "points"

    def configure(self, document: Mapping[str, Any] = THREE_STAGES) -> None:
        """Write the config."""
        self.points.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.yaml").write_text(json.dumps(document))

    def search(self, *options: str, **faults: Any) -> Started:
        """Begin the search or go on with it, in one process; see `start`."""
        where = ["--in-process"] if "--workers" not in options else []
        arguments = ["run", str(self.folder / "config.yaml"), "--resume", *where, *options]
        return self.start([*arguments, "--results", str(self.folder / "results")], **faults)

    def start(
        self,
        arguments: Sequence[str],
        *,
        failpoint: str | None = None,
        variables: Mapping[str, str] | None = None,
        inject: Callable[[], None] | None = None,
        fresh: bool = False,
    ) -> Started:
        """Start ``hpsearch ARGUMENTS``; ``inject`` is called in the new process before.

        A ``fresh`` process has imported nothing before it has the ``variables``: Ray reads
        some of them when it is imported.
        """
        output = self.folder / f"output-{time.monotonic_ns()}"
        environment = dict(variables or {})
        if failpoint is not None:
            environment |= {
                "HPSEARCH_FAILPOINT": failpoint,
                "HPSEARCH_FAILPOINT_FILES": str(self.points),
            }
        process = (_fresh if fresh else _context).Process(
            target=_main, args=(list(arguments), environment, output, self.witness, inject)
        )
        process.start()
        return Started(process, output)

    def passed(self) -> list[str]:
        """Return the failpoints that were passed, in each process in order; forget them."""
        files = sorted(self.points.iterdir())
        names = [name for file in files for name in file.read_text().splitlines()]
        for file in files:
            file.unlink()
        return [name for name in names if name]


NewLab = Callable[[], Lab]
"""Makes an empty lab, as the fixture ``new_lab`` does."""


def _main(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    output: Path,
    witness: Path,
    inject: Callable[[], None] | None,
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # However the tests were started.
    os.environ.update(variables)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    import hpsearch.cli.live_view
    from hpsearch.cli import main
    from workers.checkpoints import failpoints

    failpoints._hits.clear()
    hpsearch.cli.live_view.display = _witnessed(witness)  # type: ignore[assignment]
    if inject is not None:
        inject()
    main.main(arguments, prog_name="hpsearch")


def _witnessed(path: Path) -> Any:
    """Return a display that shows nothing, but writes down what the master counts."""

    @contextlib.contextmanager
    def display(*_: object) -> Iterator[Any]:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        seen: dict[int, int] = {}

        def watch(search: Any) -> None:
            for number, record in search.trials.items():
                counted = record.epochs_done - (record.state == "failed")
                for epoch in range(seen.get(number, 0) + 1, counted + 1):
                    os.write(descriptor, f"{number} {epoch}\n".encode())
                    seen[number] = epoch

        yield lambda workers, where: watch
        os.close(descriptor)

    return display
