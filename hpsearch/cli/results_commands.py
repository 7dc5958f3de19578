"""The commands that work on what a run left: parse, call, echo."""

import sys
from pathlib import Path
from typing import Any

import click

from hpsearch.cli.parameter_types import (
    DATA,
    MODELS,
    EnsembleMethodType,
    dialect_options,
    path,
    take_dialect,
)

OUTPUT = "The file to write: .csv, .csv.gz, .parquet or .jsonl; - is CSV on stdout."


@click.command()
@click.argument("run", type=path)
@click.option("--top", type=click.IntRange(min=1), help="Only the best so many.")
@click.option("--sort", metavar="COLUMN", help="Sort by a column, best or greatest first.")
@click.option("--stage", help="Only this stage's trials.")
@click.option("--columns", metavar="A,B,...", help="Only these columns, in this order.")
@click.option("--format", "kind", type=click.Choice(["table", "csv", "json"]), default="table")
def results(run: Path, kind: str, columns: str | None, **choice: Any) -> None:
    """Print the trials of RUN as a table."""
    from hpsearch.cli import outcome_view
    from hpsearch.results.tables import Results

    outcome_view.show_trials(
        Results.load(run), kind, columns.split(",") if columns else None, **choice
    )


@click.command()
@click.argument("run", type=path)
@click.option(
    "--top", type=click.IntRange(1, 100), default=10, show_default=True, help="Members at most."
)
@click.option(
    "--method",
    type=EnsembleMethodType(),
    default="top",
    show_default=True,
    help="Take the best, add what helps the average most, or fit weights.",
)
@click.option("--weights", type=click.Choice(["raw", "averaged"]), help="Default: by the metric.")
@click.option("--test", is_flag=True, help="Score it on the test set as well.")
@click.option("--data", type=path, metavar="SOURCE", help=DATA)
def ensemble(run: Path, top: int, weights: str | None, **how: Any) -> None:
    """Average the best models of RUN, and score the average.

    The scores, and all methods but top, need RUN's data. Where they are not found, the
    best are averaged without a score.
    """
    from hpsearch.cli import outcome_view
    from hpsearch.ensembles import run_ensembles

    averaged = None if weights is None else weights == "averaged"
    made = run_ensembles.make_ensemble(run, size=top, averaged=averaged, **how)
    outcome_view.show_ensemble(made)


@click.command()
@click.argument("run", type=path)
@click.option("--output", type=path, help="The .html file to write; default: RUN/report.html.")
def report(run: Path, output: Path | None) -> None:
    """Write RUN's report as one HTML page: charts, curves, what they say."""
    from hpsearch.reporting import report as reports

    click.echo(reports.write(run, output))


@click.command()
@click.argument("model", type=path)
@click.argument("data", type=path)
@click.option("--output", type=path, required=True, help=OUTPUT)
@dialect_options(MODELS)
@click.option("--format", "file_format", help="Such as csv; default: by the file's name.")
@click.option(
    "--keep", multiple=True, metavar="COLUMN", help="Carry a column of DATA along; again for more."
)
def predict(model: Path, data: Path, output: Path, **how: Any) -> None:
    """Predict the rows of DATA with MODEL.

    MODEL is a run's folder (its ensemble predicts), an ensemble's, or a checkpoint file. CSV,
    Parquet, JSON lines and Feather may be larger than memory: they are read, predicted and written
    a part at a time. A CSV is read as that of the training rows, but for what options say.
    """
    from hpsearch.ensembles import prediction

    how["dialect"] = take_dialect(how)
    how["note"] = lambda line: click.echo(f"data: {line}", err=True)
    if str(output) == "-":
        prediction.print_predictions(sys.stdout.buffer, model, data, **how)
        return
    count = prediction.predict_file(model, data, output, **how)
    click.echo(f"{count} predictions in {output}", err=True)


@click.command()
@click.argument("run", type=path)
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table")
def narrow(run: Path, kind: str) -> None:
    """Print what RUN has learned about its ranges, stage by stage."""
    from hpsearch.cli import range_view
    from hpsearch.results import stage_verdicts

    range_view.show_verdicts(stage_verdicts.verdicts(run), kind)
