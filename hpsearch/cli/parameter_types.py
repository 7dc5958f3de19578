"""What options and arguments of a command line may be, and options that commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

DATA = "Where RUN's data lie now: the file, or a folder with files of the config's names."


def path(text: str) -> Path:
    """Return a path; click turns the error into one line and exit code 2.

    Raises
    ------
    ValueError
        If the text can't be a path.
    """
    if "\0" in text:
        raise ValueError("a path has no NUL characters")
    return Path(text)


if TYPE_CHECKING:
    _TextType = click.ParamType[str]
else:
    _TextType = click.ParamType  # Generic since click 8.2 only.


class CharacterType(_TextType):
    r"""A character; ``\t`` is a tab."""

    name = "character"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the character; what reads the file tells if it can't be one."""
        del param, ctx
        return "\t" if value == "\\t" else str(value)


class EnsembleMethodType(_TextType):
    """A name that a config's ``ensemble.method`` takes; the config is read when it is asked for."""

    name = "method"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return the names as a choice is shown."""
        del param, ctx
        return f"[{'|'.join(self._names())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or end with the usual line."""
        names = self._names()
        if value not in names:
            known = ", ".join(map(repr, names))
            self.fail(f"{value!r} is not one of {known}.", param, ctx)
        return str(value)

    @staticmethod
    def _names() -> tuple[str, ...]:
        from hpsearch.config.choices import CHOICES

        return tuple(CHOICES["ensemble.method"])


MODELS: Final = "default: as the training data were"
"""What `dialect_options` says where a model knows how its data were written."""

_MARKS: Final = {
    "delimiter": "Between a CSV's values",
    "decimal": "The decimal point",
    "thousands": "Between groups of three digits",
    "quote": "Around text",
    "comment": "From here to the line's end all is a comment",
}


def dialect_options(default: str = "") -> Callable[[Any], Any]:
    """Return a decorator that adds the options; `take_dialect` has what they say."""
    more = f" ({default})" if default else ""

    def decorate(command: Any) -> Any:
        sheet = f"Of an Excel workbook{more}."
        command = click.option("--sheet", metavar="NAME", help=sheet)(command)
        encoding = f"Such as latin-1; a byte-order mark decides by itself{more}."
        command = click.option("--encoding", metavar="NAME", help=encoding)(command)
        for name, text in reversed(_MARKS.items()):
            option = click.option(f"--{name}", type=CharacterType(), help=f"{text}{more}.")
            command = option(command)
        header = f"Whether the first line names the columns{more}."
        return click.option("--header/--no-header", default=None, help=header)(command)

    return decorate


def take_dialect(options: dict[str, Any]) -> dict[str, Any]:
    """Take out of a command's options what says how a file is written, and return what was given.

    The names are those of a config's ``data``.
    """
    names = ("header", *_MARKS, "encoding", "sheet")
    found = {name: options.pop(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}
