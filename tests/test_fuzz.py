"""Bad input of every kind: one line, exit code 2, nothing changed on disk."""

import copy
import io
import json
import os
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hpsearch.cli.main import main
from hpsearch.config import documents
from hpsearch.config import loading as configs
from hpsearch.config.search_config import SearchConfig
from hpsearch.data import datasets
from hpsearch.results.tables import Results
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from tests.support import TINY, tiny
from workers.checkpoints import checkpoint_files
from workers.errors import CheckpointError, HpsearchError, InputError

VARIABLE = "HPSEARCH_FUZZ_TIMES"
"""The environment variable that says how many times as many examples are tried."""

QUICK = settings(
    max_examples=150 * int(os.environ.get(VARIABLE, "1")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def state(folder: Path) -> dict[str, Any]:
    """Return everything that can be changed below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        content = path.read_bytes() if plain and not path.name.endswith("-shm") else None
        found[str(path)] = (oct(status.st_mode), content)
    return found


def refused(*arguments: str | Path, code: int = 2) -> str:
    """Run a command that must refuse, in one line and without a trace; return the line."""
    before = state(Path())
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert lines, result.output
    assert lines[0].startswith(("hpsearch: ", "Usage: ")), result.stderr
    assert len(lines) == 1 or lines[0].startswith("Usage: "), result.stderr
    assert len(result.stderr) < 2000
    assert state(Path()) == before
    return lines[0]


def check_line(error: HpsearchError) -> None:
    """See that an error is one line, and not a long one."""
    assert "\n" not in str(error)
    assert len(str(error)) < 2000


def write(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


# --- The config

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "study: *a",
        BOMB,
        "study: {name: a, name: b}",
        "[" * 100_000,
        "{a: " * 5_000,
        "study: \0",
        b"study: \xff\xfe",
        b"\xff\xfea\0:\0",
        "study: !!python/object/apply:os.system ['touch believed']",
        "study: !!python/name:os.system",
        "study: !!binary aGVsbG8=",
        "study: !!set {a, b}",
        "? [a, b]\n: c",
        "study: 2020-01-01",
        "study: " + "9" * 5_000,
        "a: 1\n---\nb: 2\n",
        "%YAML 9.9\n---\na: 1\n",
        "x" * (1 << 21),
        "<<: {a: 1}\n<<: {b: 2}\n",
        "study: {seed: 0o9}\n\t",
    ],
)
def test_texts_that_are_no_config(text: str | bytes) -> None:
    refused("run", write("config.yaml", text))


@pytest.mark.parametrize(
    "change",
    [
        {"study__name": "../escaped"},
        {"study__name": "a" * 300},
        {"study__name": ".."},
        {"study__name": ".hidden"},
        {"study__name": "a\0b"},
        {"study__name": "a/b"},
        {"study__name": "naïve"},
        {"study__name": ""},
        {"study__name": 5},
        {"study__seed": -1},
        {"study__seed": 2**70},
        {"study__seed": True},
        {"study__metric": "__class__"},
        {"data__source": "\0"},
        {"data__source": "a" * 5000},
        {"data__source": ""},
        {"data__source": {"a": 1}},
        {"network__hidden": [10**12]},
        {"network__hidden": [-1]},
        {"network__hidden": "64"},
        {"network__batch_size": 0},
        {"network__activation": "relu\n"},
        {"search_space__learning_rate": {"type": "float", "low": ".nan", "high": 1}},
        {"search_space__learning_rate": {"type": "float", "low": float("nan"), "high": 1.0}},
        {"search_space__learning_rate": {"type": "float", "low": 0.1, "high": float("inf")}},
        {"search_space__learning_rate": {"type": "float", "low": 1.0, "high": 0.1}},
        {"search_space__learning_rate": {"type": "float", "low": 0.0, "high": 1.0, "log": True}},
        {"search_space__learning_rate": {"type": "int", "low": 0, "high": 10**400}},
        {"search_space__no_such": {"type": "float", "low": 0.0, "high": 1.0}},
        {"search_space": []},
        {"stages": []},
        {"stages__0__num_trials": 10**12},
        {"stages__0__epochs": 0},
        {"stages__0__name": "../x"},
        {"stages__1__name": "coarse"},
        {"checkpoint__keep_top": 0},
        {"checkpoint__keep_top": 1e300},
        {"ensemble__method": "eval"},
        {"unknown": 1},
    ],
)
def test_values_that_break_a_rule(change: dict[str, Any]) -> None:
    document = yaml.safe_dump(tiny(**change), allow_unicode=False)
    refused("run", write("config.yaml", document), "--in-process")


def test_files_that_are_no_config(tmp_path: Path) -> None:
    os.mkfifo("fifo")
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    for name in ("fifo", "loop", "folder", "missing", "/dev/zero", "/dev/tty", "a" * 300):
        refused("run", name)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ("type", "low", "high", "log", "step", "choices", "epochs", "name", "narrow", "keep_top")


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all values in a document."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, value in items if isinstance(document, dict | list) else ():
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


@st.composite
def changed_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a good config in which one to three values were changed, removed or added."""
    document = copy.deepcopy(TINY)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(places(document)))
        target: Any = document
        for key in parents:
            target = target[key]
        action = draw(st.sampled_from(["change", "remove", "add"]))
        if action == "change":
            target[last] = draw(VALUES)
        elif action == "remove" and places(document)[1:]:
            del target[last]
        elif isinstance(target, dict):
            target[draw(st.sampled_from(KEYS) | st.text(max_size=8))] = draw(VALUES)
        if not places(document):
            break
    return document


@QUICK
@given(document=changed_documents())
def test_changed_configs(document: dict[str, Any]) -> None:
    """What is accepted can be written down and read back as the same config."""
    try:
        config = configs.build(document)
    except InputError as error:
        check_line(error)
        return
    assert isinstance(config, SearchConfig)
    again = configs.build(documents.parse(documents.dump(dict(config.document)), where="again"))
    assert again.document == config.document


@QUICK
@given(
    data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), start=st.integers(0, 400)
)
def test_changed_config_texts(data: bytes, start: int) -> None:
    text = bytearray(yaml.safe_dump(TINY).encode())
    text[start : start + len(data) // 2] = data
    path = Path("config.yaml")
    path.write_bytes(text)
    try:
        configs.load(path)
    except InputError as error:
        check_line(error)


# --- Data


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pd.DataFrame(columns).to_parquet(file)
    return file.getvalue()


def idx(*shape: int, kind: int = 8, rest: bytes = b"") -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + rest


def csv(rows: int, **replaced: str) -> str:
    lines = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(rows)]
    for number, line in replaced.items():
        lines[int(number[1:])] = line
    return "\n".join(["x,y,class", *lines]) + "\n"


