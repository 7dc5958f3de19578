"""YAML in and out: plain data, numbers as they are meant, nothing that surprises."""

import contextlib
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.documents import MAX_BYTES, assign, dump, parse, read
from workers.errors import InputError

# --- reading


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 1e-6),
        ("1E5", 1e5),
        ("-2e+3", -2e3),
        (".5", 0.5),
        ("1.e-6", 1e-6),
        ("5.", 5.0),
        ("1.0e-6", 1e-6),
        ("1e-6 # a comment", 1e-6),
        ("10", 10),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("'1e-6'", "1e-6"),
        ("1e", "1e"),
        ("e5", "e5"),
        ("1e-6x", "1e-6x"),
        ("digits", "digits"),
        ("[1e-6, 10]", [1e-6, 10]),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    found = parse(text, where="here")
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x\n", ["aliases", "line 2"]),
        ("a: 1\nb: 2\na: 3\n", ["stand once", "'a'", "line 3"]),
        ("x: {a: 1, a: 1}", ["stand once", "'a'"]),
        ("1: 2", ["key must be text", "1"]),
        ("true: 2", ["key must be text", "True"]),
        ("[1]: 2", ["key must be text"]),
        ("? {a: 1}\n: 2", ["key must be text"]),
        ("{<<: {a: 1}}", ["must be YAML"]),
        ("a: [1", ["must be YAML"]),
        ("a: b: c", ["must be YAML"]),
        ("\tb", ["must be YAML"]),
        ("a: \x07", ["must be YAML"]),
        ("--- 1\n--- 2", ["must be YAML"]),
        ("!!python/object/apply:os.system [id]", ["must be YAML"]),
        ("!!python/name:os.system ''", ["must be YAML"]),
        ("2001-99-99", ["must be plain data"]),
        ("9" * 5000, ["must be plain data"]),
        ("[" * 5000, ["must be plain data"]),
        ("{a: " * 5000, ["must be plain data"]),
    ],
)
def test_refused_in_one_line(text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, where="here")
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    assert all(word in line for word in words), line


def test_aliases_do_not_explode() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    with pytest.raises(InputError, match="no aliases"):
        parse("\n".join(lines), where="here")


# --- files


def fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, ["must be a file"]),
        (lambda path: path.mkdir(), ["must be a file"]),
        (fifo, ["must be a file"]),
        (lambda path: path.symlink_to(path), ["must be a file"]),
        (lambda path: path.write_bytes(b""), ["mapping of sections", "NoneType"]),
        (lambda path: path.write_bytes(b"# nothing\n"), ["mapping of sections"]),
        (lambda path: path.write_bytes(b"- 1\n- 2\n"), ["mapping of sections", "list"]),
        (lambda path: path.write_bytes(b"study\n"), ["mapping of sections", "str"]),
        (lambda path: path.write_bytes(b"a: \xff\xfe"), ["UTF-8"]),
        (lambda path: path.write_bytes(b"a: \x00"), ["must be YAML"]),
        (lambda path: path.write_bytes(b"a: 1\n" + b"#" * MAX_BYTES), ["under 1 MiB"]),
    ],
)
def test_files_that_are_no_config(tmp_path: Path, make: Any, words: list[str]) -> None:
    path = tmp_path / "config.yaml"
    make(path)
    with pytest.raises(InputError) as caught:
        read(path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "a\0b"])
def test_impossible_paths(name: str) -> None:
    with pytest.raises(InputError, match="must be a file"):
        read(Path(name))


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("study: 1\n", encoding="utf-8-sig")
    assert read(path) == {"study": 1}


# --- writing

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ["1e5", "1e-6", ".5", "1.", "yes", "null", "0x1f", "1:30", "2001-01-01", "="]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), PLAIN, max_size=4))
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    found = parse(dump(document), where="here")
    assert found == document
    assert repr(found) == repr(document)


def test_what_stands_twice_is_written_out() -> None:
    low = [1]
    assert parse(dump({"a": low, "b": low}), where="here") == {"a": [1], "b": [1]}


# --- changes by KEY=VALUE


def changed(*assignments: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "study": {"seed": 0},
        "stages": [{"name": "coarse", "epochs": 1}, {"name": "1", "epochs": 2}, "odd"],
    }
    assign(document, assignments)
    return document


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("study.seed=7", ["study", "seed"], 7),
        ("study.name=x=y", ["study", "name"], "x=y"),
        ("study.name=", ["study", "name"], None),
        ("stages.coarse.epochs=9", ["stages", 0, "epochs"], 9),
        ("stages.0.epochs=9", ["stages", 0, "epochs"], 9),
        ("stages.1.epochs=9", ["stages", 1, "epochs"], 9),
        ("stages.2=9", ["stages", 2], 9),
        ("network.hidden=[3, 4]", ["network", "hidden"], [3, 4]),
        ("search_space.l2={type: float, low: 1e-6}", ["search_space", "l2", "low"], 1e-6),
        ("a.b.c=1", ["a", "b", "c"], 1),
    ],
)
def test_assignments(assignment: str, path: list[Any], value: Any) -> None:
    found: Any = changed(assignment)
    for key in path:
        found = found[key]
    assert found == value


def test_later_assignments_come_on_top() -> None:
    assert changed("study={seed: 1}", "study.seed=2", "study.name=x")["study"] == {
        "seed": 2,
        "name": "x",
    }


def test_a_name_goes_before_a_number() -> None:
    assert changed("stages.1.epochs=9")["stages"][1] == {"name": "1", "epochs": 9}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("study.seed", ["KEY=VALUE", "'study.seed'"]),
        ("=5", ["KEY=VALUE"]),
        ("", ["KEY=VALUE"]),
        ("study.seed.x=1", ["study.seed.x", "shorten"]),
        ("study.seed.x.y=1", ["study.seed.x.y", "shorten"]),
        ("stages.medium.epochs=1", ["stages.medium.epochs", "coarse"]),
        ("stages.7.epochs=1", ["'7'", "coarse"]),
        ("stages.-1.epochs=1", ["'-1'"]),
        ("stages.²=1", ["'²'"]),
        ("study.seed=[1", ["study.seed", "YAML"]),
        ("study.seed=*x", ["no aliases"]),
        ("study.seed={a: 1, a: 2}", ["stand once"]),
    ],
)
def test_assignments_refused(assignment: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        changed(assignment)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@given(st.binary(max_size=60), st.integers(0, 2**32))
def test_no_text_gets_past_with_another_error(noise: bytes, seed: int) -> None:
    """Either plain data or an InputError, for damaged configs too."""
    text = (Path(__file__).parents[2] / "configs" / "digits.yaml").read_text()
    place = random.Random(seed).randrange(len(text))
    damaged = text[:place] + noise.decode("latin-1") + text[place + len(noise) :]
    with contextlib.suppress(InputError):
        parse(damaged, where="here")
