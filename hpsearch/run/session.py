"""One run from its config to its summary: what ``hpsearch run`` does, without the printing.

What takes long to import, above all scikit-learn, pandas and Optuna, is imported beside the start
of Ray.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.config import auto_sampler
from hpsearch.config.search_config import SearchConfig
from hpsearch.execution.backend import Backend, BackendOptions, locate, make_executor
from hpsearch.execution.executors import Executor
from hpsearch.run import creation
from hpsearch.run.background import Background
from hpsearch.run.data_loading import Loading, load
from hpsearch.run.signals import Interrupts
from hpsearch.storage import data_sources, run_log
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from workers.data.dataset import Dataset
from workers.nn import kernel_cache

if TYPE_CHECKING:
    from hpsearch.data.datasets import Split
    from hpsearch.run.preflight import Warn
    from hpsearch.run.summary import Outcome
    from hpsearch.search.search import Search

log = logging.getLogger("hpsearch.run.session")

Begin = Callable[[int, Backend], Callable[["Search"], None]]
"""Called with how many workers are starting, and where; returns who watches."""


def _say_nothing(line: str) -> None:
    del line


def run(
    config: SearchConfig,
    folder: RunFolder,
    where: BackendOptions,
    begin: Begin,
    *,
    resume: bool = False,
    overwrite: bool = False,
    take_over: bool = False,
    data: Path | None = None,
    warn: "Warn" = _say_nothing,
    note: "Warn" = _say_nothing,
) -> "Outcome":
    """Search until every stage is over, and conclude.

    Nothing is written before the config, the data and the workers have been found good.
    A run that is finished already returns what it came to; its report is made if it has
    none. ``take_over`` is the user's word that a process on another host, which holds the
    run, is gone for good, and ``data`` where the data of a run that goes on lie now; a
    finished one asks for none. ``warn`` is told what looks odd, ``note`` what the data are.

    Raises
    ------
    InputError
        If the config does not fit the data or the memory, or the folder is in the way.
    RunError
        If the disk, the cluster or every trial fails.
    Interrupted
        If SIGINT or SIGTERM came.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        interrupts = Interrupts()
        stack.callback(interrupts.restore)
        interrupts.install()
        going_on = resume and folder.exists
        if going_on:
            creation.check_config(config, folder)
            if folder.summary.is_file():
                if data is not None or data_sources.found(config, folder):
                    load(config, folder, data)
                return _finished(folder, take_over=take_over)
            creation.check_arithmetic(folder)
            stack.enter_context(folder.lock(take_over=take_over))
        elif overwrite and folder.exists:
            folder.check()
        else:
            folder.check_new()
        backend = locate(where)
        loading = Loading(config, folder if going_on else None, data, interrupts)
        stack.callback(loading.close)
        interrupts.at_once = False
        executor = make_executor(
            where, backend, config, folder, data=loading.dataset, look=loading.look
        )
        stack.callback(executor.close)
        split, warnings = loading.result()
        from hpsearch.run import memory_check

        memory_check.check(config, split.dataset, executor.memory)
        for say, lines in ((warn, warnings), (note, split.notes)):
            for line in lines:
                say(line)
        if not going_on:
            creation.create(config, folder, data_digest=split.digest, overwrite=overwrite)
            stack.enter_context(folder.lock())
        interrupts.install()
        stack.enter_context(run_log.writing(folder))
        log.info("workers: %d, %s", executor.workers, backend.text)
        log.info("%s", kernel_cache.sentence())
        store = stack.enter_context(Store.open(folder.database))
        search = _train(
            *(config, folder, store, executor, split.dataset),
            begin=lambda workers: begin(workers, backend),
            interrupts=interrupts,
        )
        seconds = time.monotonic() - began
        outcome = _summarize(config, folder, split, search, executor, store, seconds=seconds)
        interrupts.check()  # What is raised in a destructor is lost.
        return outcome


def _train(
    config: SearchConfig,
    folder: RunFolder,
    store: Store,
    executor: Executor,
    data: Dataset,
    begin: Callable[[int], Callable[["Search"], None]],
    interrupts: Interrupts,
) -> "Search":
    """Perform the search until every stage is over, and part with the workers."""
    from hpsearch.ensembles.fitted_network import warm_up
    from hpsearch.run import memory_check
    from hpsearch.run.master import Master, tidy
    from hpsearch.run.restore import prepare

    tidy(folder, store)
    for text in auto_sampler.explained(config):
        log.info("%s", text)
    search = prepare(config, store, data, workers=executor.workers)
    watch = begin(executor.workers)
    warming: Background[None] | None = None

    def watch_and_check(search: "Search") -> None:
        nonlocal warming
        watch(search)
        interrupts.check()
        if warming is None and any(trial.epochs_done for trial in search.trials.values()):
            warming = Background(warm_up)  # Models predict as soon as the last one is trained.

    interrupts.at_once = False
    fits = partial(memory_check.check_grown, config, data, executor.memory)
    master = Master(search, folder=folder, store=store, executor=executor, check=fits)
    master.run(watch_and_check)
    executor.disconnect()
    interrupts.install()  # Ray has given up the handlers.
    return search


def _summarize(
    config: SearchConfig,
    folder: RunFolder,
    split: "Split",
    search: "Search",
    executor: Executor,
    store: Store,
    *,
    seconds: float,
) -> "Outcome":
    """Test what the search has found while its workers die, and write the report."""
    from hpsearch.reporting import report
    from hpsearch.run.master import tidy
    from hpsearch.run.summary import summarize

    with closing(Background(executor.close)) as ending:
        outcome = summarize(folder, config, split, search.verdicts, seconds=seconds)
        ending.result()
    tidy(folder, store)
    report.write_if_possible(folder.path)
    return outcome


def _finished(folder: RunFolder, *, take_over: bool) -> "Outcome":
    from hpsearch.run.summary import finished

    return finished(folder, take_over=take_over)
