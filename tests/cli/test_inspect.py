"""`hpsearch inspect`: what the columns are, and each thing that looks odd."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from hpsearch.cli.main import main
from tests.support import write_mixed


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def frame(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=rows), "y": rng.choice(["no", "yes"], rows)})


def warned(tmp_path: Path, table: pd.DataFrame, *options: object) -> list[str]:
    table.to_csv(tmp_path / "a.csv", index=False)
    result = call(tmp_path / "a.csv", "--format", "json", *options)
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["warnings"])


def test_a_table_for_a_person(tmp_path: Path) -> None:
    result = call(write_mixed(tmp_path / "a.csv"), "--target", "animal")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "column kind missing distinct values inputs"
    assert lines[1].startswith("weight number 1")
    assert lines[1].endswith("2 (number)")
    assert lines[2].startswith("home category ")
    assert lines[2].endswith("4 (one-hot)")
    assert lines[3].startswith("seen date 0 ")
    assert "2024-0" in lines[3]
    assert lines[4] == "id as many values as rows, an identifier 0 0 left out"
    assert lines[6].startswith("120 rows of 3 columns: 1 number, 1 category (3 values), 1 date; ")
    assert lines[6].endswith("missing values filled; the target looks like classification")
    assert len(lines) == 7


def test_json_has_all_of_it(tmp_path: Path) -> None:
    found = json.loads(call(write_mixed(tmp_path / "a.csv"), "--format", "json").stdout)
    assert (found["rows"], found["task"], len(found["columns"])) == (120, None, 5)
    home = next(one for one in found["columns"] if one["column"] == "home")
    assert (home["kind"], home["distinct"]) == ("category", 3)


def test_built_in_sets_too() -> None:
    result = call("diabetes", "--target", "target")
    assert "442 rows of 10 columns: 10 numbers; the target looks like regression" in result.stdout


def test_a_target_with_decimal_commas_is_a_number_too(tmp_path: Path) -> None:
    table = (
        frame()
        .assign(z=np.arange(200) % 7 + 0.5)
        .assign(y=lambda one: 1000.5 + 100 * one["z"])[["x", "y", "z"]]
    )
    lines = [f"{x:.3f};{y:,.2f};{z}" for x, y, z in table.itertuples(index=False)]
    text = "\n".join(["x;y;z", *(line.translate(str.maketrans(",.", ".,")) for line in lines)])
    (tmp_path / "a.csv").write_text(text + "\n")
    dialect = ["--delimiter", ";", "--decimal", ",", "--thousands", "."]
    result = call(tmp_path / "a.csv", "--target", "y", *dialect)
    assert "2 numbers; the target looks like regression\n" in result.stdout
    assert "warning: 'z' alone tells 'y'" in result.stdout


def test_many_rare_classes_are_told_in_a_line(tmp_path: Path) -> None:
    lines = warned(tmp_path, frame().assign(y=[f"c{n % 40}" for n in range(200)]), "--target", "y")
    assert len(lines) == 6
    assert lines[0] == "class 'c0' has 5 of 200 rows"
    assert lines[-1].startswith("35 more of 40 classes have fewer than 10 rows: should the task be")


def test_a_healthy_table_has_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path, frame(), "--target", "y") == []


def test_rows_that_are_numbered(tmp_path: Path) -> None:
    (line,) = warned(tmp_path, frame().assign(n=range(5, 205)))
    assert line == "'n' numbers the rows: if it is an identifier, drop it"


def test_a_constant(tmp_path: Path) -> None:
    assert warned(tmp_path, frame().assign(c=1)) == ["'c' is the same in all rows: drop it"]


def test_too_many_values(tmp_path: Path) -> None:
    names = [f"n{k // 2 * 2 if k < 40 else k}" for k in range(200)]
    (line,) = warned(tmp_path, frame().assign(name=names))
    assert line == "'name' has 180 values in 200 rows: hardly any of them can be learned"


@pytest.mark.parametrize("twin", [lambda x: 2 * x, lambda x: x.map(str) + "!"])
def test_twins(tmp_path: Path, twin: object) -> None:
    table = frame().assign(k=lambda f: (f["x"] * 3).round() + 0.0)
    (line,) = warned(tmp_path, table.assign(l=twin(table["k"])))  # type: ignore[operator]
    assert line == "'l' and 'k' say the same: drop one"


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_leak(tmp_path: Path, task: str) -> None:
    table = frame()
    if task == "regression":
        table["y"] = table["x"] ** 2 + 5
        table["leak"] = table["y"].round(1)
    else:
        table["leak"] = table["y"].map({"no": 3, "yes": 8})
    (line,) = warned(tmp_path, table.drop(columns="x"), "--target", "y")
    assert line.startswith("'leak' alone tells 'y': if it is not known when predictions are made")


def test_classes_with_few_rows_and_out_of_balance(tmp_path: Path) -> None:
    table = frame()
    table.loc[:8, "y"] = "maybe"
    few, balance = warned(tmp_path, table, "--target", "y")
    assert few == "class 'maybe' has 9 of 200 rows"
    assert "of the largest, 9 of 'maybe'; accuracy says little" in balance


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.csv"], "must be a built-in set or a readable file"),
        (["a.csv", "--target", "z"], "target must name a column of 'a.csv'"),
        (["a.csv", "--delimiter", "ab"], "delimiter must be one ASCII character"),
    ],
)
def test_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_mixed(Path("a.csv"))
    result = call(*arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1
