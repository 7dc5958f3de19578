"""Checkpoints: names, bytes that never vary, and files that can't be believed."""

import ast
import errno
import io
import json
import os
import pickle
import random
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

import workers
from workers.checkpoints import atomic_files, checkpoint_files, tensors
from workers.checkpoints.checkpoint_files import (
    Snapshot,
    file_name,
    load,
    parse_name,
    remove_unknown,
    save,
)
from workers.errors import CheckpointError, RunError
from workers.messages import Checkpoint
from workers.nn.metrics.metrics import METRICS

NAME = "val_accuracy=0.9722_trial=00042_epoch=0010.safetensors"


def snapshot(**changes: object) -> Snapshot:
    arrays = {
        "parameters": np.arange(6, dtype=np.float32).reshape(2, 3),
        "optimizer.velocity": np.array([1e-300, np.inf, -0.0]),
        "optimizer.step": np.array(7, dtype=np.int64),
        "preprocessing.empty": np.zeros((0, 4)),
    }
    metadata: dict[str, object] = {
        "trial": 42,
        "epoch": 10,
        "metric": "val_accuracy",
        "score": 0.9722222,
        "spec": {"hidden": (64, 10), "learning_rate": 0.1},
        "features": 3,
        "outputs": 2,
        "task": "classification",
        "classes": ["é", 1, True],
        "feature_names": ["a", "b", "c"],
        "preprocess": ["standardize"],
        "history": [{"val_accuracy": 0.1 + 0.2}],
    }
    return Snapshot(arrays, metadata | changes)


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoint:
    return save(tmp_path, snapshot())


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(path: Path, content: bytes, *, why: str = ".") -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=why) as caught:
        load(path)
    assert len(str(caught.value).splitlines()) == 1


# Names


@given(
    st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 10**12 - 1),
    st.integers(0, 10**12 - 1),
)
def test_names_round_trip(metric: str, score: float, trial: int, epoch: int) -> None:
    name = file_name(metric, score, trial, epoch)
    parsed = parse_name(name)
    assert parsed[0] == metric
    assert parsed[2:] == (trial, epoch)
    assert file_name(*parsed) == name
    assert len(name) + len("..0123456789abcdef.tmp") <= 255
    if abs(score) < 99_999:
        assert abs(parsed[1] - score) <= 0.000_050_1


@given(st.text(max_size=80))
def test_no_other_text_is_a_name(text: str) -> None:
    for name in (text, NAME + text, text + NAME, NAME[:20] + text + NAME[20:]):
        if name != NAME:
            try:
                assert file_name(*parse_name(name)) == name
            except CheckpointError as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize(
    "name",
    [
        "../" + NAME,
        NAME + "\n",
        NAME + "\0",
        "val_accuracy=0.97222_trial=00042_epoch=0010.safetensors",
        "val_accuracy=00000.9722_trial=00042_epoch=0010.safetensors",
        "val_accuracy=-0.0000_trial=00042_epoch=0010.safetensors",
        "val_accuracy=0.9722_trial=000042_epoch=0010.safetensors",
        "val_accuracy=0.9722_trial=0004\u0662_epoch=0010.safetensors",
        "Val_accuracy=0.9722_trial=00042_epoch=0010.safetensors",
        "x" * 300,
        "",
    ],
)
def test_names_that_only_look_right_are_refused(name: str) -> None:
    with pytest.raises(CheckpointError):
        parse_name(name)


@pytest.mark.parametrize(
    ("metric", "score", "trial"),
    [
        ("val_accuracy", float("nan"), 1),
        ("val_accuracy", float("inf"), 1),
        ("val accuracy", 0.5, 1),
        ("../x", 0.5, 1),
        ("", 0.5, 1),
        ("m" * 65, 0.5, 1),
        ("val_accuracy", 0.5, -1),
        ("val_accuracy", 0.5, 10**12),
    ],
)
def test_parts_that_make_no_name_are_refused(metric: str, score: float, trial: int) -> None:
    with pytest.raises(CheckpointError):
        file_name(metric, score, trial, 1)


@given(st.lists(st.floats(0, 900_000), min_size=2, max_size=9))
def test_names_sort_like_scores(scores: list[float]) -> None:
    rounded = [round(score, 4) for score in scores]
    names = sorted(file_name("val_loss", score, 1, 1) for score in rounded)
    assert [parse_name(name)[1] for name in names] == sorted(rounded)


