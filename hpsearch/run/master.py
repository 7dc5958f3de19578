"""The loop that performs the search's commands: executor, store, checkpoint files, log."""

import logging
import shutil
from collections.abc import Callable

from hpsearch.execution.executors import Executor
from hpsearch.search import events as ev
from hpsearch.search.search import Search
from hpsearch.space.space import SearchSpace
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from workers.checkpoints import atomic_files, checkpoint_files
from workers.checkpoints.failpoints import failpoint
from workers.errors import RunError
from workers.messages import Pack

POLL_SECONDS = 0.2

log = logging.getLogger("hpsearch.run.master")

Watch = Callable[[Search], None]
"""Called with the search after every round of events; may raise to end the loop."""

Check = Callable[[SearchSpace], None]
"""Called with a stage's ranges; raises RunError if a network of theirs can't be trained here."""


class Master:
    """Performs a search's commands until it is finished.

    Parameters
    ----------
    search
        The logic, as `hpsearch.run.restore.prepare` returns it.
    folder, store
        Where checkpoints are removed from, and where everything is written down.
    executor
        Who trains.
    check
        Who says whether a stage's networks can be trained here.
    """

    def __init__(
        self, search: Search, *, folder: RunFolder, store: Store, executor: Executor, check: Check
    ) -> None:
        self.search = search
        self.reason: str | None = None
        self._folder = folder
        self._store = store
        self._executor = executor
        self._check = check

    def run(self, watch: Watch) -> None:
        """Begin the search, or go on with it, and return when it is finished.

        Raises
        ------
        RunError
            If the database, the checkpoint folder or the cluster fails, or a stage's ranges
            have grown to networks that can't be trained here.
        """
        for stage in self.search.stages:
            self._check(stage.space)
        self._perform(self.search.begin())
        watch(self.search)
        while not self.search.finished:
            for event in self._executor.wait(POLL_SECONDS):
                self._perform(self.search.handle(event))
            watch(self.search)

    def _perform(self, commands: list[ev.Command]) -> None:
        """Do what is asked for, but begin no stage that can't be trained here.

        What comes before it is done, so that the search can go on elsewhere as if nothing had
        happened.
        """
        for position, command in enumerate(commands):
            if isinstance(command, ev.BeginStage):
                try:
                    self._check(SearchSpace.from_json(command.space))
                except RunError:
                    self._do(commands[:position])
                    raise
        self._do(commands)

    def _do(self, commands: list[ev.Command]) -> None:
        """Write first, all of it at once: what is dispatched or removed follows from it."""
        with self._store.transaction():
            for command in commands:
                self._write(command)
        for command in commands:
            match command:
                case ev.RemoveCheckpoints(names):
                    failpoint("master.before_remove")
                    for name in names:
                        (self._folder.checkpoints / name).unlink(missing_ok=True)
                    failpoint("master.after_remove")
                case ev.Dispatch(worker, pack):
                    numbers = [trial.number for trial in pack.trials]
                    log.info("worker %d: pack %d, trials %s", worker, pack.number, numbers)
                    self._clear(pack)
                    failpoint("master.before_dispatch")
                    self._executor.submit(worker, pack)
                    failpoint("master.after_dispatch")
                case ev.StopTrials(worker, trials):
                    self._executor.stop(worker, trials)
                case ev.ReplaceWorker(worker):
                    self._executor.replace(worker)
                case ev.Finish(reason):
                    self.reason = reason

    def _clear(self, pack: Pack) -> None:
        """Remove what an earlier attempt wrote and did not report, or did not live to."""
        again = [trial.number for trial in pack.trials if trial.attempt > 1]
        known = {saved.name for saved in self._store.checkpoints()} if again else set()
        for number in again:
            checkpoint_files.remove_unknown(self._folder.checkpoints, known, trial=number)

    def _write(self, command: ev.Command) -> None:
        store = self._store
        match command:
            case ev.BeginStage(stage, name, space, first):
                log.info("stage %s begins: %s", name, space)
                store.begin_stage(stage, name, space, first)
            case ev.EndStage(stage, verdicts, note):
                store.end_stage(stage, verdicts)
                for text in (*(verdict["text"] for verdict in verdicts), *([note] if note else [])):
                    log.info("%s", text)
            case ev.Record(reports):
                store.record(reports)
            case ev.RemoveCheckpoints(names):
                store.forget_checkpoints(names)
            case _:
                self._write_trial(command)

    def _write_trial(self, command: ev.Command) -> None:
        store = self._store
        match command:
            case ev.AddTrial(number, stage, params, epochs):
                store.add_trial(number, stage, params, epochs)
            case ev.PromoteTrial(number, stage, epochs):
                log.info("trial %d goes on, to epoch %d", number, epochs)
                store.promote_trial(number, stage, epochs)
            case ev.StartTrial(number, attempt):
                store.start_trial(number, attempt)
            case ev.NoteFailure(number, attempt, epoch, cause):
                log.warning("trial %d, attempt %d: %s", number, attempt, cause)
                store.note_failure(number, attempt, epoch, cause)
            case ev.EndTrial(number, state, reason):
                log.info("trial %d: %s%s", number, state, f", {reason}" if reason else "")
                store.end_trial(number, state, reason)


def tidy(folder: RunFolder, store: Store) -> None:
    """Remove what an interruption left: files that no acknowledged epoch names, half an end.

    An empty folder that somebody removed is made again.
    """
    for part in (folder.checkpoints, folder.ensembles):
        part.mkdir(mode=0o700, exist_ok=True)
    for path in [*folder.path.iterdir(), *folder.ensembles.iterdir()]:
        if atomic_files.temporary_target(path.name):
            path.unlink(missing_ok=True)
        elif path.name.startswith(".") and path.name.endswith(".new"):
            shutil.rmtree(path, ignore_errors=True)
    known = {checkpoint.name for checkpoint in store.checkpoints()}
    removed = checkpoint_files.remove_unknown(folder.checkpoints, known)
    if removed:
        log.info("removed %d unacknowledged checkpoint files", len(removed))
