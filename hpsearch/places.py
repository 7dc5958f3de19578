"""Where to train: what the user says, and who trains there."""

from collections.abc import Callable
from dataclasses import dataclass

from hpsearch.config import SearchConfig
from hpsearch.executors import Executor, SerialExecutor
from hpsearch.folder import RunFolder
from hpsearch.watched import WatchedExecutor
from workers.data import Dataset
from workers.messages import RunSettings


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


def make_executor(
    place: Place,
    config: SearchConfig,
    folder: RunFolder,
    *,
    data: Callable[[], Dataset],
    look: Callable[[], None],
) -> Executor:
    """Return who trains a run; ``data`` is asked for once Ray is there, ``look`` called until then.

    Raises
    ------
    InputError
        If the place is none.
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
    if place.in_process:
        return SerialExecutor(data(), settings, workers=place.workers or 1)
    from hpsearch.ray_executor import RayExecutor  # half a second, only when it is needed

    executor = RayExecutor(data, settings, workers=place.workers, address=place.address, look=look)
    silence = config.study.max_silence
    return WatchedExecutor(executor, silence_seconds=silence, seed=config.study.seed)
