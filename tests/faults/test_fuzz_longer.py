"""Bad input in great numbers: Hypothesis with more examples, and Atheris guided by coverage."""

import importlib.util
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from hpsearch.storage.folder import RunFolder
from tests import test_fuzz as fuzz
from tests.faults.lab.interruption import survey
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.support import TINY

EXAMPLES = "bad input: no trace, no hang, bounded memory (Hypothesis)"
GUIDED = "bad input: no trace, no hang, bounded memory (Atheris)"

TIMES = 50
HANG_SECONDS = 900.0
GUIDED_SECONDS = 20
MOST_KIB = 2 * 2**20
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def ended(command: list[str], folder: Path, **variables: str) -> tuple[str, int, int]:
    """Run a Python program; return what it printed, its exit code and peak memory in KiB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=output, stderr=output
        )
        watchdog = threading.Timer(HANG_SECONDS, process.kill)
        watchdog.start()
        _, status, usage = os.wait4(process.pid, 0)
        watchdog.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    text = (folder / "output").read_text(errors="replace")
    return text, process.returncode, usage.ru_maxrss


def more_examples(folder: Path, name: str, tried: Callable[[int], object]) -> Verdict:
    """Try a test of `tests.test_fuzz` with many more examples, in a process of its own."""
    folder.mkdir()
    asked = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-show-statistics"]
    text, code, memory = ended(
        [
            "-X",
            "faulthandler",
            *asked,
            f"{ROOT}/tests/test_fuzz.py::{name}",
            "--rootdir",
            str(ROOT),
        ],
        folder,
        **{fuzz.VARIABLE: str(TIMES), "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)},
    )
    tried(sum(map(int, re.findall(r"(\d+) passing", text))) - 1)
    if code != 0:
        return judge(wrong=f"{code}: {text[-3000:]}")
    return judge(wrong=None if memory < MOST_KIB else f"{memory} KiB")


def guided(folder: Path, name: str, seeds: list[bytes], tried: Callable[[int], object]) -> Verdict:
    """Fuzz one reader, from good files and into every branch of the code that reads them."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number, data in enumerate(seeds):
        (corpus / str(number)).write_bytes(data)
    most = max(4096, 2 * max(map(len, seeds)))
    limits = [f"-max_total_time={GUIDED_SECONDS}", f"-rss_limit_mb={MOST_KIB // 1024}"]
    flags = [*limits, "-timeout=20", f"-max_len={most}", "-seed=1", "-print_final_stats=1"]
    command = [
        "-m",
        "tests.faults.lab.fuzz",
        name,
        *flags,
        f"-artifact_prefix={folder}/",
        str(corpus),
    ]
    text, code, _ = ended(command, folder)
    found = re.search(r"number_of_executed_units: (\d+)", text)
    tried(int(found[1]) - 1 if found else 0)
    return judge(wrong=f"{code}: {text[-3000:]}" if code != 0 or found is None else None)


def seeds(run: RunFolder) -> dict[str, list[bytes]]:
    """Return good inputs of each target, from which the fuzzer sets out."""
    checkpoint = next(iter(run.checkpoints.iterdir()))
    lines = [["run", "config.yaml", "--set", "study.seed=1"], ["results", "run", "--top", "3"]]
    lines += [["predict", "run", "a.csv", "--output", "out.csv"], ["ensemble", "x", "--method"]]
    return {
        "config": [yaml.safe_dump(TINY).encode(), fuzz.BOMB.encode()],
        **{name: [data] for name, data in fuzz.GOOD_DATA.items()},
        "checkpoint": [checkpoint.read_bytes()],
        "checkpoint name": [checkpoint.name.encode(), b"val_loss=000002.3000_trial=00042"],
        "database": [run.database.read_bytes()],
        "ensemble": [next(run.ensembles.glob("*/ensemble.json")).read_bytes(), b"[]", b"{}"],
        "command line": ["\n".join(line).encode() for line in lines],
    }


def test_fifty_times_as_many_examples(tmp_path: Path, promises: PromiseTable) -> None:
    names = [name for name, test in vars(fuzz).items() if hasattr(test, "hypothesis")]
    tried = partial(promises.more, EXAMPLES)
    faults = {name: partial(more_examples, tmp_path / name, name, tried) for name in names}
    assert survey(promises, EXAMPLES, faults) == []


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="Atheris is not there")
def test_guided_by_coverage(tmp_path: Path, colours_run: RunFolder, promises: PromiseTable) -> None:
    tried = partial(promises.more, GUIDED)
    faults = {
        name: partial(guided, tmp_path / name, name, good, tried)
        for name, good in seeds(colours_run).items()
    }
    assert survey(promises, GUIDED, faults) == []