def test_accuracies_sort_below_one_and_negatives_below_zero() -> None:
    prices = [file_name("val_mse", score, 1, 1) for score in (0.5, 2.6e5, 2.6e8, 9e11, 1e15)]
    assert prices == sorted(prices)
    assert len(set(prices)) == len(prices)
    for name in ("mae", "rmse"):
        errors = [file_name(f"ema_val_{name}", score, 1, 1) for score in (0.5, 2.6e8, 9e11, 1e15)]
        assert errors == sorted(errors)
        assert len(set(errors)) == len(errors)
    accuracy = [file_name("val_accuracy", score, 1, 1) for score in (0.0, 0.5, 0.9999, 1.0)]
    assert accuracy == sorted(accuracy)
    assert file_name("val_r2", -0.5, 1, 1) < file_name("val_r2", 0.0, 1, 1)
    assert file_name("val_r2", -0.000_01, 1, 1) == file_name("val_r2", 0.0, 1, 1)


@pytest.mark.parametrize("metric", METRICS)
def test_a_checkpoint_is_named_by_its_metric(metric: str) -> None:
    name = file_name(f"ema_val_{metric}", 0.75, 1, 1)
    assert parse_name(name) == (f"ema_val_{metric}", 0.75, 1, 1)
    share = METRICS[metric].bounded and metric != "r2"
    width = 6 if share else 17 if metric in ("mse", "mae", "rmse") else 11
    assert name == f"ema_val_{metric}={0.75:0{width}.4f}_trial=00001_epoch=0001.safetensors"


# Saving


def test_what_was_saved_is_loaded(tmp_path: Path, saved: Checkpoint) -> None:
    assert saved.name == NAME
    found = load(tmp_path / NAME, expected=saved)
    for key, value in snapshot().arrays.items():
        assert found.arrays[key].dtype == value.dtype
        assert found.arrays[key].shape == value.shape
        assert found.arrays[key].tobytes() == value.tobytes()
    want = json.loads(json.dumps(dict(snapshot().metadata)))
    assert found.metadata == want
    assert (saved.trial, saved.epoch, saved.score) == (42, 10, 0.9722222)
    assert saved.size == (tmp_path / NAME).stat().st_size


def test_bytes_do_not_vary(tmp_path: Path, saved: Checkpoint) -> None:
    given = snapshot()
    for turn in range(20):
        folder = tmp_path / str(turn)
        folder.mkdir()
        shuffled = random.Random(turn)
        arrays = list(given.arrays.items())
        metadata = list(given.metadata.items())
        shuffled.shuffle(arrays)
        shuffled.shuffle(metadata)
        strided = {key: np.repeat(value[..., None], 2, -1)[..., 0] for key, value in arrays}
        assert save(folder, Snapshot(strided, dict(metadata))) == saved


def test_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    for mask in (0o000, 0o777):
        folder = tmp_path / f"{mask:o}"
        folder.mkdir()
        before = os.umask(mask)
        try:
            save(folder, snapshot())
        finally:
            os.umask(before)
        assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600


def test_same_content_again_is_accepted(tmp_path: Path, saved: Checkpoint) -> None:
    assert save(tmp_path, snapshot()) == saved
    assert listing(tmp_path) == [NAME]


@pytest.mark.parametrize("links", [True, False])
def test_other_content_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", fails(errno.EPERM))
    save(tmp_path, snapshot())
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(CheckpointError, match="other content"):
        save(tmp_path, snapshot(epoch=10, features=4))
    assert (tmp_path / NAME).read_bytes() == before
    assert listing(tmp_path) == [NAME]


def test_a_symlink_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError):
        save(tmp_path, snapshot())
    assert listing(tmp_path) == [NAME]


def test_savers_at_once(tmp_path: Path) -> None:
    """Eight savers race, four a content: one content wins whole, the others are told."""
    outcomes: list[object] = []
    barrier = threading.Barrier(8)

    def run(features: int) -> None:
        barrier.wait()
        try:
            outcomes.append(save(tmp_path, snapshot(features=features)))
        except CheckpointError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(3 + turn % 2,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if isinstance(outcome, Checkpoint)]
    assert len(winners) == 4
    assert len(set(winners)) == 1
    load(tmp_path / NAME, expected=winners[0])
    assert listing(tmp_path) == [NAME]


