"""Where to train: what the user says, where that is, and who trains there."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from hpsearch.config.search_config import SearchConfig
from hpsearch.execution.cluster import addresses, discovery
from hpsearch.execution.executors import Executor, SerialExecutor
from hpsearch.execution.supervision import SupervisedExecutor
from hpsearch.storage.folder import RunFolder
from workers.data.dataset import Dataset
from workers.messages import RunSettings

VARIABLE = "RAY_ADDRESS"


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """Where to train, in the user's words.

    ``workers`` is how many (None: one for each CPU at hand). ``address`` is a Ray cluster to join:
    ``HOST:PORT``; ``auto``, the one that runs on this machine; or ``local``, one of the
    run's own. None is what the environment's `VARIABLE` says, or ``local``. ``in_process``
    trains in this process, without Ray, where workers take turns (None: one).
    """

    workers: int | None = None
    address: str | None = None
    in_process: bool = False


@dataclass(frozen=True, slots=True)
class Backend:
    """Where that is, looked up, and what to call it: ``on the Ray cluster at 10.0.0.1:6379``.

    ``address`` is ``HOST:PORT`` of a cluster to join, or None.
    """

    address: str | None
    text: str


def locate(where: BackendOptions) -> Backend:
    """Return the backend that is meant.

    Raises
    ------
    InputError
        If its address is none.
    RunError
        If it is ``auto`` and no cluster runs here.
    """
    if where.in_process:
        return Backend(None, "in this process")
    word, source, note = where.address, "", ""
    if word is None:
        # Ray counts an empty variable as none, too.
        word, source, note = os.environ.get(VARIABLE) or "local", f"{VARIABLE}=", f" ({VARIABLE})"
    if word == "local":
        return Backend(None, "on a cluster of its own")
    address = discovery.running_cluster() if word == "auto" else word
    addresses.check_form(address, said=f"{source}{address!r}")
    return Backend(address, f"on the Ray cluster at {address}{note}")


def make_executor(
    where: BackendOptions,
    backend: Backend,
    config: SearchConfig,
    folder: RunFolder,
    *,
    data: Callable[[], Dataset],
    look: Callable[[], None],
) -> Executor:
    """Return who trains a run on a backend, which `locate` found.

    ``data`` is asked for once Ray is there, ``look`` called until then.

    Raises
    ------
    RunError
        If Ray does not start or answer.
    """
    settings = RunSettings(
        seed=config.study.seed,
        metric=config.study.metric,
        direction="maximize" if config.study.sign > 0 else "minimize",
        folder=str(folder.checkpoints.absolute()),
        checkpoint_every=config.checkpoint.every,
        ema_decay=config.checkpoint.ema_decay,
        diagnostics=config.study.diagnostics,
    )
    if where.in_process:
        return SerialExecutor(data(), settings, workers=where.workers or 1)
    from hpsearch.execution.ray_executor import RayExecutor  # half a second, only when it is needed

    executor = RayExecutor(
        data, settings, workers=where.workers, address=backend.address, look=look
    )
    silence = config.study.max_silence
    return SupervisedExecutor(executor, silence_seconds=silence, seed=config.study.seed)
