"""A run's data, read and checked in a thread while Ray starts."""

from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.config.search_config import SearchConfig
from hpsearch.run.background import Background
from hpsearch.run.signals import Interrupts
from hpsearch.storage import data_sources
from hpsearch.storage.folder import RunFolder
from workers.data.dataset import Dataset

if TYPE_CHECKING:
    from hpsearch.data.datasets import Split


def load(
    config: SearchConfig, run: RunFolder | None, place: Path | None = None
) -> tuple["Split", list[str]]:
    """Return a config's data and warnings; those of a ``run`` that goes on must be its own.

    They may lie in another ``place`` now, see `hpsearch.storage.data_sources.load`.

    Raises
    ------
    InputError
        If the data can't be used, do not fit the config, or are not the run's.
    """
    from hpsearch.run import master, restore  # noqa: F401 (long to import, and needed next)
    from hpsearch.run.preflight import load_data

    warnings: list[str] = []

    def read(config: SearchConfig) -> "Split":
        warnings.clear()
        return load_data(config, warnings.append)

    split = read(config) if run is None else data_sources.load(config, run, read, data=place)
    return split, warnings


class Loading:
    """The data on their way.

    Parameters
    ----------
    config
        The run's.
    run
        Its folder, if it goes on.
    place
        Where its data lie then, if the user said so.
    interrupts
        Who answers signals: at once, while nothing else is done than to wait.
    """

    def __init__(
        self,
        config: SearchConfig,
        run: RunFolder | None,
        place: Path | None,
        interrupts: Interrupts,
    ) -> None:
        self._background = Background(lambda: load(config, run, place))
        self._interrupts = interrupts

    def look(self) -> None:
        """Raise what has happened meanwhile: a signal, or an error in the data."""
        self._interrupts.check()
        self._background.check()

    def result(self) -> tuple["Split", list[str]]:
        """Wait for the data and the warnings about them; raises as `load` does."""
        self._interrupts.install()
        result = self._background.result()
        self._interrupts.at_once = False
        return result

    def dataset(self) -> Dataset:
        """Wait for what workers see of the data; raises as `load` does."""
        return self.result()[0].dataset

    def close(self) -> None:
        """Wait until nothing is read any more."""
        self._background.close()
