"""hpsearch: a distributed coarse-to-fine hyperparameter search for NumPy networks."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch.results.tables import Results

__all__ = ["load"]


def load(path: str | Path) -> "Results":
    """Return the tables of a run, such as ``hpsearch.load("results/digits").trials``.

    Raises
    ------
    InputError
        If ``path`` is not the folder of a run.
    """
    from hpsearch.results.tables import Results  # pandas only when it is asked for

    return Results.load(Path(path))
