"""The commands that look at data: parse, call, echo."""

import json
from typing import Any

import click

from hpsearch.cli.parameter_types import dialect_options, take_dialect


def _look(source: str, target: str | None, task: str | None, dialect: dict[str, Any]) -> Any:
    """Return what a source is, and its target as a config names it."""
    from hpsearch.data.inspection import inspection
    from hpsearch.data.tables.raw_table import Source
    from workers.data.categories import Limits

    number: Any = int(target) if target is not None and target.isdecimal() else target
    looked = Source(source, **dialect, target=number, labelled=target is not None)
    return inspection.inspect(looked, Limits(), task=task), number


@click.command()
@click.argument("source")
@click.option("--target", metavar="COLUMN", help="Look at how columns tell it.")
@dialect_options()
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table")
def inspect(source: str, target: str | None, kind: str, **how: Any) -> None:
    """Print what the columns of SOURCE are, and what looks odd about them.

    SOURCE is a file or a built-in data set.
    """
    found, _ = _look(source, target, None, take_dialect(how))
    if kind == "json":
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    from hpsearch.cli import data_view

    data_view.show_inspection(found)


@click.command()
@click.argument("source")
@click.option("--target", metavar="COLUMN", required=True, help="What to predict.")
@click.option("--task", type=click.Choice(["classification", "regression"]), help="Else guessed.")
@dialect_options()
def init(source: str, target: str, task: str | None, **how: Any) -> None:
    """Print a config for SOURCE to begin with: hpsearch init DATA.csv --target y > config.yaml.

    SOURCE is a file or a built-in data set.
    """
    from hpsearch.config import documents, loading
    from hpsearch.data.inspection.initial_config import initial_config

    dialect = take_dialect(how)
    found, column = _look(source, target, task, dialect)
    text = initial_config(found, source, column, dialect=dialect)
    loading.build(documents.parse(text, where="the config"))  # It is one, whatever the source.
    click.echo(text, nl=False)
