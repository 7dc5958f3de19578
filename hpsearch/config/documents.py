"""YAML in and out, and changes by ``KEY=VALUE``: plain data, no rules about its content."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from workers.errors import InputError

MAX_BYTES = 1 << 20
"""A config larger than this is taken for some other file."""


class _Loader(yaml.SafeLoader):
    """Plain data only; ``1e-6`` is a number; no aliases and no repeated keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise InputError(
                "a config has no aliases", f"one in line {mark.line + 1}", "write the value out"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                line = f"{key!r} in line {key_node.start_mark.line + 1}"
                raise InputError("a key must be text", line, "put it in quotes")
            if key in seen:
                line = f"{key!r} again in line {key_node.start_mark.line + 1}"
                raise InputError("a key may stand once", line, "remove one of them")
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads back: quotes around ``"1e5"``, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?([0-9]+[eE][-+]?[0-9]+|[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?)$"),
        list("-+0123456789."),
    )


def parse(text: str, *, where: str) -> Any:
    """Return the plain data that a YAML text describes.

    >>> parse("{low: 1e-6, high: 10}", where="example")
    {'low': 1e-06, 'high': 10}

    Raises
    ------
    InputError
        If it is not YAML, has aliases or repeated keys, or nests too deep.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader that allows less)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{where} must be YAML", problem, "correct it there") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} must be plain data", str(error), "correct it") from None


def read(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; raises InputError if there is none."""
    remedy = "name a YAML file such as configs/digits.yaml"
    try:
        if not path.is_file():
            raise InputError("the config must be a file", str(path), remedy)
        if path.stat().st_size > MAX_BYTES:
            raise InputError("the config must be under 1 MiB", str(path), remedy)
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError("the config must be text in UTF-8", str(error), remedy) from None
    except OSError as error:
        raise InputError("the config must be a file", f"{path}: {error.strerror}", remedy) from None
    document = parse(text, where=str(path))
    if not isinstance(document, dict):
        found = f"{type(document).__name__} in {path}"
        raise InputError("a config must be a mapping of sections", found, remedy)
    return document


def assign(document: dict[str, Any], assignments: Iterable[str]) -> None:
    """Change ``document`` in place by ``a.b=VALUE`` texts; list items go by number or name.

    >>> document = {"stages": [{"name": "coarse", "epochs": 1}]}
    >>> assign(document, ["stages.coarse.epochs=2", "study.seed=7"])
    >>> document
    {'stages': [{'name': 'coarse', 'epochs': 2}], 'study': {'seed': 7}}
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise InputError("--set takes KEY=VALUE", repr(assignment), "write study.seed=7")
        *parents, last = path.strip().split(".")
        target: Any = document
        for key in parents:
            target = _child(target, key, path)
        value = parse(text, where=f"--set {path}")
        if isinstance(target, list):
            target[_position(target, last, path)] = value
        elif isinstance(target, dict):
            target[last] = value
        else:
            raise InputError(f"--set {path} must name a key", repr(target), "shorten the key")


def _child(target: Any, key: str, path: str) -> Any:
    if isinstance(target, list):
        return target[_position(target, key, path)]
    if isinstance(target, dict):
        return target.setdefault(key, {})
    raise InputError(f"--set {path} must name a key", repr(target), "shorten the key")


def _position(items: list[Any], key: str, path: str) -> int:
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if key in names:
        return names.index(key)
    if key.isdecimal() and int(key) < len(items):
        return int(key)
    known = ", ".join([str(name) for name in names if name] or [f"0 to {len(items) - 1}"])
    raise InputError(f"--set {path} must name an item", repr(key), f"use one of {known}")


def dump(document: dict[str, Any]) -> str:
    """Return ``document`` as YAML, in its own order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)
