"""The command line: parse, call, echo."""

import errno
import os
from pathlib import Path
from typing import Any

import click

from workers.errors import HpsearchError, InputError

PATH = click.Path(path_type=Path)


class _Group(click.Group):
    """Turns the project's errors into one line and an exit code: 2 for input, else 1."""

    def invoke(self, ctx: click.Context) -> Any:
        os.umask(0o077)  # What a run makes is the user's alone.
        try:
            return super().invoke(ctx)
        except HpsearchError as error:
            click.echo(f"hpsearch: {error}", err=True)
            raise click.exceptions.Exit(2 if isinstance(error, InputError) else 1) from error
        except MemoryError as error:
            click.echo("hpsearch: not enough memory", err=True)
            raise click.exceptions.Exit(1) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            where = f": {error.filename!r}" if error.filename else ""
            click.echo(f"hpsearch: {error.strerror or error}{where}; mend it, try again", err=True)
            raise click.exceptions.Exit(1) from error
        except KeyboardInterrupt:
            click.echo("hpsearch: interrupted", err=True)
            raise click.exceptions.Exit(130) from None


class _ConfigCommand(click.Command):
    """A command that takes a config: its help names what the config may choose from."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        from hpsearch.choices import CHOICES

        with formatter.section("What a config may choose from"):
            formatter.write_dl([(key, ", ".join(table)) for key, table in CHOICES.items()])


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hpsearch")
def main() -> None:
    """Search the hyperparameters of NumPy networks, from coarse to fine, on many workers."""


@main.command(cls=_ConfigCommand)
@click.argument("config", type=PATH)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a value.")
@click.option("--name", help="The run's name, in place of study.name.")
@click.option("--workers", type=click.IntRange(min=1), help="How many; default: one a CPU.")
@click.option("--address", help="A running Ray cluster to join; default: one of its own.")
@click.option("--in-process", is_flag=True, help="Train in this process, without Ray.")
@click.option("--results", type=PATH, default="results", show_default=True, help="Where runs lie.")
@click.option("--resume", is_flag=True, help="Go on with the run if it exists.")
@click.option("--overwrite", is_flag=True, help="Replace the run if it exists.")
def run(
    config: Path,
    assignments: tuple[str, ...],
    name: str | None,
    results: Path,
    resume: bool,
    overwrite: bool,
    **place: Any,
) -> None:
    """Run the search that CONFIG describes, and test what it found."""
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    from hpsearch import config as configs
    from hpsearch import lint
    from hpsearch.folder import RunFolder

    loaded = configs.load(config, assignments=assignments, name=name)
    for line in lint.warnings(loaded.search_space):
        click.echo(f"warning: {line}", err=True)
    folder = RunFolder(results / loaded.study.name)
    _search(loaded, folder, place, resume=resume, overwrite=overwrite)


@main.command()
@click.argument("run", type=PATH)
@click.option("--workers", type=click.IntRange(min=1), help="How many; default: one a CPU.")
@click.option("--address", help="A running Ray cluster to join; default: one of its own.")
@click.option("--in-process", is_flag=True, help="Train in this process, without Ray.")
@click.option("--take-over", is_flag=True, help="Its master on another host is gone for good.")
def resume(run: Path, take_over: bool, **place: Any) -> None:
    """Go on with the interrupted search RUN."""
    from hpsearch.folder import RunFolder

    folder = RunFolder(run)
    folder.check()
    _search(folder.load_config(), folder, place, resume=True, take_over=take_over)


def _search(config: Any, folder: Any, place: dict[str, Any], **how: bool) -> None:
    """Run a search with its display, and answer signals with the way to go on."""
    from rich.console import Console

    from hpsearch import session, show
    from hpsearch.console import display
    from hpsearch.interrupts import Interrupted
    from hpsearch.results import Results

    console = Console(highlight=False)
    title = f"{config.study.name}: {config.num_trials} trials in {len(config.stages)} stages"
    with display(console, title) as screen:
        try:
            conclusion = session.run(config, folder, session.Place(**place), screen, **how)
        except Interrupted as interruption:
            click.echo(f"interrupted; go on with: hpsearch resume {folder.path}", err=True)
            raise click.exceptions.Exit(128 + interruption.number) from None
    show.show_conclusion(console, folder, Results.load(folder.path), conclusion)


@main.command(cls=_ConfigCommand)
@click.argument("config", type=PATH)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a value.")
def check(config: Path, assignments: tuple[str, ...]) -> None:
    """Check gradients and sanity of CONFIG's networks.

    It is done on the config's own data, in double precision.

    Ends with exit code 1 if a check fails.
    """
    from hpsearch import config as configs
    from hpsearch import preflight, show

    checked = preflight.preflight(configs.load(config, assignments=assignments))
    show.show_preflight(checked)
    if any(network.failed for network in checked):
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("run", type=PATH)
@click.option("--top", type=click.IntRange(min=1), help="Only the best so many.")
@click.option("--sort", metavar="COLUMN", help="Sort by a column, best or greatest first.")
@click.option("--stage", help="Only this stage's trials.")
@click.option("--columns", metavar="A,B,...", help="Only these columns, in this order.")
@click.option("--format", "kind", type=click.Choice(["table", "csv", "json"]), default="table")
def results(run: Path, kind: str, columns: str | None, **choice: Any) -> None:
    """Print the trials of RUN as a table."""
    from hpsearch import show
    from hpsearch.results import Results

    show.show_trials(Results.load(run), kind, columns.split(",") if columns else None, **choice)


@main.command()
@click.argument("run", type=PATH)
@click.option("--top", type=click.IntRange(1, 100), default=10, show_default=True, help="Members.")
@click.option("--method", type=click.Choice(["top", "greedy"]), default="top", show_default=True)
@click.option("--weights", type=click.Choice(["raw", "averaged"]), help="Default: by the metric.")
@click.option("--test", is_flag=True, help="Score it on the test set as well.")
def ensemble(run: Path, top: int, method: str, weights: str | None, test: bool) -> None:
    """Average the best models of RUN, and score the average."""
    from hpsearch import conclusion, show

    averaged = None if weights is None else weights == "averaged"
    made = conclusion.make_ensemble(run, method=method, size=top, averaged=averaged, test=test)
    show.show_ensemble(made)


@main.command()
@click.argument("run", type=PATH)
@click.option("--output", type=PATH, help="The .html file to write; default: RUN/report.html.")
def report(run: Path, output: Path | None) -> None:
    """Write RUN's report as one HTML page: charts, curves, what they say."""
    from hpsearch import report as reports

    click.echo(reports.write(run, output))


@main.command()
@click.argument("model", type=PATH)
@click.argument("data", type=PATH)
@click.option("--output", type=PATH, required=True, help="The CSV file to write.")
@click.option("--header/--no-header", default=True, help="Whether DATA names its columns.")
@click.option("--delimiter", default=",", show_default=True)
@click.option("--format", "kind", help="csv, parquet, npz or idx; default: by the file's name.")
def predict(
    model: Path, data: Path, output: Path, header: bool, delimiter: str, kind: str | None
) -> None:
    """Predict the rows of DATA with MODEL.

    MODEL is a run's folder (its ensemble predicts), an ensemble's, or a checkpoint file.
    """
    from hpsearch import prediction

    count = prediction.predict_file(
        model, data, output, header=header, delimiter=delimiter, file_format=kind
    )
    click.echo(f"{count} predictions in {output}", err=True)
