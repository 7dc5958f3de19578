"""hpsearch: a distributed coarse-to-fine hyperparameter search for NumPy networks.

The command ``hpsearch run`` searches. Python reads what a run has come to, and predicts::

    import hpsearch
    from sklearn.datasets import load_digits

    run = hpsearch.load("results/digits")
    run.top(5)  # the five best trials: state, scores, hyperparameters
    run.epochs  # one row a trial and epoch: losses, accuracies, seconds

    model = hpsearch.load_ensemble("results/digits")  # what the run ended with
    x = load_digits().data[:3]  # rows as they are in the data's source
    shares = model.predict_proba(x)  # one row each, one probability a class
    labels = [model.labels[k] for k in shares.argmax(axis=1)]

All errors that are meant for a person are of the kind `HpsearchError`. ``hpsearch.__all__`` names
what is public; all else may change with any version, and ``hpsearch.__version__`` says which one
this is.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch.ensembles.ensemble import Ensemble
    from hpsearch.ensembles.model import Model
    from hpsearch.results.tables import Results
    from workers.errors import CheckpointError, HpsearchError, InputError, RunError

    __version__: str

__all__ = [  # noqa: RUF022 (as docs/api.md tells them)
    "load",
    "load_ensemble",
    "Results",
    "Ensemble",
    "Model",
    "HpsearchError",
    "InputError",
    "CheckpointError",
    "RunError",
]

_HOMES = {
    "Results": "hpsearch.results.tables",
    "Ensemble": "hpsearch.ensembles.ensemble",
    "Model": "hpsearch.ensembles.model",
    "HpsearchError": "workers.errors",
    "InputError": "workers.errors",
    "CheckpointError": "workers.errors",
    "RunError": "workers.errors",
}
"""Where each class is defined. It is imported when it is asked for: pandas takes half a second."""


def load(path: str | Path) -> "Results":
    """Return the tables of a run, such as ``hpsearch.load("results/digits").trials``.

    Parameters
    ----------
    path
        The folder of a run, finished or not. Nothing in it is changed.

    Raises
    ------
    InputError
        If ``path`` is not the folder of a run, or its database is damaged.
    RunError
        If the disk fails.
    """
    from hpsearch.results.tables import Results

    return Results.load(path)


def load_ensemble(path: str | Path) -> "Ensemble":
    """Return a trained ensemble, ready to predict; a single model is an ensemble of one.

    Parameters
    ----------
    path
        An ensemble's folder, a checkpoint file, or the folder of a finished run, which stands
        for the ensemble that it ended with.

    Raises
    ------
    InputError
        If ``path`` is none of these.
    CheckpointError
        If a member is damaged or missing.
    """
    from hpsearch.ensembles import ensemble

    return ensemble.load(Path(path))


if not TYPE_CHECKING:  # A type checker would take any name for one that is here.

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            return version("hpsearch")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
