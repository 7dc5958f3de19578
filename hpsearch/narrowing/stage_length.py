"""The first stage's length from its first trials, where the config leaves it to the data."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.auto_epochs import Length, Pilot
from hpsearch.config.search_config import SearchConfig
from hpsearch.narrowing.rank_agreement import ENOUGH, spearman

SOUND: Final = 0.5
"""More than this share of the first trials must end with a score, or they tell nothing."""


class PilotTrial(Protocol):
    """What has to be known of a trial: `hpsearch.search.trials.TrialRecord` does."""

    @property
    def stage(self) -> int:
        """The stage that it trains in, or the last."""

    @property
    def state(self) -> str:
        """Such as ``failed``."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""

    @property
    def history(self) -> Mapping[float, float]:
        """Its scores by epoch, a higher one being better."""

    def end_from(self, start: float, epochs: float) -> float:
        """Return the epoch that ended a stage of ``epochs`` in all, of which it had ``start``."""


def measured(config: SearchConfig, trials: Mapping[int, PilotTrial]) -> SearchConfig:
    """Return the config with the length of its first stage, if that is to be and can be told.

    It can be told once all of the first trials have ended there. Where they are now makes no
    difference: of one that went on only what it did in the first stage counts.
    """
    pilot = config.pilot
    if pilot is None or pilot.length is not None:
        return config
    first = [trials.get(number) for number in range(pilot.trials)]
    records = [record for record in first if record is not None and (record.stage or record.ended)]
    if len(records) < pilot.trials:
        return config
    values = np.array([_values(record, pilot.epochs) for record in records])
    length = _length(config.stages[0].name, pilot, values)
    stage = config.stages[0].model_copy(update={"epochs": length.epochs})
    pilot = replace(pilot, length=length)
    return replace(config, stages=(stage, *config.stages[1:]), pilot=pilot)


def _values(record: PilotTrial, epochs: int) -> list[float]:
    """Return a trial's best score within each number of epochs that it had in the first stage.

    A trial that fails is the worst from then on.
    """
    failed = record.state == "failed" and record.stage == 0
    end = max(record.history, default=0) if failed else record.end_from(0, epochs)

    def best(epoch: int) -> float:
        known = [s for e, s in record.history.items() if e <= min(epoch, end)]
        return -math.inf if failed and epoch > end else max(known, default=-math.inf)

    return [best(epoch) for epoch in range(1, epochs + 1)]


def _length(stage: str, pilot: Pilot, values: NDArray[np.float64]) -> Length:
    """Return the least epochs from which on all ranks agree with the last ones.

    ``values`` are the best scores so far, ``(trials, epochs)``.
    """
    last = values[:, -1]
    failed = int(np.isneginf(last).sum())
    enough, correlation = pilot.epochs, None
    told = failed < (1 - SOUND) * pilot.trials and last.min() < last.max()
    for epochs in range(pilot.epochs - 1, 0, -1):
        found = spearman(values[:, epochs - 1], last) if told else None
        if found is None or found < ENOUGH:
            break
        enough, correlation = epochs, found
    if correlation is not None:
        reason = f"the shortest whose ranks agree with those after {pilot.epochs}"
    elif told:
        reason = "the longest tried: the ranks after fewer do not agree with theirs"
    else:
        reason = "the longest tried: too few scores to compare"
    return Length(stage, enough, reason, pilot.epochs, pilot.trials, failed, correlation)
