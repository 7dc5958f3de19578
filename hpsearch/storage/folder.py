"""A run's folder: the one place that knows which file lies where."""

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from hpsearch.config import documents
from hpsearch.config.loading import build
from hpsearch.config.search_config import SearchConfig
from hpsearch.storage import locks
from workers.checkpoints import atomic_files
from workers.errors import InputError

MAX_PATH_BYTES = 3_800
"""With a longer path the names in a run's folder would be more than the system takes."""


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
            folder.chmod(0o700)  # A umask may have taken even the owner's bits.
        atomic_files.write_new(self.config, documents.dump(dict(config.document)).encode())

    @property
    def exists(self) -> bool:
        """Whether there is anything of this name."""
        return os.path.lexists(self.path)  # pathlib raises, to names that are too long.

    def check_new(self) -> None:
        """Raise InputError if the folder exists, or can't because of its path."""
        if self.exists:
            raise InputError(
                "a run's name must be new",
                str(self.path),
                "go on with --resume, replace it with --overwrite, or choose another --name",
            )
        above = next(folder for folder in self.path.absolute().parents if os.path.lexists(folder))
        if not above.is_dir():
            raise self._no_place(f"{above} is a file")
        if len(os.fsencode(self.path.absolute())) > MAX_PATH_BYTES:
            raise self._no_place(f"more than {MAX_PATH_BYTES} bytes long")

    def make_place(self) -> None:
        """Make the folders above this one; raises InputError if that can't be."""
        try:
            atomic_files.make_folders(self.path.parent)
        except OSError as error:
            if error.errno in atomic_files.DISK_ERRORS:
                raise
            raise self._no_place(error.strerror or str(error)) from error

    def _no_place(self, why: str) -> InputError:
        parent = str(self.path.parent)
        found = f"{parent if len(parent) < 300 else f'{parent[:300]}...'} ({why})"
        return InputError("--results must be a folder or can become one", found, "choose another")

    def lock(self, *, take_over: bool = False) -> AbstractContextManager[None]:
        """Hold the run for this process; the system frees it when the process ends.

        Raises
        ------
        RunError
            If another process holds it; from another host it may be taken over.
        """
        return locks.hold(self.path / "lock", take_over=take_over)

    def check(self) -> None:
        """Raise InputError if this is not the folder of a run."""
        # os.path says no where pathlib raises: to names that are too long.
        if not all(os.path.isfile(file) for file in (self.database, self.config)):  # noqa: PTH113
            raise InputError(
                "a run's folder holds search.db and config.yaml",
                str(self.path),
                "name a folder that `hpsearch run` made, such as results/digits",
            )

    def load_config(self) -> SearchConfig:
        """Return the config that the run was started with."""
        return build(documents.read(self.config))

    def remove(self) -> None:
        """Remove the folder with everything in it.

        Raises
        ------
        InputError
            If it is no run's.
        RunError
            If a process works on it.
        """
        self.check()
        doomed = self.path.with_name(f".{self.path.name}.old")
        shutil.rmtree(doomed, ignore_errors=True)
        with self.lock():
            atomic_files.rename_folder(self.path, doomed.name)
        shutil.rmtree(doomed)
