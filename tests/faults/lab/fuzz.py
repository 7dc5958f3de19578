"""One fuzzed reader, guided by the coverage of both packages: ``python -m tests.faults.lab.fuzz``.

The arguments are the name of a target and libFuzzer's own. It runs in an empty folder.
What a target raises is a fault: no more than `HpsearchError` may come out of a reader.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hpsearch", "workers"], exclude=["workers.nn"]):
    from click.testing import CliRunner

    from hpsearch.cli.main import main
    from hpsearch.config import loading as configs
    from hpsearch.config.sections.data import DataConfig
    from hpsearch.data import datasets
    from hpsearch.ensembles import ensemble, model
    from hpsearch.results.tables import Results
    from hpsearch.storage.store import Store
    from workers.checkpoints import checkpoint_files
    from workers.errors import HpsearchError

CHECKPOINT = "val_accuracy=0.9722_trial=00010_epoch=0004.safetensors"
MOST = 2000


@contextlib.contextmanager
def one_line() -> object:
    """Let an error of ours pass, if it is one line and not a long one."""
    try:
        yield
    except HpsearchError as error:
        if "\n" in str(error) or len(str(error)) > MOST:
            raise ValueError(f"not one line: {error!r}") from error


def config(data: bytes) -> None:
    """Read a config."""
    Path("config.yaml").write_bytes(data)
    with one_line():
        configs.load(Path("config.yaml"))


def dataset(name: str, target: str | None) -> Callable[[bytes], None]:
    """Return a target that reads a data file."""
    section = DataConfig(source=name, target=target)

    def read(data: bytes) -> None:
        Path(name).write_bytes(data)
        with one_line():
            datasets.load(section, seed=0)

    return read


def checkpoint(data: bytes) -> None:
    """Read a checkpoint as a run and as a model."""
    path = Path(CHECKPOINT)
    path.write_bytes(data)
    for load in (checkpoint_files.load, model.load):
        with one_line():
            load(path)


def checkpoint_name(data: bytes) -> None:
    """Read the name of a checkpoint; what is accepted is written in the same way."""
    name = data.decode(errors="surrogateescape")
    with one_line():
        if checkpoint_files.file_name(*checkpoint_files.parse_name(name)) != name:
            raise ValueError(f"{name!r} is not how it would be written")


def database(data: bytes) -> None:
    """Read a database, for a table and to go on with it."""
    for old in Path().glob("search.db*"):
        old.unlink()
    Path("search.db").write_bytes(data)
    with one_line():
        Results.load(Path())
    with one_line():
        Store.open(Path("search.db")).close()


def members(data: bytes) -> None:
    """Read what an ensemble consists of."""
    Path("ensemble.json").write_bytes(data)
    with one_line():
        ensemble.load(Path())


def command_line(data: bytes) -> None:
    """Run a command line, which ends with a code, without a trace, and changes nothing."""
    Path("config.yaml").write_text("study: {name: x}")
    before = sorted(os.listdir())  # noqa: PTH208
    arguments = data.decode(errors="surrogateescape").split("\n")
    result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 1, 2) or sorted(os.listdir()) != before:  # noqa: PTH208
        raise ValueError(f"exit code {result.exit_code}, {os.listdir()}")  # noqa: PTH208


TARGETS: dict[str, Callable[[bytes], None]] = {
    "config": config,
    "a.csv": dataset("a.csv", "class"),
    "a.npz": dataset("a.npz", None),
    "a.parquet": dataset("a.parquet", "y"),
    "a.idx": dataset("a.idx", None),
    "checkpoint": checkpoint,
    "checkpoint name": checkpoint_name,
    "database": database,
    "ensemble": members,
    "command line": command_line,
}

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
