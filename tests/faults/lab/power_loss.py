"""A disk that forgets what was not synced: what is left when the power goes.

A file has the content that it had at its last fsync, or none; a folder has the names that
it had at its own last fsync or, where names survive, the present ones. SQLite's files are
taken as they are: its own synchronizing is trusted, that it is asked for is checked.
"""

import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.checkpoints import failpoints

DATABASE = "search.db"


class Disk:
    """What is durable below ``root``: everything that is there now, and what gets synced."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[int, dict[str, int]] = {}
        self._contents: dict[int, bytes] = {}
        for folder, _, files in os.walk(root):
            self._names[Path(folder).stat().st_ino] = self._listing(folder)
            for file in files:
                path = Path(folder) / file
                self._contents[path.stat().st_ino] = path.read_bytes()
        self._fsync, self._open, self._mkdir = os.fsync, os.open, os.mkdir

    def install(self) -> None:
        """Watch what this process makes and syncs from now on."""
        os.fsync, os.open, os.mkdir = self.fsync, self.open, self.mkdir  # type: ignore[assignment]

    def fsync(self, descriptor: int) -> None:
        """Sync, and note what is durable now."""
        self._fsync(descriptor)
        status = os.fstat(descriptor)
        place = f"/proc/self/fd/{descriptor}"
        if stat.S_ISDIR(status.st_mode):
            self._names[status.st_ino] = self._listing(place)
        else:
            self._contents[status.st_ino] = Path(place).read_bytes()

    def open(self, path: Any, flags: int, *rest: Any, **options: Any) -> int:
        """Open; of a new file nothing is durable, whatever had its number before."""
        descriptor = self._open(path, flags, *rest, **options)
        if flags & os.O_EXCL:
            self._contents.pop(os.fstat(descriptor).st_ino, None)
        return descriptor

    def mkdir(self, path: Any, *rest: Any, **options: Any) -> None:
        """Make a folder, of which nothing is durable."""
        self._mkdir(path, *rest, **options)
        self._names[Path(path).stat().st_ino] = {}

    def crash(self, target: Path, *, names_survive: bool) -> None:
        """Make ``target`` what would be left of the root if the power went now."""
        self._names_survive = names_survive
        self._rebuild(self._root, self._root.stat().st_ino, target)

    def _rebuild(self, present: Path | None, number: int, target: Path) -> None:
        """Rebuild one folder, which is at ``present`` now unless it was removed."""
        self._mkdir(target, 0o700)
        names = self._names[number]
        if self._names_survive and present is not None:
            names = self._listing(present)
        by_number = self._by_number()
        for name, inode in names.items():
            if inode in self._names:
                self._rebuild(by_number.get(inode), inode, target / name)
            elif not name.startswith(DATABASE):
                (target / name).write_bytes(self._contents.get(inode, b""))
        if DATABASE in names:
            folder = by_number.get(number)
            for path in sorted(folder.glob(f"{DATABASE}*")) if folder else ():
                shutil.copyfile(path, target / path.name)

    def _by_number(self) -> dict[int, Path]:
        return {Path(folder).stat().st_ino: Path(folder) for folder, _, _ in os.walk(self._root)}

    @staticmethod
    def _listing(folder: Any) -> dict[str, int]:
        with os.scandir(folder) as entries:
            return {entry.name: entry.inode() for entry in entries}


def lose_power(
    root: Path, rescued: Path, names_survive: bool, inject: Callable[[], None] | None
) -> None:
    """Arrange that the failpoint that would kill leaves in ``rescued`` what is durable."""
    disk = Disk(root)
    disk.install()
    if inject is not None:
        inject()

    def act(action: str, name: str) -> None:
        disk.crash(rescued, names_survive=names_survive)
        os.kill(os.getpid(), signal.SIGKILL)

    failpoints._act = act
