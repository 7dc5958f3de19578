"""A run's folder: the one place that knows which file lies where."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpsearch import documents
from hpsearch.config import SearchConfig, build
from hpsearch.store import Store
from workers import files
from workers.errors import InputError, RunError


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of one run, all below ``path``."""

    path: Path

    @property
    def config(self) -> Path:
        """The config that the run was started with, changes by --set included."""
        return self.path / "config.yaml"

    @property
    def database(self) -> Path:
        """The search's SQLite file."""
        return self.path / "search.db"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoint files."""
        return self.path / "checkpoints"

    @property
    def ensembles(self) -> Path:
        """The folder of ensembles, each a folder of its own."""
        return self.path / "ensembles"

    @property
    def summary(self) -> Path:
        """What the search came to, as JSON."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """What the search came to, as a page for a person."""
        return self.path / "report.html"

    @property
    def log(self) -> Path:
        """What the master did, in lines."""
        return self.path / "master.log"

    def create(self, config: SearchConfig) -> None:
        """Make the folder and write its config; everything in it is the user's alone.

        Its parent must be there, and itself must not.
        """
        for folder in (self.path, self.checkpoints, self.ensembles):
            folder.mkdir(mode=0o700)
        files.write_new(self.config, documents.dump(dict(config.document)).encode())

    def check_new(self) -> None:
        """Raise InputError if the folder exists."""
        if self.path.exists():
            raise InputError(
                "a run's name must be new",
                str(self.path),
                "go on with --resume, replace it with --overwrite, or choose another --name",
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process; the system frees it when the process ends.

        Raises
        ------
        RunError
            If another process holds it.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = file.read().strip() or "another process"
                raise RunError(f"{self.path} is being worked on by {holder}") from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            yield

    def check(self) -> None:
        """Raise InputError if this is not the folder of a run."""
        if not self.database.is_file() or not self.config.is_file():
            raise InputError(
                "a run's folder holds search.db and config.yaml",
                str(self.path),
                "name a folder that `hpsearch run` made, such as results/digits",
            )

    def check_data(self, digest: str) -> None:
        """Raise InputError if the data are not those that the run began with."""
        with Store.read(self.database) as store:
            if store.meta()["data_digest"] != digest:
                raise InputError(
                    "a run goes on with the data that it began with",
                    "other values in data.source",
                    "restore the data, or begin a new run",
                )

    def load_config(self) -> SearchConfig:
        """Return the config that the run was started with."""
        return build(documents.read(self.config))

    def remove(self) -> None:
        """Remove the folder with everything in it; raises InputError if it is no run's."""
        self.check()
        shutil.rmtree(self.path)