GRID = np.arange(120, dtype=np.float64).reshape(40, 3)
LABELS = np.arange(40) % 2
BAD_DATA: dict[str, tuple[str, str | bytes]] = {
    "text among numbers": ("a.csv", csv(40, r3="n.a.,2,a")),
    "infinity": ("a.npz", npz(x=np.where(GRID == 7, np.inf, GRID), y=LABELS)),
    "rows differ": ("a.npz", npz(x=GRID, y=LABELS[:39])),
    "no features": ("a.npz", npz(x=GRID[:, :0], y=LABELS)),
    "a number": ("a.npz", npz(x=np.float64(3), y=LABELS)),
    "one class": ("a.npz", npz(x=GRID, y=np.zeros(40, int))),
    "objects": ("a.npz", npz(x=np.array([object()] * 40, dtype=object), y=LABELS)),
    "complex": ("a.npz", npz(x=GRID + 1j, y=LABELS)),
    "no rows": ("a.csv", "x,y,class\n"),
    "nothing": ("a.csv", ""),
    "one row": ("a.csv", csv(1)),
    "one class in text": ("a.csv", "x,class\n" + "1,a\n" * 40),
    "twice the same column": ("a.csv", csv(40).replace("x,y", "x,x", 1)),
    "mixed types": ("a.csv", csv(40, r3="one,2,a")),
    "a value too many": ("a.csv", csv(40, r3="1,2,a,4")),
    "not UTF-8": ("a.csv", csv(40).encode() + b"\xff\xfe,1,a\n"),
    "NUL": ("a.csv", csv(40).encode() + b"\0,1,a\n"),
    "an open quote": ("a.csv", csv(40, r3='1,2,"a')),
    "infinity in text": ("a.csv", csv(40, r3="inf,2,a")),
    "1e999": ("a.csv", csv(40, r3="1e999,2,a")),
    "half a Parquet": ("a.parquet", parquet(x=GRID[:, 0], y=LABELS)[:-9]),
    "Parquet of lists": ("a.parquet", parquet(x=[[1], [2]] * 20, y=LABELS)),
    "no Parquet": ("a.parquet", b"PAR1" + bytes(40) + b"PAR1"),
    "half an archive": ("a.npz", npz(x=GRID, y=LABELS)[:-30]),
    "huge IDX": ("a.idx", idx(2**31, 2**31, 2**31)),
    "IDX of nothing": ("a.idx", idx(0, 3)),
    "IDX of 255 dimensions": ("a.idx", struct.pack(">HBB", 0, 8, 255)),
    "IDX of an unknown kind": ("a.idx", idx(4, 3, kind=7, rest=bytes(12))),
    "a pickle": ("a.npy", b"\x80\x05cos\nsystem\n(S'touch believed'\ntR."),
}