@pytest.mark.parametrize(
    "changes",
    [
        {"score": float("nan")},
        {"score": "0.5"},
        {"score": True},
        {"trial": -1},
        {"metric": "../../x"},
        {"spec": {"l2": float("inf")}},
        {"spec": {"l2": object()}},
        {"spec": None},
        {"history": ["x" * 2**20]},
    ],
)
def test_metadata_that_could_not_be_loaded_is_not_saved(tmp_path: Path, changes: dict) -> None:
    with pytest.raises(CheckpointError):
        save(tmp_path, snapshot(**changes))
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.array([object()])},
        {"x": np.array(["text"])},
        {"x": np.zeros(2, dtype=np.complex128)},
        {"x": np.zeros((1, 1, 1, 1, 1))},
        {"a/b": np.zeros(2)},
        {f"x{i}": np.zeros(0) for i in range(4001)},
    ],
)
def test_arrays_that_could_not_be_loaded_are_not_saved(tmp_path: Path, arrays: dict) -> None:
    with pytest.raises(CheckpointError):
        save(tmp_path, Snapshot(arrays, snapshot().metadata))
    assert listing(tmp_path) == []


def fails(code: int) -> Callable[..., object]:
    def fail(*args: object, **kwargs: object) -> object:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("step", ["open", "write", "sync", "link"])
def test_disk_errors_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    monkeypatch.setenv("HPSEARCH_FAILPOINT", f"file.before_{step}={errno.errorcode[code]}@1+")
    with pytest.raises(RunError, match="resume"):
        save(tmp_path, snapshot())
    assert listing(tmp_path) == []
    monkeypatch.delenv("HPSEARCH_FAILPOINT")
    assert save(tmp_path, snapshot()).name == NAME


def test_order_of_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is synced before it has its name; the folder is synced by the caller."""
    steps: list[str] = []

    def traced(name: str, call: Callable[..., object]) -> None:
        def wrapper(*args: object, **kwargs: object) -> object:
            kind = name
            if name == "fsync":
                folder = stat.S_ISDIR(os.fstat(args[0]).st_mode)  # type: ignore[arg-type]
                kind = "fsync folder" if folder else "fsync file"
            steps.append(kind)
            return call(*args, **kwargs)

        monkeypatch.setattr(os, name, wrapper)

    traced("fsync", os.fsync)
    traced("link", os.link)
    save(tmp_path, snapshot())
    assert steps == ["fsync file", "link"]
    save(tmp_path, snapshot())
    assert steps[2:] == ["fsync file", "link"]


# Crashes


def failpoints() -> list[str]:
    """Return the names of all failpoints that the writing of a new file passes."""
    tree = ast.parse(Path(atomic_files.__file__).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [
        ast.literal_eval(call.args[0])
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "failpoint"
    ]
    return [n for n in names if n.startswith("file.") and not n.endswith("_replace")]


def test_kill_at_every_point(tmp_path: Path) -> None:
    """After each kill: no file or a good one, and saving again ends the same."""
    write = "import sys, pathlib; from workers.checkpoints import atomic_files; "
    write += "atomic_files.write_new(pathlib.Path(sys.argv[1]), sys.stdin.buffer.read())"
    want = save(tmp_path, snapshot())
    data = (tmp_path / NAME).read_bytes()
    names = failpoints()
    assert len(names) >= 8
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        child = subprocess.run(
            [sys.executable, "-c", write, str(folder / NAME)],
            input=data,
            env=os.environ | {"HPSEARCH_FAILPOINT": name},
            cwd=Path(workers.__file__).parents[1],
            timeout=60,
            check=False,
        )
        assert child.returncode == -signal.SIGKILL, f"{name} was never passed"
        if (folder / NAME).exists():
            load(folder / NAME, expected=want)
        remove_unknown(folder, set())
        assert listing(folder) == []
        assert save(folder, snapshot()) == want


def test_failpoint_at_its_nth_hit_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "workers.checkpoints.failpoints._hits", type(workers.checkpoints.failpoints._hits)()
    )
    monkeypatch.setenv("HPSEARCH_FAILPOINT", "file.before_write=ENOSPC@2")
    save(tmp_path, snapshot(epoch=1))
    with pytest.raises(RunError, match=os.strerror(errno.ENOSPC)):
        save(tmp_path, snapshot(epoch=2))
    save(tmp_path, snapshot(epoch=2))


# Loading what can't be believed


def test_truncated_or_longer_at_every_byte(tmp_path: Path, saved: Checkpoint) -> None:
    data = (tmp_path / NAME).read_bytes()
    for length in range(len(data)):
        refused(tmp_path / NAME, data[:length])
    refused(tmp_path / NAME, data + b"\0")
    refused(tmp_path / NAME, data + data)


def test_every_bit_flipped(tmp_path: Path, saved: Checkpoint) -> None:
    """No flipped bit goes unnoticed, even without the database's digest."""
    data = (tmp_path / NAME).read_bytes()
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(CheckpointError):
                tensors.decode(bytes(flipped))
    refused(tmp_path / NAME, bytes(flipped))


