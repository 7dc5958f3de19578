"""What a person reads about data."""

from rich.console import Console

from hpsearch.cli.text_tables import new_table, print_table
from hpsearch.data.inspection.inspection import Inspection


def show_inspection(found: Inspection) -> None:
    """Print a table of columns, and a line for each warning."""
    console = Console(highlight=False)
    sides = [("column", "left"), ("kind", "left"), ("missing", "right"), ("distinct", "right")]
    table = new_table(None, [*sides, ("values", "left"), ("inputs", "left")])
    for one in found.columns:
        counts = [f"{one.missing:,}", f"{one.distinct:,}"]
        table.add_row(one.column, one.kind, *counts, one.values, one.inputs)
    print_table(console, table)
    console.print()
    rows = f"{found.rows:,} rows of {found.line}"
    task = "" if found.task is None else f"; the target looks like {found.task}"
    console.print(f"{rows}{task}", soft_wrap=True)
    for line in found.warnings:
        console.print(f"warning: {line}", soft_wrap=True)
