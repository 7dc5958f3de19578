"""Security: who can read what a run writes, where it writes, and what it never tells."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.lab.interruption import Inject, survey
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import NewLab

ACCESS = "security: files and folders are the user's alone"
CANARY = "security: a credential appears nowhere"


def private_files(
    new_lab: NewLab, whole: dict[str, str], inject: Inject | None, n: int, mask: int = 0
) -> Verdict:
    """Run with a umask, predict, and look at the mode of everything that was made."""
    lab = new_lab()
    (lab.folder / "results").mkdir(mode=0o700)
    rows = lab.folder / "rows.csv"
    rows.write_text("5,3,1,0.2\n")
    ended = lab.search(inject=partial(_masked, inject, mask)).wait()
    output = lab.folder / "results" / "p.csv"
    asked = ["predict", str(lab.run), str(rows), "--no-header", "--output", str(output)]
    predicted = lab.start(asked, inject=partial(_masked, inject, mask)).wait()
    averaged = lab.start(
        ["ensemble", str(lab.run), "--top", "2"], inject=partial(_masked, inject, mask)
    ).wait()
    if ended.code or predicted.code or averaged.code:
        return judge(wrong=f"{ended.output}{predicted.output}{averaged.output}")
    notes = (lab.folder / "pragmas").read_text().split()
    if not notes or set(notes) - {"2", "3"}:
        return judge(wrong=f"PRAGMA synchronous was {notes}, so a commit is not on disk")
    open_ones = [f"{path} {mode:o}" for path, mode in modes(lab.folder / "results")]
    return judge(wrong=", ".join(open_ones) or None)


def modes(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield what is open to others, or closed to the user."""
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            yield path, mode


def _masked(inject: Inject | None, mask: int) -> None:
    """Set the umask, and note for each commit what SQLite was told about syncing."""
    os.umask(mask)
    from hpsearch.storage.sqlite.database import Database

    commit = Database._commit

    def noted(self: Database) -> None:
        (synchronous,) = self._connection.execute("PRAGMA synchronous").fetchone()
        place = self.path.resolve().parents[2] / "pragmas"
        with place.open("a") as file:
            file.write(f"{synchronous}\n")
        commit(self)

    Database._commit = noted  # type: ignore[method-assign]
    if inject is not None:
        inject()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_modes_whatever_the_umask(new_lab: NewLab, promises: PromiseTable, mask: int) -> None:
    faults = {f"{mask:o}": partial(private_files, new_lab, {}, None, 0, mask)}
    assert survey(promises, ACCESS, faults) == []


SECRET = "canary-9f31"


@pytest.mark.parametrize(
    "options",
    [
        ["--set", f"data.source=https://me:{SECRET}@host/data.csv"],
        ["--set", f"data.source=s3://{SECRET}@bucket/data.parquet"],
        ["--address", f"ray://me:{SECRET}@host:10001"],
        ["--address", f"https://me:{SECRET}@host:6379"],
        ["--set", f"study.name=https://me:{SECRET}@host"],
    ],
)
def test_a_credential_appears_nowhere(
    new_lab: NewLab, promises: PromiseTable, options: list[str]
) -> None:
    lab = new_lab()
    started = lab.search("--workers", "1", *options)
    ended = started.wait()
    started.output.unlink()
    files = [path for path in lab.folder.rglob("*") if path.is_file()]
    found = [str(path) for path in files if SECRET.encode() in path.read_bytes()]
    wrong = f"exit code {ended.code}: {ended.output}" if ended.code != 2 else None
    wrong = ended.output if SECRET in ended.output else wrong or ", ".join(found) or None
    assert promises.enter(CANARY, judge(wrong=wrong)).good, wrong
