"""A small file system of its own for a lab's results, in a namespace of its own."""

import ctypes
import os
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.faults.lab.search_processes import Lab


class SmallDisk:
    """A tmpfs of so many kilobytes at a lab's ``results``, seen by those who `enter`.

    It skips the test where the namespaces can't be made, which takes root.
    """

    def __init__(self, lab: Lab, kilobytes: int) -> None:
        self._place = lab.folder / "results"
        self._place.mkdir()
        script = f"mount -t tmpfs -o size={kilobytes}k,mode=700 tmpfs '{self._place}' && echo up"
        self._holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"{script} && exec sleep 600"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._holder.stdout is None or self._holder.stdout.readline() != b"up\n":
            self.close()
            pytest.skip("mounting takes root")
        self._namespace = Path(f"/proc/{self._holder.pid}/ns/mnt")

    def enter(self) -> None:
        """Let this process see the file system; called in a new process."""
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(self._namespace, os.O_RDONLY)
        folder = Path.cwd()
        if libc.setns(descriptor, 0x00020000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(descriptor)
        os.chdir(folder)

    def remount(self, options: str) -> None:
        """Change the file system's options."""
        self._run("mount", "-o", f"remount,{options}", str(self._place))

    def copy(self, source: Path, target: Path) -> None:
        """Copy a folder out of the file system."""
        self._run("cp", "-a", str(source), str(target))

    def close(self) -> None:
        """Drop the file system and all that is in it."""
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout is not None:
            self._holder.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Path]:
        return {"_namespace": self._namespace}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self._namespace = state["_namespace"]

    def _run(self, *command: str) -> None:
        subprocess.run(["nsenter", "-t", str(self._holder.pid), "-m", *command], check=True)
