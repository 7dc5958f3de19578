"""The house style and the import directions of docs/architecture.md, read from the sources."""

import ast
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from statistics import median
from textwrap import indent

import pytest

ROOMS = (
    "workers.nn",
    "workers",
    "workers.nn.families",
    "workers.nn.metrics",
    "workers.nn.network",
    "workers.nn.training",
    "workers.nn.checks",
    "workers.checkpoints",
    "workers.data",
    "workers.training",
    "hpsearch.space",
    "hpsearch.config.sections",
    "hpsearch.config",
    "hpsearch.data.tables",
    "hpsearch.data.readers",
    "hpsearch.data",
    "hpsearch.data.inspection",
    "hpsearch.storage.sqlite",
    "hpsearch.storage",
    "hpsearch.narrowing",
    "hpsearch.sampling.surrogate",
    "hpsearch.sampling",
    "hpsearch.search",
    "hpsearch.execution.cluster",
    "hpsearch.execution",
    "hpsearch.results",
    "hpsearch.ensembles",
    "hpsearch.charts",
    "hpsearch.diagnosis",
    "hpsearch.reporting",
    "hpsearch.run",
    "hpsearch.cli",
    "hpsearch",
)
"""The rooms, lowest first: a room imports only from those before it, and only their `__all__`."""

PLACES = {
    "ray": ["hpsearch/execution/*", "workers/training/actor.py"],
    "optuna": ["hpsearch/sampling/*"],
    "click": ["hpsearch/cli/*"],
    "rich": ["hpsearch/cli/*"],
    "sqlite3": ["hpsearch/storage/sqlite/*"],
    "pandas": ["hpsearch/results/*", "hpsearch/ensembles/prediction*.py", "hpsearch/cli/*"],
    "hpsearch": ["hpsearch/*"],
    "pickle": [],
}
"""Which modules may import what; whatever is not named here may be imported anywhere."""

NN = {"numpy", "numba", "scipy", "annotated_types", "workers.nn", "workers.errors", "workers.seeds"}
"""What workers/nn may import beside the standard library."""

PURE = ["hpsearch/narrowing/*", "hpsearch/sampling/*", "hpsearch/search/*"]
"""The master's logic, and what it may not import: whatever reads or writes."""
EFFECTS = {"os", "pathlib", "time", "socket", "subprocess", "hpsearch.storage"}

ROOM_FILES = 12
MODULE_LINES = 200
FUNCTION_LINES = 50
MEDIAN_LINES = 10
PUBLIC_NAMES = 8

ROOT = Path(__file__).parent.parent
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for package in ("hpsearch", "workers")
    for path in sorted((ROOT / package).rglob("*.py"))
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


def imports(path: str, source: str) -> list[str]:
    """Return the dotted names that a module imports, ``from a import b`` as ``a.b``."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.removesuffix(".py").split("/")[: -node.level] if node.level else []
            start = ".".join([*package, *([node.module] if node.module else [])])
            names += [f"{start}.{alias.name}" for alias in node.names]
    return names


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {module_name(path): path for path in SOURCES}


def room_of(path: str) -> str:
    return path.rpartition("/")[0].replace("/", ".")


def modules_imported(path: str, source: str) -> set[str]:
    """Return the project's own modules that one imports."""
    found = set()
    for name in imports(path, source):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found.add(name)
    return found - {"", module_name(path)}


def named(room: str) -> list[str]:
    """Return the ``__all__`` of a room."""
    for node in ast.parse(SOURCES[f"{room.replace('.', '/')}/__init__.py"]).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def upward_imports(path: str, source: str) -> list[str]:
    """Return what a module imports from a room that does not lie below its own."""
    here = room_of(path)
    others = {name: room_of(MODULES[name]) for name in modules_imported(path, source)}
    return [
        f"{path} imports {name}"
        for name, room in others.items()
        if room != here and ROOMS.index(room) >= ROOMS.index(here)
    ]


def private_imports(path: str, source: str) -> list[str]:
    """Return what a module imports from another room that this does not name in ``__all__``."""
    here = room_of(path)
    return [
        f"{path} imports {name}"
        for name in modules_imported(path, source)
        if (room := room_of(MODULES[name])) != here
        and name.rpartition(".")[2] not in named(room)
        and name != "hpsearch"
    ]


def within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def misplaced_imports(path: str, source: str) -> list[str]:
    return [
        f"{path} imports {name}"
        for name in imports(path, source)
        for module, places in PLACES.items()
        if within(name, module) and not any(fnmatch(path, place) for place in places)
    ]