def mutations(data: bytes, count: int) -> Iterator[bytes]:
    draw = random.Random(5)
    for _ in range(count):
        mutated = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            a, b = sorted(draw.randrange(len(data)) for _ in range(2))
            piece = draw.choice(
                [b"", b"\0", b'"', b"{", b"9" * 20, b"-1", b"1e9", b"null", data[a:b]]
            )
            mutated[a : draw.choice([a, a + 1, a + len(piece), b])] = piece
        yield bytes(mutated)


def test_mutations(tmp_path: Path, saved: Checkpoint) -> None:
    data = (tmp_path / NAME).read_bytes()
    for mutated in mutations(data, 5000):
        if mutated != data:
            with pytest.raises(CheckpointError):
                tensors.decode(mutated)


def header(value: object, data: bytes = b"") -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | changes


GOOD = {"__metadata__": {"hpsearch": "{}"}}


@pytest.mark.parametrize(
    ("why", "content"),
    [
        ("cut off", b""),
        ("one text", header({"__metadata__": None})),
        ("cut off", b"\xff" * 8 + b"{}"),
        ("cut off", (2**40).to_bytes(8, "little") + b"{}"),
        ("too long", (2**20 + 1).to_bytes(8, "little") + bytes(2**20 + 1)),
        ("decode", header(b"\xff\xfe")),
        ("recursion", header(b"[" * 100_000)),
        ("recursion", header(b'{"a":' * 100_000)),
        ("digits", header(b"9" * 10_000)),
        ("one text", header([])),
        ("one text", header({})),
        ("one text", header({"__metadata__": {"format": "pt"}})),
        ("one text", header({"__metadata__": {"hpsearch": "{}", "other": ""}})),
        ("one text", header({"__metadata__": {"hpsearch": 1}})),
        ("recursion", header({"__metadata__": {"hpsearch": "[" * 100_000}})),
        ("digest", header({"__metadata__": {"hpsearch": "{}"}})),
        ("digest", header({"__metadata__": {"hpsearch": "[]"}})),
        ("digest", header({"__metadata__": {"hpsearch": '{"digest":1}'}})),
        ("own digest", header({"__metadata__": {"hpsearch": '{"digest":NaN}'}})),
        ("JSON compliant", header({"__metadata__": {"hpsearch": '{"a":NaN,"digest":1}'}})),
        ("twice", header(b'{"__metadata__":{"hpsearch":"{}"},"__metadata__":{"hpsearch":"{}"}}')),
        ("name of a tensor", header(GOOD | {"x" * 200: entry()}, bytes(4))),
        ("name of a tensor", header(GOOD | {"../x": entry()}, bytes(4))),
        ("dtype", header(GOOD | {"x": entry(dtype="F8_E4M3")}, bytes(4))),
        ("dtype", header(GOOD | {"x": entry(dtype=["F32"])}, bytes(4))),
        ("impossible", header(GOOD | {"x": entry(shape=[2**62, 0])}, bytes(4))),
        ("impossible", header(GOOD | {"x": entry(shape=[True])}, bytes(4))),
        ("impossible", header(GOOD | {"x": entry(shape=[-1])}, bytes(4))),
        ("impossible", header(GOOD | {"x": entry(shape=[1.0])}, bytes(4))),
        ("impossible", header(GOOD | {"x": entry(data_offsets=[0])}, bytes(4))),
        ("impossible", header(GOOD | {"x": entry(shape=[0] * 65, data_offsets=[0, 0])})),
        ("not the size", header(GOOD | {"x": entry(shape=[2])}, bytes(4))),
        ("not the size", header(GOOD | {"x": entry(data_offsets=[4, 0])}, bytes(4))),
        ("gap", header(GOOD | {"x": entry(data_offsets=[4, 8])}, bytes(8))),
        ("overlap", header(GOOD | {"x": entry(), "y": entry()}, bytes(4))),
        ("longer", header(GOOD | {"x": entry()}, bytes(5))),
        ("shorter", header(GOOD | {"x": entry()}, bytes(3))),
        ("must have a dtype", header(GOOD | {"x": entry(extra=1)}, bytes(4))),
        ("must have a dtype", header(GOOD | {"x": 1})),
        (".", header(GOOD | {"x": entry(shape=[0, 2**31 - 1, 2**31 - 1, 9], data_offsets=[0, 0])})),
        ("too long", header(GOOD | {f"x{i}": entry() for i in range(100_000)})),
        ("more than 4000", header(GOOD | {f"{i}": entry() for i in range(12_000)})),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)}-{value[8:40]!r}",
)
def test_headers_made_by_hand(tmp_path: Path, why: str, content: bytes) -> None:
    refused(tmp_path / NAME, content, why=why)


