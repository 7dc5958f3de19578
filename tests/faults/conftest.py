"""What the fault trials share: the promises, and the run that nothing interrupted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.lab.outcome import outcome
from tests.faults.lab.promise_table import PromiseTable
from tests.faults.lab.search_processes import Lab

collect_ignore = ["lab/fuzz.py"]
"""A program of its own, which needs Atheris and changes what it imports."""

PROMISES = pytest.StashKey[PromiseTable]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PROMISES] = PromiseTable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    promises = terminalreporter.config.stash.get(PROMISES, None)
    if promises is not None and (promises.counts or promises.figures):
        terminalreporter.section("faults", bold=True)
        for line in promises.table():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def promises(pytestconfig: pytest.Config) -> PromiseTable:
    """Return the table to which every trial adds."""
    return pytestconfig.stash.setdefault(PROMISES, PromiseTable())


@pytest.fixture
def new_lab(tmp_path: Path) -> Callable[[], Lab]:
    """Return a function that makes an empty lab."""
    made = iter(range(100_000))

    def make() -> Lab:
        lab = Lab(tmp_path / str(next(made)))
        lab.configure()
        return lab

    return make


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the outcome of the search when nothing interrupts it."""
    lab = Lab(tmp_path_factory.mktemp("whole"))
    lab.configure()
    ended = lab.search().wait()
    if ended.code != 0:
        raise RuntimeError(ended.output)
    return outcome(lab.run)


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the failpoints that a whole search passes, in order."""
    lab = Lab(tmp_path_factory.mktemp("passed"))
    lab.configure()
    assert lab.search(failpoint="*=note").wait().code == 0
    return lab.passed()
