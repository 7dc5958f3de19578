"""Promise 3: no partial, changed or foreign checkpoint is believed."""

import io
import json
import os
import random
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save as save_tensors

from hpsearch.ensembles import model
from hpsearch.results.tables import Results
from tests.faults.lab.interruption import Inject, one_line, survey
from tests.faults.lab.outcome import acknowledged
from tests.faults.lab.promise_table import PromiseTable, Verdict, judge
from tests.faults.lab.search_processes import Lab, NewLab
from workers.checkpoints import checkpoint_files
from workers.errors import CheckpointError

BELIEVED = "3 no partial or foreign checkpoint is believed: read"
BETWEEN = "3 no partial or foreign checkpoint is believed: changed before a resume"


def damaged_between(
    new_lab: NewLab, whole: dict[str, str], inject: Inject | None, n: int
) -> Verdict:
    """Kill a search, change a bit of each checkpoint, go on: none is trained from."""
    lab = new_lab()
    lab.search(failpoint=f"store.after_commit=kill@{n}", inject=inject).wait()
    known = {trial for trial, _ in acknowledged(lab.run)}
    rng = random.Random(n)
    for path in lab.run.glob("checkpoints/*"):
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data) // 2, len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    ended = lab.search(inject=inject).wait()
    if ended.code not in (0, 1) or (ended.code and one_line(ended)):
        return judge(wrong=ended.output[-800:])
    return judge(wrong=_believed(lab, whole, known))


def _believed(lab: Lab, whole: dict[str, str], known: set[int]) -> str | None:
    """Return an epoch that is not as it would have been, of trials that were begun."""
    keys = ["trial", "epoch"]
    metrics = [*keys, "train_loss", "val_accuracy", "val_loss"]
    before = pd.read_csv(io.StringIO(whole["epochs"]))[metrics]
    after = Results.load(lab.run).epochs[metrics]
    both = after[after["trial"].isin(known)].merge(before, on=keys, suffixes=("", "_before"))
    for name in metrics[2:]:
        if not both[name].equals(both[f"{name}_before"]):
            return f"{name} differs after going on from a changed file"
    return None


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of a real run."""
    lab = Lab(tmp_path_factory.mktemp("good"))
    lab.configure()
    assert lab.search().wait().code == 0
    return max(lab.run.glob("checkpoints/*"))


def refused(folder: Path, name: str, data: bytes) -> Verdict:
    """Write a file and load it: it must be refused, without much memory."""
    path = folder / name
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        model.load(path).predict_proba(np.zeros((1, 4)))
    except CheckpointError as error:
        wrong = None if len(str(error)) < 1000 and "\n" not in str(error) else str(error)
    except Exception as error:
        wrong = repr(error)
    else:
        wrong = "it was believed"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return judge(wrong=wrong or (f"{grown} kB for {len(data)} bytes" if grown > 300_000 else None))


def mutations(data: bytes, count: int) -> Iterator[bytes]:
    """Yield changed copies: bits flipped, parts cut out, doubled, moved or made random."""
    rng = random.Random(3)
    header = 8 + int.from_bytes(data[:8], "little")
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            most = header if rng.random() < 0.7 else len(changed)
            begin = rng.randrange(max(1, min(most, len(changed))))
            end = begin + rng.choice([1, 1, 2, 8, 100])
            kind = rng.randrange(5)
            if kind == 0:
                changed[begin] ^= 1 << rng.randrange(8)
            elif kind == 1:
                del changed[begin:end]
            elif kind == 2:
                changed[begin:begin] = changed[begin:end]
            elif kind == 3:
                changed[begin:end] = rng.randbytes(end - begin)
            else:
                changed[begin:end] = rng.choice([b"null", b"1e999", b'"', b"{", b"-1", b"\0" * 8])
        if bytes(changed) != data:
            yield bytes(changed)


def flips(data: bytes) -> Iterator[bytes]:
    """Yield copies with one bit of the header changed."""
    header = 8 + int.from_bytes(data[:8], "little")
    for place in range(header):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            yield bytes(changed)


def foreign() -> Iterator[tuple[str, bytes]]:
    """Yield files that are none of ours."""
    many = {f"t{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
    text = json.dumps(many).encode()
    yield "100,000 tensors", len(text).to_bytes(8, "little") + text
    yield "a header of 2**63 bytes", (2**63).to_bytes(8, "little") + b"{}"
    yield "deep JSON", (600_000).to_bytes(8, "little") + b"[" * 600_000
    yield "a pickle", b"\x80\x05cos\nsystem\n(S'touch believed'\ntR."
    archive = io.BytesIO()
    np.savez_compressed(archive, a=np.zeros(10**8, np.uint8))
    yield "a zip bomb", archive.getvalue()
    yield "another program's tensors", save_tensors({"parameters": np.zeros(3, np.float32)})
    yield "nothing", b""
    yield "noise", os.urandom(10_000)


def test_a_file_changed_before_a_resume(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    faults = {f"{n}": partial(damaged_between, new_lab, whole, None, n) for n in (8, 16)}
    assert survey(promises, BETWEEN, faults) == []


def test_foreign_files(good: Path, tmp_path: Path, promises: PromiseTable) -> None:
    for name, data in foreign():
        verdict = promises.enter(BELIEVED, refused(tmp_path, good.name, data))
        assert verdict.good, f"{name}: {verdict.detail}"


@pytest.mark.slow
def test_changed_files(good: Path, tmp_path: Path, promises: PromiseTable) -> None:
    """Every truncation, every bit of the header, and ten thousand random changes."""
    data = good.read_bytes()
    truncated = (data[:length] for length in range(len(data)))
    for changed in [*truncated, *flips(data), *mutations(data, 10_000)]:
        verdict = promises.enter(BELIEVED, refused(tmp_path, good.name, changed))
        assert verdict.good, f"{changed[:200]!r}: {verdict.detail}"


@pytest.mark.slow
def test_files_changed_before_resumes(
    new_lab: NewLab, whole: dict[str, str], promises: PromiseTable
) -> None:
    faults = {f"{n}": partial(damaged_between, new_lab, whole, None, n) for n in range(3, 22)}
    assert survey(promises, BETWEEN, faults) == []


def test_another_runs_file_under_a_name_of_this_one(good: Path, tmp_path: Path) -> None:
    """A file of the right name and form, but not the one that was written down."""
    expected = checkpoint_files.load(good)
    record = checkpoint_files.save(tmp_path, expected)
    arrays = {**expected.arrays, "parameters": expected.arrays["parameters"] + 1}
    (tmp_path / good.name).unlink()
    checkpoint_files.save(tmp_path, checkpoint_files.Snapshot(arrays, expected.metadata))
    with pytest.raises(CheckpointError, match="differs from what the run recorded"):
        checkpoint_files.load(tmp_path / good.name, expected=record)