def foreign_to_networks(path: str, source: str) -> list[str]:
    if not path.startswith("workers/nn/"):
        return []
    return [
        f"{path} imports {name}"
        for name in imports(path, source)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(within(name, allowed) for allowed in NN)
    ]


def effects_in_logic(path: str, source: str) -> list[str]:
    if not any(fnmatch(path, pattern) for pattern in PURE):
        return []
    return [
        f"{path} imports {name}"
        for name in imports(path, source)
        if any(within(name, effect) for effect in EFFECTS)
    ]


def long_module(path: str, source: str) -> list[str]:
    lines = len(source.splitlines())
    return [f"{path} has {lines} lines"] if lines > MODULE_LINES else []


def functions(source: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            yield node


def body_lines(node: Function) -> int:
    """Return the lines of a function's body, its docstring aside."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def long_functions(path: str, source: str) -> list[str]:
    return [
        f"{path}:{node.lineno} {node.name} has {body_lines(node)} lines"
        for node in functions(source)
        if body_lines(node) > FUNCTION_LINES
    ]


def is_record(node: ast.AST) -> bool:
    """Whether a class is a dataclass without methods: a row of a table, such as a message."""
    return (
        isinstance(node, ast.ClassDef)
        and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
        and not any(isinstance(child, Function) for child in node.body)
    )


def public_names(source: str) -> list[str]:
    """Return what a module defines without an underscore, tables and records aside.

    Tables are named in UPPER_CASE.
    """
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, Definition) and not is_record(node):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [
                name.id for t in targets for name in ast.walk(t) if isinstance(name, ast.Name)
            ]
    return [name for name in names if not name.startswith("_") and name != name.upper()]


def crowded_module(path: str, source: str) -> list[str]:
    names = public_names(source)
    return [f"{path} has {len(names)}: {names}"] if len(names) > PUBLIC_NAMES else []


def undocumented(path: str, source: str) -> list[str]:
    """Return the public modules, classes, functions and methods without a docstring."""

    def walk(node: ast.Module | ast.ClassDef, name: str) -> Iterator[str]:
        if ast.get_docstring(node) is None:
            yield name
        for child in node.body:
            if not isinstance(child, Definition) or child.name.startswith("_"):
                continue
            if isinstance(child, ast.ClassDef):
                yield from walk(child, f"{name}:{child.name}")
            elif ast.get_docstring(child) is None:
                yield f"{name}:{child.name}"

    return list(walk(ast.parse(source), path))


def assertions(path: str, source: str) -> list[str]:
    return [
        f"{path}:{node.lineno} asserts"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Name) and node.id == "AssertionError")
    ]


RULES: list[Callable[[str, str], list[str]]] = [
    upward_imports,
    private_imports,
    misplaced_imports,
    foreign_to_networks,
    effects_in_logic,
    long_module,
    long_functions,
    crowded_module,
    undocumented,
    assertions,
]


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds_everywhere(rule: Callable[[str, str], list[str]]) -> None:
    broken = [line for path, source in SOURCES.items() for line in rule(path, source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("package", ["hpsearch", "workers"])
def test_functions_are_short(package: str) -> None:
    lengths = [
        body_lines(function)
        for path, source in SOURCES.items()
        if path.startswith(f"{package}/")
        for function in functions(source)
    ]
    assert len(lengths) > 100
    assert median(lengths) < MEDIAN_LINES


def test_the_rooms_are_those_that_there_are() -> None:
    assert sorted(ROOMS) == sorted({room_of(path) for path in SOURCES})


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Return which of the project's modules each one imports."""
    return {module_name(path): modules_imported(path, text) for path, text in SOURCES.items()}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_small_and_names_what_others_use(
    room: str, imported: dict[str, set[str]]
) -> None:
    files = {name: path for name, path in MODULES.items() if room_of(path) == room}
    assert len(files) <= ROOM_FILES
    elsewhere = {
        name for module, names in imported.items() if module not in files for name in names
    }
    if room not in ("hpsearch", "hpsearch.cli"):  # The doors for a person: Python, the terminal.
        used = sorted((files.keys() & elsewhere) - {room})
        assert [name.rpartition(".")[2] for name in used] == named(room)


def test_no_module_imports_itself_by_way_of_others(imported: dict[str, set[str]]) -> None:
    below = dict(imported)
    while below:
        bottom = {name for name, others in below.items() if not others & below.keys()}
        assert bottom, f"a circle of imports among {sorted(below)}"
        below = {name: others for name, others in below.items() if name not in bottom}


def test_sources_are_found() -> None:
    assert {
        "hpsearch/search/search.py",
        "workers/nn/network/network.py",
        "workers/training/actor.py",
    } <= SOURCES.keys()


LONG_BODY = "def f():\n" + "    x = 1\n" * (FUNCTION_LINES + 1)
DOCUMENTED = '"""D."""\n'


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (
            misplaced_imports,
            "workers/training/train.py",
            "from hpsearch.storage.store import Store",
        ),
        (misplaced_imports, "workers/training/train.py", "def f():\n    import hpsearch"),
        (misplaced_imports, "hpsearch/run/master.py", "import ray.exceptions"),
        (misplaced_imports, "hpsearch/search/search.py", "from optuna import samplers"),
        (misplaced_imports, "hpsearch/run/session.py", "import click"),
        (misplaced_imports, "hpsearch/storage/store.py", "import sqlite3 as s"),
        (
            misplaced_imports,
            "hpsearch/search/search.py",
            "if TYPE_CHECKING:\n    import pandas as pd",
        ),
        (misplaced_imports, "workers/checkpoints/tensors.py", "import pickle"),
        (foreign_to_networks, "workers/nn/network/network.py", "import numpy, ray"),
        (foreign_to_networks, "workers/nn/network/network.py", "from workers import checkpoints"),
        (foreign_to_networks, "workers/nn/network/network.py", "from ...checkpoints import save"),
        (effects_in_logic, "hpsearch/search/search.py", "from pathlib import Path"),
        (effects_in_logic, "hpsearch/search/search.py", "from hpsearch.storage import store"),
        (long_module, "hpsearch/a.py", "\n" * (MODULE_LINES + 1)),
        (long_functions, "hpsearch/a.py", LONG_BODY),
        (long_functions, "hpsearch/a.py", "class A:\n" + indent(LONG_BODY, "    ")),
        (crowded_module, "hpsearch/a.py", "\n".join(f"def f{k}(): ..." for k in range(9))),
        (
            crowded_module,
            "hpsearch/a.py",
            "a = b = c = d = 1\ne, f, g = 1, 2, 3\nh: int = 1\ni = 0",
        ),
        (
            crowded_module,
            "hpsearch/a.py",
            "\n".join(f"@dataclass\nclass Row{k}:\n  def f(self): ..." for k in range(9)),
        ),
        (undocumented, "hpsearch/a.py", "x = 1"),
        (undocumented, "hpsearch/a.py", DOCUMENTED + "def f(): ..."),
        (undocumented, "hpsearch/a.py", DOCUMENTED + "class A: ..."),
        (undocumented, "hpsearch/a.py", DOCUMENTED + 'class A:\n  """A."""\n  def f(self): ...'),
        (assertions, "hpsearch/a.py", "def f(x):\n    assert x > 0"),
        (assertions, "hpsearch/a.py", "raise AssertionError('x')"),
    ],
)
def test_rule_can_fail(rule: Callable[[str, str], list[str]], path: str, source: str) -> None:
    assert len(rule(path, source)) == 1


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (
            misplaced_imports,
            "hpsearch/execution/ray_executor.py",
            "import ray\nfrom hpsearch import store",
        ),
        (misplaced_imports, "hpsearch/run/master.py", "import rays\nfrom optunax import ray"),
        (foreign_to_networks, "workers/nn/a.py", "import math\nfrom .layout import layout"),
        (foreign_to_networks, "workers/nn/a.py", "from workers.nn.jit import jit\nimport scipy"),
        (effects_in_logic, "hpsearch/storage/store.py", "import os"),
        (long_module, "hpsearch/a.py", "\n" * MODULE_LINES),
        (long_functions, "hpsearch/a.py", LONG_BODY.replace("    x = 1\n", "", 1)),
        (long_functions, "hpsearch/a.py", 'def f():\n    """' + "\n" * 60 + '"""\n    return 1'),
        (crowded_module, "hpsearch/a.py", "\n".join(f"def f{k}(): ..." for k in range(8))),
        (crowded_module, "hpsearch/a.py", "\n".join(f"TABLE_{k} = _x{k} = 1" for k in range(9))),
        (
            crowded_module,
            "hpsearch/a.py",
            "\n".join(f"@dataclass\nclass Row{k}:\n  x: int" for k in range(9)),
        ),
        (
            undocumented,
            "hpsearch/a.py",
            DOCUMENTED + "def _f(): ...\nclass _A:\n  def f(self): ...",
        ),
        (assertions, "hpsearch/a.py", "raise ValueError('assert')"),
    ],
)
def test_rule_can_hold(rule: Callable[[str, str], list[str]], path: str, source: str) -> None:
    assert rule(path, source) == []
