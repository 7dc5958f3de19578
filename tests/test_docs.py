"""The documents name what there is."""

import re
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from hpsearch.config.choices import CHOICES
from hpsearch.config.sections import data, outputs, pruners, stages, study
from hpsearch.space import dimensions
from hpsearch.space.strict_model import StrictModel
from tests.support import run_here, tiny_config
from tests.test_architecture import ROOMS
from workers.nn.spec import NetworkSpec

ROOT = Path(__file__).parent.parent
PAGES = "\n".join((ROOT / "docs" / name).read_text() for name in ("config.md", "search.md"))
MODULES = (study, data, outputs, stages, pruners, dimensions)
SECTIONS = [
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, StrictModel)
]


@pytest.mark.parametrize("field", [field.name for field in fields(NetworkSpec)])
def test_every_hyperparameter_is_described(field: str) -> None:
    assert f"`{field}`" in PAGES


@pytest.mark.parametrize(
    "key", sorted({key for section in SECTIONS for key in section.model_fields})
)
def test_every_key_is_described(key: str) -> None:
    assert re.search(rf"\b{key}\b", PAGES)


@pytest.mark.parametrize("name", sorted({name for table in CHOICES.values() for name in table}))
def test_every_choice_is_described(name: str) -> None:
    assert re.search(rf"\b{name}\b", PAGES)


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md")]:
        if ".venv" in page.parts:
            continue
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_map_names_what_there_is() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    files = re.findall(r"`([\w/]+/[\w.]+\.py)`", page)
    assert len(files) > 40
    for file in files:
        assert (ROOT / file).is_file() or (ROOT / "hpsearch" / file).is_file(), file


def test_the_map_draws_the_rooms_in_their_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    (drawing,) = re.findall(r"```\n(hpsearch/cli.*?)```", page, re.S)
    drawn = re.findall(r"^(?:hpsearch|workers)(?:/\w*)*", drawing, re.M)
    within = re.findall(r"over (\w+/\w+)", drawing)
    rooms = [room.rstrip("/").replace("/", ".") for room in drawn]
    assert rooms == sorted(rooms, key=ROOMS.index, reverse=True)
    beneath = {f"hpsearch.{room.replace('/', '.')}" for room in within}
    beneath |= {"hpsearch.charts", "hpsearch.diagnosis", "hpsearch"}  # named beside the report
    assert sorted({*rooms, *beneath}) == sorted(ROOMS)


def test_the_page_of_the_public_names_is_current() -> None:
    make = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
    now = make["PAGE"].read_text(encoding="utf-8")
    assert now == make["page"](), "docs/api.md is not that of the docstrings: run `make docs`"


def test_the_example_of_the_public_names_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").mkdir()
    run_here(tiny_config(data__source="digits"), tmp_path / "results" / "digits")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "api.md").read_text()
    found: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], found)
    assert len(found["run"].trials) == 10
    assert found["shares"].shape == (3, 10)
    assert set(found["labels"]) <= set("0123456789")
