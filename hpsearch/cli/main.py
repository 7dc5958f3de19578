"""The command line: its commands, and how errors end it."""

import atexit
import errno
import gc
import os
import signal
from typing import Any

import click

from hpsearch.cli import data_commands, results_commands, search_commands
from hpsearch.run.signals import Interrupted, Interrupts
from workers.errors import HpsearchError, InputError

# Importing makes objects by the hundred thousand, all of them to stay: looking through them for
# garbage takes a fifth of a command's start, and half a second at its end.
gc.set_threshold(50_000, 20, 20)
atexit.register(gc.freeze)


class _Group(click.Group):
    """Turns errors into one line and an exit code: 2 for input, else 1; and signals."""

    def invoke(self, ctx: click.Context) -> Any:
        os.umask(0o077)  # What a run makes is the user's alone.
        interrupts = Interrupts()
        try:
            interrupts.install()
            _check_current_folder()
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
        except (Interrupted, KeyboardInterrupt) as interruption:
            click.echo("hpsearch: interrupted", err=True)
            number = getattr(interruption, "number", signal.SIGINT)
            raise click.exceptions.Exit(128 + number) from None
        finally:
            interrupts.restore()


def _check_current_folder() -> None:
    try:
        os.getcwd()  # noqa: PTH109 (nobody needs its path)
    except FileNotFoundError as error:
        rule = "the current folder must exist"
        raise InputError(rule, "one that was removed", "change to another folder") from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hpsearch")
def main() -> None:
    """Search the hyperparameters of NumPy networks, from coarse to fine, on many workers."""


COMMANDS = (
    search_commands.run,
    search_commands.resume,
    search_commands.check,
    data_commands.inspect,
    data_commands.init,
    results_commands.results,
    results_commands.narrow,
    results_commands.report,
    results_commands.ensemble,
    results_commands.predict,
)
"""What follows `hpsearch` on the command line."""

for _command in COMMANDS:
    main.add_command(_command)
