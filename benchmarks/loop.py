"""A search performed in this process, without a database, at a budget of epochs."""

from collections.abc import Sequence
from pathlib import Path

from hpsearch.config.search_config import SearchConfig
from hpsearch.execution.executors import Executor
from hpsearch.search import events as ev
from hpsearch.search.search import Search
from hpsearch.search.trials import TrialRecord


class Loop:
    """Performs a search's commands until so many epochs are used.

    ``parameters`` is the size of a network, from which the size of packs follows.
    """

    def __init__(
        self,
        config: SearchConfig,
        executor: Executor,
        folder: Path | None = None,
        *,
        parameters: int = 8_000,
    ) -> None:
        self.epochs = 0
        self._executor, self._folder = executor, folder
        self.search = Search(config, workers=executor.workers, parameter_count=lambda _: parameters)

    def run(self, budget: int) -> TrialRecord:
        """Return the best trial, one that is still running included."""
        self._perform(self.search.begin())
        while not self.search.finished and self.epochs < budget:
            for event in self._executor.wait(0):
                self._perform(self.search.handle(event))
        self._executor.close()
        scored = [r for r in self.search.trials.values() if r.score is not None]
        return min(scored, key=lambda r: (-(r.score or 0.0), r.number))

    def _perform(self, commands: Sequence[ev.Command]) -> None:
        for command in commands:
            match command:
                case ev.Dispatch(worker, pack):
                    self._executor.submit(worker, pack)
                case ev.StopTrials(worker, trials):
                    self._executor.stop(worker, trials)
                case ev.Record(reports):
                    self.epochs += len(reports)
                case ev.RemoveCheckpoints(names) if self._folder is not None:
                    for name in names:
                        (self._folder / name).unlink(missing_ok=True)
