"""One run from its config to its summary: what ``hpsearch run`` does, without the printing."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

from hpsearch import creation, report
from hpsearch.conclusion import Conclusion, conclude, reload
from hpsearch.config import SearchConfig
from hpsearch.datasets import Split
from hpsearch.executors import Executor, SerialExecutor
from hpsearch.folder import RunFolder
from hpsearch.interrupts import Interrupts
from hpsearch.master import Master, Watch, prepare, tidy
from hpsearch.preflight import Warn, load_data
from hpsearch.search import Search
from hpsearch.store import Store
from hpsearch.watched import WatchedExecutor
from workers.errors import HpsearchError
from workers.messages import RunSettings

Begin = Callable[[int], Watch]
"""Called with the number of workers once they are starting; returns who watches."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to train.

    ``workers`` is how many (None: one a CPU), ``address`` a Ray cluster to join (None:
    one of the run's own), ``in_process`` trains in this process, without Ray, where
    workers take turns (None: one).
    """

    workers: int | None = None
    address: str | None = None
    in_process: bool = False


def run(
    config: SearchConfig,
    folder: RunFolder,
    place: Place,
    begin: Begin,
    *,
    resume: bool = False,
    overwrite: bool = False,
    take_over: bool = False,
    warn: Warn | None = None,
) -> Conclusion:
    """Search until every stage is over, and conclude.

    Nothing is written before the config, the data and the workers have been found good.
    A run that is finished already returns what it came to; its report is made if it has
    none. ``take_over`` is the user's word that a process on another host, which holds the
    run, is gone for good.

    Raises
    ------
    InputError
        If the config does not fit the data, or the folder is in the way.
    RunError
        If the disk, the cluster or every trial fails.
    Interrupted
        If SIGINT or SIGTERM came.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        interrupts = Interrupts(at_once=True)
        stack.callback(interrupts.restore)
        split = load_data(config, warn)
        going_on = resume and folder.exists
        if going_on:
            creation.check_same(config, folder, split)
            if folder.summary.is_file():
                return _finished(folder, take_over=take_over)
            creation.check_arithmetic(folder)
            stack.enter_context(folder.lock(take_over=take_over))
        elif overwrite and folder.exists:
            folder.check()
        else:
            folder.check_new()
        interrupts.at_once = False
        executor = stack.enter_context(closing(_executor(config, folder, split, place)))
        interrupts.install()
        if not going_on:
            interrupts.at_once = False
            creation.create(config, folder, split, overwrite=overwrite)
            stack.enter_context(folder.lock())
            interrupts.install()
        stack.enter_context(_logging(folder))
        store = stack.enter_context(Store.open(folder.database))
        tidy(folder, store)
        search = prepare(config, store, split.dataset, workers=executor.workers)
        watch = begin(executor.workers)

        def watch_and_check(search: Search) -> None:
            watch(search)
            interrupts.check()

        interrupts.at_once = False
        master = Master(search, folder=folder, store=store, executor=executor)
        master.run(watch_and_check)
        executor.close()
        interrupts.install()
        tidy(folder, store)
        seconds = time.monotonic() - began
        conclusion = conclude(folder, config, split, search.verdicts, seconds=seconds)
        report.write_if_possible(folder.path)
        interrupts.check()  # What is raised in a destructor is lost.
        return conclusion


def _finished(folder: RunFolder, *, take_over: bool) -> Conclusion:
    """Return what a run came to, and make its report if it was killed before that."""
    conclusion = reload(folder)
    if not folder.report.is_file():
        # Where another process has the run, or the disk can't be written, the result stands.
        with suppress(OSError, HpsearchError), folder.lock(take_over=take_over), _logging(folder):
            with Store.open(folder.database) as store:
                tidy(folder, store)
            report.write_if_possible(folder.path)
    return conclusion


def _executor(config: SearchConfig, folder: RunFolder, split: Split, place: Place) -> Executor:
    settings = RunSettings(
        seed=config.study.seed,
        metric=config.study.metric,
        direction="maximize" if config.study.sign > 0 else "minimize",
        folder=str(folder.checkpoints.absolute()),
        checkpoint_every=config.checkpoint.every,
        ema_decay=config.checkpoint.ema_decay,
        diagnostics=config.study.diagnostics,
    )
    if place.in_process:
        return SerialExecutor(split.dataset, settings, workers=place.workers or 1)
    from hpsearch.ray_executor import RayExecutor  # half a second, only when it is needed

    executor = RayExecutor(split.dataset, settings, workers=place.workers, address=place.address)
    silence = config.study.max_silence
    return WatchedExecutor(executor, silence_seconds=silence, seed=config.study.seed)


@contextmanager
def _logging(folder: RunFolder) -> Iterator[None]:
    """Write what the master does into the run's log, for as long as this lasts."""
    folder.log.touch(mode=0o600)
    handler = logging.FileHandler(folder.log, encoding="utf-8")
    setattr(handler, "handleError", lambda _: None)  # noqa: B010 (a full disk ends the log only)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("hpsearch")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