class Bomb:
    """An object that would run code if it were unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("code ran",))


def test_other_formats(tmp_path: Path) -> None:
    refused(tmp_path / NAME, pickle.dumps(Bomb()))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("parameters.npy", bytes(10**7))
    refused(tmp_path / NAME, packed.getvalue())
    array = io.BytesIO()
    np.save(array, np.array([Bomb()]), allow_pickle=True)
    refused(tmp_path / NAME, array.getvalue())


def test_not_regular_files(tmp_path: Path, saved: Checkpoint) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / NAME).symlink_to(tmp_path / NAME)
    with pytest.raises(CheckpointError):
        load(other / NAME)
    os.mkfifo(other / "fifo")
    for path in (other, other / "fifo", other / "missing", Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(CheckpointError):
            load(path)


def test_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(checkpoint_files.MAX_BYTES + 1)
    with pytest.raises(CheckpointError, match="more than"):
        load(tmp_path / NAME)


def test_name_must_match_content(tmp_path: Path, saved: Checkpoint) -> None:
    better = tmp_path / NAME.replace("0.9722", "0.9999")
    (tmp_path / NAME).rename(better)
    with pytest.raises(CheckpointError, match=NAME):
        load(better)


def test_other_file_than_expected(tmp_path: Path, saved: Checkpoint) -> None:
    for wrong in (
        replace(saved, digest="0" * 64),
        replace(saved, size=saved.size - 1),
        replace(saved, size=saved.size + 1),
        replace(saved, score=0.97222),
        replace(saved, trial=41),
        replace(saved, name=NAME.replace("42", "43")),
    ):
        with pytest.raises(CheckpointError):
            load(tmp_path / NAME, expected=wrong)
    (tmp_path / NAME).unlink()
    save(tmp_path, snapshot(features=4))
    load(tmp_path / NAME)
    with pytest.raises(CheckpointError):
        load(tmp_path / NAME, expected=saved)


@pytest.mark.parametrize("key", ["spec", "classes", "history", "score", "trial"])
def test_metadata_keys_are_required(tmp_path: Path, key: str) -> None:
    given = snapshot()
    rest = {k: v for k, v in given.metadata.items() if k != key}
    refused(tmp_path / NAME, tensors.encode(given.arrays, rest))


@pytest.mark.parametrize("number", [2, 10**9, 0, -1, True, 1.0, "1", None])
def test_other_formats_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: object
) -> None:
    given = snapshot()
    with monkeypatch.context() as patch:
        patch.setattr(tensors, "FORMAT", number)
        content = tensors.encode(given.arrays, given.metadata)
    why = f"its format is {number!r}, and this hpsearch reads up to 1"
    refused(tmp_path / NAME, content, why=why)


def test_a_file_from_before_formats_were_counted(tmp_path: Path) -> None:
    given = snapshot()
    digest = tensors._digest(given.arrays, given.metadata)
    text = tensors.canonical({**given.metadata, "digest": digest})
    content = safetensors.numpy.save(dict(given.arrays), metadata={"hpsearch": text})
    (tmp_path / NAME).write_bytes(content)
    assert load(tmp_path / NAME).metadata == json.loads(tensors.canonical(given.metadata))


# Cleaning up


def test_only_our_own_files_are_removed(tmp_path: Path, saved: Checkpoint) -> None:
    orphan = file_name("val_loss", 0.5, 1, 2)
    temporary = f".{NAME}.0123456789abcdef.tmp"
    for name in (orphan, temporary):
        (tmp_path / name).write_bytes(b"")
    linked = file_name("val_loss", 0.5, 1, 3)
    folder = file_name("val_loss", 0.5, 1, 4)
    (tmp_path / linked).symlink_to(tmp_path / "notes.txt")
    (tmp_path / folder).mkdir()
    others = ["notes.txt", ".hidden.tmp", f"{NAME}.bak", f".{NAME}.123.tmp", "x=1.safetensors"]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    assert remove_unknown(tmp_path, {NAME}, trial=2) == []
    assert remove_unknown(tmp_path, {NAME}, trial=1) == [orphan]
    (tmp_path / orphan).write_bytes(b"")
    assert remove_unknown(tmp_path, {NAME}) == sorted([temporary, orphan])
    assert sorted(listing(tmp_path)) == sorted([NAME, linked, folder, *others])
    assert remove_unknown(tmp_path / "missing", set()) == []