@pytest.mark.parametrize("name", list(BAD_DATA))
def test_data_that_cannot_be_used(name: str) -> None:
    file, content = BAD_DATA[name]
    source = {"source": write(file, content)} | ({"target": "class"} if file == "a.csv" else {})
    document = tiny(data={**source, "preprocess": ["standardize"]})
    line = refused("run", write("config.yaml", yaml.safe_dump(document)), "--in-process")
    assert line.startswith("hpsearch: ")


def test_label_gaps_are_classes_like_others() -> None:
    """Labels 0, 2 and 7 are three classes."""
    write("a.npz", npz(x=GRID, y=np.array([0, 2, 7, 7] * 10)))
    section = configs.build(tiny(data={"source": "a.npz"})).data
    assert datasets.load(section, seed=0).dataset.classes == ("0", "2", "7")


def test_sources_that_are_no_files() -> None:
    os.mkfifo("fifo.csv")
    Path("loop.csv").symlink_to("loop.csv")
    for source in ("fifo.csv", "loop.csv", "missing.csv", "/dev/zero", ".", "a" * 300 + ".csv"):
        document = tiny(data={"source": source, "target": "class"})
        refused("run", write("config.yaml", yaml.safe_dump(document)), "--in-process")


GOOD_DATA: dict[str, bytes] = {
    "a.csv": csv(60).encode(),
    "a.npz": npz(x=GRID, y=LABELS),
    "a.parquet": parquet(x=GRID[:, 0], z=GRID[:, 1], y=LABELS),
    "a.idx": idx(40, 3, rest=bytes(range(120))),
}


@QUICK
@given(name=st.sampled_from(list(GOOD_DATA)), seed=st.integers(0, 2**32), changes=st.integers(1, 6))
def test_changed_data_files(name: str, seed: int, changes: int) -> None:
    """A damaged file is read all the same, or refused in one line."""
    rng = random.Random(seed)
    data = bytearray(GOOD_DATA[name])
    for _ in range(changes):
        place = rng.randrange(len(data))
        if rng.random() < 0.5:
            data[place] = rng.randrange(256)
        else:
            del data[place : place + rng.randrange(1, 20)]
    Path(name).write_bytes(data)
    target = {"target": "class"} if name == "a.csv" else {"target": "y"} if "parq" in name else {}
    section = configs.build(tiny(data={"source": name, **target})).data
    try:
        datasets.load(section, seed=0)
    except InputError as error:
        check_line(error)


# --- Runs


@pytest.fixture
def run(colours_run: RunFolder) -> Path:
    """Return a copy of a finished run, to be broken."""
    return Path(shutil.copytree(colours_run.path, "run"))


READING: list[Callable[[Path], list[str]]] = [
    lambda run: ["results", str(run)],
    lambda run: ["ensemble", str(run)],
    lambda run: ["predict", str(run), "rows.csv", "--output", "out.csv"],
    lambda run: ["resume", str(run), "--in-process"],
]


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()


