"""Markdown tables, and what they were measured on."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        parts = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(parts)} |"

    rule = f"|{'-' * (widths[0] + 2)}|{'|'.join('-' * (w + 1) + ':' for w in widths[1:])}|"
    return "\n".join([line(heads), rule, *map(line, rows)])


def number(value: float) -> str:
    """Return three significant digits, plainly."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}"


def machine(*packages: str) -> str:
    """Return the kind of CPU, how many, and the versions of Python and the packages."""
    kind = platform.processor() or platform.machine()
    if _CPUINFO.is_file():
        pairs = (line.partition(":") for line in _CPUINFO.read_text().splitlines())
        fields = {key.strip(): value.strip() for key, _, value in pairs}
        kind = "{model name}, family {cpu family}, model {model}".format_map(fields)
    versions = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} is not installed")
    return f"{kind}, {os.cpu_count()} CPUs; {', '.join(versions)}"
