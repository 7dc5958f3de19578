"""A member is added to each family as docs/architecture.md says, and arrives everywhere."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support import blobs, tiny

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Addition:
    """A function to be written before its family's table, and the line that goes into this."""

    function: str
    line: str
    named: tuple[str, str] = ("", "")


ADDITIONS = {
    "optimizer": Addition(
        "def _lion(x: Any, g: Any, m: Any, q: Any, c: Numbers) -> Parts:\n"
        "    u = c.beta1 * m + c.rest1 * g\n"
        "    return x - c.rate * np.sign(u), c.beta2 * m + c.rest2 * g, q\n",
        '"lion": _rule(_lion, "first_moment"),',
    ),
    "activation": Addition(
        "def _gentle(z: Any, one: Any, _number: Any) -> Any:\n"
        "    return z / (one + one + abs(z))\n\n\n"
        "def _gentle_slope(a: Any, one: Any, _number: Any) -> Any:\n"
        "    return (one - abs(a)) * (one - abs(a)) / (one + one)\n",
        '"gentle": _elementwise(_gentle, _gentle_slope, edges=(0,)),',
    ),
    "metric": Addition(
        "def error(\n"
        "    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]\n"
        ") -> NDArray[np.float64]:\n"
        "    return 1 - accuracy(predictions, wanted, units)\n",
        '"error": Metric(error, "classification", "minimize"),',
    ),
    "preprocessor": Addition(
        "def _halve(blocks: Blocks) -> Step:\n"
        "    mean, _ = moments(blocks)\n"
        "    return Affine(0 * mean, 0 * mean + 0.5)\n",
        '"halve": Preprocessor(_halve),',
    ),
    "sampler": Addition(
        "def _uniform(study: Study, space: SearchSpace, ask: Ask) -> Trial | None:\n"
        "    return _drawn(_random)(study, space, ask)\n",
        '"uniform": _uniform,',
        ('"gp"]', '"gp", "uniform"]'),
    ),
    "pruner": Addition(
        "def _never(rule: Any, epochs: float, sign: int) -> BasePruner:\n"
        "    return optuna.pruners.NopPruner()\n",
        '"never": _never,',
        (
            "_AnyRule = ",
            'class NeverRule(_Rule):\n    type: Literal["never"]\n\n\n_AnyRule = NeverRule | ',
        ),
    ),
    "ensemble method": Addition(
        "def _alone(predictions: Predictions, score: Score, size: int) -> dict[int, float]:\n"
        "    return {0: 1.0}\n",
        '"alone": _alone,',
        ('"stacking"]', '"stacking", "alone"]'),
    ),
    "reader": Addition(
        "def read_lists(source: Source) -> Table:\n"
        "    import json\n"
        "    lists = json.loads(regular_file(source.path).read_text())\n"
        '    x, y = np.array(lists["x"]), np.array(lists["y"], dtype=object)\n'
        '    return array_table(x, y if source.labelled else None, source, "y")\n',
        '"lists": Reader(read_lists, r"\\.lists"),',
        ('"npz", "idx"]', '"npz", "idx", "lists"]'),
    ),
    "command": Addition(
        '@click.command("hello")\ndef hello() -> None:\n'
        '    """Greet."""\n    click.echo("hello")\n',
        "hello,",
    ),
    "chart": Addition(
        "def _greeting(run: RunData) -> Markup | None:\n"
        '    return tag("p", f"hello, {run.name}")\n',
        '"Greeting": _greeting,',
    ),
    "column of the trials": Addition(
        "", '"tries": ("int64", lambda trial, _: trial.failures + 1),'
    ),
}


def ways() -> dict[str, tuple[str, str, str]]:
    """Return of each thing that can be added the file, the table and the file that names it."""
    rows = re.findall(
        r"^\| ([a-z ]+) \| `([\w/.]+)` \| `(\w+)` \| (?:`([\w/.]+)`)? ?\|", PAGE, re.M
    )
    return {thing: (file, table, where) for thing, file, table, where in rows}