def another(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trials (number)")
    connection.close()


BROKEN: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a database"),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "newer": newer,
    "another program's": another,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("how", list(BROKEN))
def test_databases_that_cannot_be_used(run: Path, how: str) -> None:
    BROKEN[how](run / "search.db")
    (run / "summary.json").unlink()
    for command in READING:
        refused(*command(run))


@pytest.mark.parametrize("name", ["config.yaml", "search.db"])
def test_a_run_half_deleted(run: Path, name: str) -> None:
    (run / name).unlink()
    (run / "summary.json").unlink()
    shutil.rmtree(run / "ensembles")
    refused("predict", run, "rows.csv", "--output", "out.csv")
    refused("resume", run, "--in-process")
    refused("ensemble", run)


def remove(*patterns: str) -> Callable[[Path], None]:
    """Return a function that removes files and folders of a run."""

    def act(run: Path) -> None:
        for path in [path for pattern in patterns for path in run.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return act


def remove_half(run: Path) -> None:
    for path in sorted((run / "checkpoints").iterdir())[::2]:
        path.unlink()


def cut_off_half(run: Path) -> None:
    for path in sorted((run / "checkpoints").iterdir())[::2]:
        path.write_bytes(path.read_bytes()[:500])


HALVES: dict[str, Callable[[Path], None]] = {
    "no folder of checkpoints": remove("checkpoints"),
    "no checkpoints": remove("checkpoints/*"),
    "half the checkpoints": remove_half,
    "half of half the checkpoints": cut_off_half,
    "no folder of ensembles": remove("ensembles"),
    "no ensembles": remove("ensembles/*"),
    "no members": remove("ensembles/*/*.safetensors"),
    "neither": remove("checkpoints", "ensembles"),
    "a file in place of a folder": lambda run: (
        shutil.rmtree(run / "checkpoints"),
        write(str(run / "checkpoints"), ""),
    ),
}


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("how", list(HALVES))
def test_a_run_of_which_parts_are_gone(run: Path, how: str, finished: bool) -> None:
    """What does not need them works; the rest says in one line what it misses."""
    HALVES[how](run)
    if not finished:
        (run / "summary.json").unlink()
    write("rows.csv", "x,y,z\n1,2,3\n")
    for command in [["narrow", str(run)], *(command(run) for command in reversed(READING))]:
        result = CliRunner().invoke(main, command)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.exit_code in (0, 1, 2)
        assert result.exit_code == 0 or len(result.stderr.splitlines()) == 1, result.stderr
        made_again = command[0] == "resume" and how in ("no folder of ensembles", "no ensembles")
        if command[0] in ("results", "narrow") or made_again:
            assert result.exit_code == 0, result.stderr


@QUICK
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 8))
def test_changed_databases(colours_run: RunFolder, seed: int, changes: int) -> None:
    """A damaged database gives a table or one line, to a reader and to a master."""
    rng = random.Random(seed)
    data = bytearray(colours_run.database.read_bytes())
    for _ in range(changes):
        place = rng.randrange(len(data))
        data[place : place + rng.choice([1, 4, 100])] = rng.randbytes(rng.choice([1, 4, 100]))
    run = Path("changed")
    run.mkdir(exist_ok=True)
    for old in run.iterdir():
        old.unlink()
    (run / "search.db").write_bytes(data)
    for read in (lambda: Results.load(run), lambda: Store.open(run / "search.db").close()):
        try:
            read()
        except HpsearchError as error:
            check_line(error)


@QUICK
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 4), name=st.text(max_size=20))
def test_changed_checkpoints(colours_run: RunFolder, seed: int, changes: int, name: str) -> None:
    """Neither a file whose header or values changed is believed, nor one of another name."""
    rng = random.Random(seed)
    good = min(colours_run.checkpoints.iterdir())
    data = bytearray(good.read_bytes())
    header = 8 + int.from_bytes(data[:8], "little")
    for _ in range(changes):
        place = rng.randrange(header if rng.random() < 0.7 else len(data))
        data[place : place + rng.choice([0, 1, 8])] = rng.randbytes(rng.choice([1, 8]))
    if bytes(data) != good.read_bytes():
        Path(good.name).write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            checkpoint_files.load(Path(good.name))
        check_line(caught.value)
    for text in (name, good.name + name, name + "=" + good.name):
        if text != good.name:
            with pytest.raises(CheckpointError) as caught:
                checkpoint_files.parse_name(text)
            check_line(caught.value)


@QUICK
@given(
    text=st.sampled_from(["[]", "{}", "null", "{", '{"members": []}', '{"members": [{}]}'])
    | VALUES.filter(lambda v: v == v).map(
        lambda value: json.dumps({"members": value}, default=str)
    ),
    name=st.sampled_from(["summary.json", "ensembles/top-3/ensemble.json"]),
)
def test_changed_summaries_and_ensembles(colours_run: RunFolder, text: str, name: str) -> None:
    run = Path("run")
    if not run.exists():
        shutil.copytree(colours_run.path, run)
        write("rows.csv", "x,y,z\n1,2,3\n")
    good = (run / name).read_bytes()
    (run / name).write_text(text)
    result = CliRunner().invoke(main, ["predict", "run", "rows.csv", "--output", "out.csv"])
    assert isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in (1, 2)
    assert len(result.stderr.splitlines()) == 1
    (run / name).write_bytes(good)


# --- The command line

TOKENS = (
    *("run", "resume", "check", "results", "ensemble", "predict", "--set", "--name", "--workers"),
    *("--results", "--resume", "--overwrite", "--top", "--method", "--format", "--output", "-h"),
    *("config.yaml", "missing", "/", "", "-", "--", "0", "-1", "1e9", "a=b", "study.name=../x"),
    *("=", "study=1", "stages.9.epochs=1", "x" * 5000, "\udcff", "../..", "nan", "--columns"),
)


@QUICK
@example(arguments=["run", "\0"])
@given(arguments=st.lists(st.sampled_from(TOKENS) | st.text(max_size=10), max_size=6))
def test_command_lines(arguments: list[str]) -> None:
    """No command line ends in a traceback; none of these is good enough to do anything."""
    Path("config.yaml").write_text("study: {name: x}")
    before = state(Path())
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in (0, 1, 2)
    assert state(Path()) == before
