"""Paths as a command line takes them."""

from pathlib import Path

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
