"""The commands that search: parse, call, echo."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from hpsearch.cli.parameter_types import DATA, path
from hpsearch.run.signals import Interrupted


class _ConfigCommand(click.Command):
    """A command that takes a config: its help names what the config may choose from."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        from hpsearch.config.choices import CHOICES

        with formatter.section("What a config may choose from"):
            formatter.write_dl([(key, ", ".join(table)) for key, table in CHOICES.items()])


OPEN = "the cluster at {} asks for no token: whoever reaches it can run code on it"

_PLACE = (
    click.option(
        "--workers", type=click.IntRange(min=1), help="How many; default: one for each CPU at hand."
    ),
    click.option(
        "--address",
        metavar="HOST:PORT|auto|local",
        help="A running Ray cluster to join; auto: the one on this machine; local: one of its "
        "own. Default: what RAY_ADDRESS says, else local.",
    ),
    click.option("--in-process", is_flag=True, help="Train in this process, without Ray."),
)


def _place_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where to train."""
    for option in reversed(_PLACE):
        command = option(command)
    return command


@click.command(cls=_ConfigCommand)
@click.argument("config", type=path)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a value.")
@click.option("--name", help="The run's name, in place of study.name.")
@_place_options
@click.option("--results", type=path, default="results", show_default=True, help="Where runs lie.")
@click.option("--resume", is_flag=True, help="Go on with the run if it exists.")
@click.option("--overwrite", is_flag=True, help="Replace the run if it exists.")
@click.option("--warm-start", type=path, metavar="RUN", help="Try an earlier run's best first.")
def run(
    config: Path,
    assignments: tuple[str, ...],
    name: str | None,
    results: Path,
    resume: bool,
    overwrite: bool,
    warm_start: Path | None,
    **where: Any,
) -> None:
    """Run the search that CONFIG describes, and test what it found."""
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    from hpsearch.config import lint
    from hpsearch.config import loading as configs
    from hpsearch.storage.folder import RunFolder

    loaded = configs.load(config, assignments=assignments, name=name)
    for line in lint.warnings(loaded.search_space):
        _warn(line)
    if warm_start is not None:
        from hpsearch.run import warm_start as starting

        loaded, notes = starting.warm_start(loaded, warm_start)
        for line in notes:
            _warn(line)
    folder = RunFolder(results / loaded.study.name)
    with _way_to_go_on(folder.path):
        _search(loaded, folder, where, resume=resume, overwrite=overwrite)


@click.command()
@click.argument("run", type=path)
@_place_options
@click.option("--take-over", is_flag=True, help="Its master on another host is gone for good.")
@click.option("--data", type=path, metavar="SOURCE", help=DATA)
def resume(run: Path, take_over: bool, data: Path | None, **where: Any) -> None:
    """Go on with the interrupted search RUN."""
    from hpsearch.storage.folder import RunFolder

    folder = RunFolder(run)
    folder.check()
    with _way_to_go_on(run):
        how = {"resume": True, "take_over": take_over, "data": data}
        _search(folder.load_config(), folder, where, **how)


@contextmanager
def _way_to_go_on(run: Path) -> Iterator[None]:
    """Answer a signal with the command that goes on with a run."""
    try:
        yield
    except Interrupted as interruption:
        way = f"; go on with: hpsearch resume {shlex.quote(str(run))}"
        text = f"interrupted{way if run.is_dir() else ' before anything was written'}"
        click.echo(text, err=True)
        raise click.exceptions.Exit(128 + interruption.number) from None


def _warn(line: str) -> None:
    click.echo(f"warning: {line}", err=True)


def _note(line: str) -> None:
    click.echo(f"data: {line}", err=True)


def _search(config: Any, folder: Any, where: dict[str, Any], **how: Any) -> None:
    """Run a search with its display, and show what it came to."""
    from rich.console import Console

    if where["in_process"] and where["address"] is not None:
        raise click.UsageError("--in-process and --address exclude each other")
    from hpsearch.execution.backend import Backend, BackendOptions
    from hpsearch.execution.cluster import addresses
    from hpsearch.run import session

    console = Console(highlight=False)
    told: dict[str, Any] = {"warn": _warn, "note": _note}
    trials, stages = config.num_trials, len(config.stages)
    title = f"{config.study.name}: {trials} trial{'s' * (trials != 1)} in "
    title += f"{stages} stage{'s' * (stages != 1)}"
    with ExitStack() as stack:

        def begin(workers: int, backend: Backend) -> Any:
            from hpsearch.cli.live_view import display  # long to import: beside Ray's start

            if backend.address is not None and addresses.is_open(backend.address):
                _warn(OPEN.format(backend.address))
            return stack.enter_context(display(console, title))(workers, backend.text)

        outcome = session.run(config, folder, BackendOptions(**where), begin, **told, **how)
    from hpsearch.cli import outcome_view
    from hpsearch.results.tables import Results

    outcome_view.show_outcome(console, folder, Results.load(folder.path), outcome)


@click.command(cls=_ConfigCommand)
@click.argument("config", type=path)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a value.")
def check(config: Path, assignments: tuple[str, ...]) -> None:
    """Check gradients and sanity of CONFIG's networks.

    It is done on the config's own data, in double precision.

    Ends with exit code 1 if a check fails.
    """
    from hpsearch.cli import outcome_view
    from hpsearch.config import loading as configs
    from hpsearch.run import preflight

    checked = preflight.preflight(configs.load(config, assignments=assignments), _warn)
    outcome_view.show_preflight(checked)
    if any(network.failed for network in checked):
        raise click.exceptions.Exit(1)
