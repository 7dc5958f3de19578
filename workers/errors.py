"""Every exception of the project; each survives pickling between processes."""

import re

_CREDENTIAL = re.compile(r"://[^/@\s]*@")


def brief(error: Exception) -> str:
    """Return the kind of an error and the beginning of its text, in one line.

    >>> brief(KeyError("members"))
    "KeyError: 'members'"
    """
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


class HpsearchError(Exception):
    """Base of all errors that are meant to be read by a person."""

    def __str__(self) -> str:
        """Return the text, without the credential that a URL in it may hold.

        >>> str(HpsearchError("no file s3://me:secret@host/data.csv"))
        'no file s3://***@host/data.csv'
        """
        return _CREDENTIAL.sub("://***@", super().__str__())


class InputError(HpsearchError):
    """What the user gave cannot be used; the command line ends with exit code 2.

    Parameters
    ----------
    rule
        What holds, as a sentence without its full stop: ``"low must be below high"``.
    value
        What was found instead, in the user's own terms.
    remedy
        What to do now, as an imperative.
    """

    def __init__(self, rule: str, value: str, remedy: str) -> None:
        super().__init__(rule, value, remedy)
        self.rule, self.value, self.remedy = rule, value, remedy

    def __str__(self) -> str:
        """Return the one line that the user sees.

        >>> str(InputError("low must be below high", "low=3, high=2", "swap them"))
        'low must be below high; got low=3, high=2; swap them'
        """
        text = f"{self.rule}; got {self.value}; {self.remedy}"
        return _CREDENTIAL.sub("://***@", " ".join(text.split()))


class CheckpointError(HpsearchError):
    """A checkpoint file is damaged, foreign, or would overwrite a different one."""


class RunError(HpsearchError):
    """A run can't go on for a reason outside the config: disk, cluster, lock."""


def cannot_write(what: object, error: OSError) -> RunError:
    """Return the line about a file or folder that the disk has not taken.

    >>> str(cannot_write("a.txt", OSError(28, "No space left on device")))
    "can't write a.txt: No space left on device; mend it and resume"
    """
    return RunError(f"can't write {what}: {error.strerror}; mend it and resume")