def insert(file: Path, table: str, addition: Addition) -> None:
    """Write a function before a table, and a line at its end."""
    lines = file.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if re.match(rf"{table}\b.*[=]", line))
    end = next(n for n in range(start, len(lines)) if re.match(r" *[})]", lines[n]))
    lines.insert(end, addition.line)
    lines[start:start] = [*addition.function.splitlines(), "", ""]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a member more in each family."""
    copy = tmp_path_factory.mktemp("extended")
    for package in ("hpsearch", "workers", "tests/contracts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    for thing, addition in ADDITIONS.items():
        file, table, where = ways()[thing]
        insert(copy / file, table, addition)
        if where:
            old, new = addition.named
            text = (copy / where).read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{old} in {where}"
            (copy / where).write_text(text.replace(old, new), encoding="utf-8")
    contract = copy / "tests" / "contracts" / "test_optimizers.py"
    insert(contract, "FIRST_STEPS", Addition("", '"lion": ([0.4, -0.1], {}),'))
    insert(contract, "RATES", Addition("", '"lion": 0.03,'))
    return copy


def python(folder: Path, *arguments: str) -> str:
    """Run Python on a copy, without compiling anything, and return what it prints."""
    paths = {"PYTHONPATH": str(folder), "NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | paths,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


COMMAND = ("-c", "from hpsearch.cli.main import main; main()")


def test_the_page_tells_a_way_for_everything_that_is_added() -> None:
    assert ways().keys() >= ADDITIONS.keys()
    assert ways().keys() - ADDITIONS.keys() == {"loss", "initializer", "schedule"}
    for file, table, where in ways().values():
        assert re.search(rf"^{table}\b", (ROOT / file).read_text(encoding="utf-8"), re.M)
        assert not where or (ROOT / where).is_file()


def test_a_new_member_is_named_by_the_help(extended: Path) -> None:
    told = " ".join(python(extended, *COMMAND, "run", "--help").split())
    for name in ("lion", "gentle", "val_error", "halve", "uniform", "never", "alone", "lists"):
        assert re.search(rf"\b{name}\b", told), name
    assert "stacking|alone" in python(extended, *COMMAND, "ensemble", "--help")
    assert "Greet." in python(extended, *COMMAND, "--help")
    assert python(extended, *COMMAND, "hello") == "hello\n"


def test_a_new_member_is_held_to_the_contracts(extended: Path) -> None:
    told = python(
        extended,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"),
        *("-W", "ignore", "--rootdir", str(extended), "tests/contracts", "-k"),
        "lion and (first_step or worked or convex) or gentle and (slope and softmax)",
    )
    assert re.match(r"[1-9]\d* passed", told.splitlines()[-1]), told


def test_a_search_with_all_new_members(extended: Path) -> None:
    x, colours = blobs(60)
    data = extended / "data.lists"
    data.write_text(json.dumps({"x": x.tolist(), "y": colours}))
    config = tiny(
        study__metric="val_error",
        data={"source": str(data), "preprocess": ["standardize", "halve"]},
        network={"hidden": [4], "batch_size": 16, "optimizer": "lion", "activation": "gentle"},
        stages=[
            {"name": "all", "num_trials": 3, "epochs": 2, "sampler": "uniform", "pruner": "never"}
        ],
        ensemble={"method": "alone", "size": 2},
        search_space={"learning_rate": {"type": "float", "low": 1e-3, "high": 0.1, "log": True}},
    )
    (extended / "config.yaml").write_text(yaml.safe_dump(config))
    python(extended, *COMMAND, "run", "config.yaml", "--in-process")
    run = extended / "results" / "tiny"
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["ensemble"]["method"], summary["ensemble"]["size"]) == ("alone", 1)
    best = min(path.name for path in (run / "checkpoints").iterdir())
    assert re.match(rf"val_error=0+\.\d{{4}}_trial={summary['best']['trial']:05d}_", best)
    assert "hello, tiny" in (run / "report.html").read_text()
    table = python(extended, *COMMAND, "results", str(run), "--format", "csv")
    assert pd.read_csv(io.StringIO(table))["tries"].tolist() == [1, 1, 1]
