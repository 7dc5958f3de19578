"""The commands that look at data: parse, call, echo."""

import json
from typing import Any

import click


@click.command()
@click.argument("source")
@click.option("--target", metavar="COLUMN", help="Look at how columns tell it.")
@click.option("--no-header", is_flag=True, help="The file's first line is data.")
@click.option("--delimiter", default=",", show_default=True, help="Between a CSV's values.")
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table")
def inspect(source: str, target: str | None, no_header: bool, delimiter: str, kind: str) -> None:
    """Print what the columns of SOURCE are, and what looks odd about them.

    SOURCE is a file or a built-in data set.
    """
    from hpsearch.data import inspection
    from hpsearch.data.readers.raw_table import Source
    from workers.data.encoder import Limits

    number: Any = int(target) if target is not None and target.isdecimal() else target
    how: dict[str, Any] = {"header": not no_header, "delimiter": delimiter, "target": number}
    found = inspection.inspect(Source(source, **how, labelled=target is not None), Limits())
    if kind == "json":
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    from hpsearch.cli import data_view

    data_view.show_inspection(found)
