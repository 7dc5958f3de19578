"""What options and arguments of a command line may be, beside click's own types."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
