"""What a report shows of a run, read in one go and believed only as far as it is checked."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from hpsearch.config.auto_epochs import Length
from hpsearch.config.sections.stages import RESCORE
from hpsearch.ensembles import ensemble, metrics
from hpsearch.narrowing.rank_agreement import Agreement
from hpsearch.results.stage_verdicts import agreements_of
from hpsearch.space.dimensions import CategoricalDimension, Numeric
from hpsearch.space.space import SearchSpace
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.sqlite.rows import EpochRow, FailureRow, LayerRow, StageRow, TrialRow
from hpsearch.storage.store import Store
from workers.errors import InputError

_MAX_BYTES = 1 << 22

_Row = TypeVar("_Row", EpochRow, LayerRow)


@dataclass(frozen=True, eq=False)
class RunData:
    """A run as of one moment.

    Parameters
    ----------
    path, name, metric, seed
        Which run this is, and what it pursues.
    sign
        1 where a higher score is better, -1 where a lower one is.
    stages, spaces
        The stages that have begun, and the ranges of each.
    trials, epochs, layers, failures
        All trials, the epochs and their layers by trial, and the attempts that failed without
        their fault.
    agreements
        How stages' ranks agree with those of the next; none if the config can't be read.
    config
        The text of config.yaml, without passwords in URLs.
    summary
        What the search came to; empty while it has not.
    members
        The ensemble's members as its description has them.
    """

    path: Path
    name: str
    metric: str
    seed: int
    sign: int
    stages: tuple[StageRow, ...]
    spaces: tuple[SearchSpace, ...]
    trials: tuple[TrialRow, ...]
    epochs: Mapping[int, Sequence[EpochRow]]
    layers: Mapping[int, Sequence[LayerRow]]
    failures: tuple[FailureRow, ...]
    agreements: tuple[Length | Agreement, ...]
    config: str
    summary: Mapping[str, Any]
    members: Sequence[Mapping[str, Any]]

    @cached_property
    def scored(self) -> tuple[TrialRow, ...]:
        """The trials with a finite score that did not fail, best first, ties by number."""
        scored = [t for t in self.trials if t.state != "failed" and is_number(t.best_score)]
        return tuple(sorted(scored, key=lambda t: (-self.sign * (t.best_score or 0.0), t.number)))

    @cached_property
    def ranked(self) -> tuple[TrialRow, ...]:
        """Those of them that were not pruned, best first."""
        return tuple(trial for trial in self.scored if trial.state != "pruned")

    @cached_property
    def failed(self) -> tuple[TrialRow, ...]:
        """The trials that failed."""
        return tuple(trial for trial in self.trials if trial.state == "failed")

    @cached_property
    def dimensions(self) -> dict[str, Numeric | CategoricalDimension]:
        """The dimensions that were searched, each as the first stage to search it has it."""
        found = [item for space in reversed(self.spaces) for item in space.items()]
        return {name: d for name, d in found if isinstance(d, Numeric | CategoricalDimension)}

    @cached_property
    def rescored(self) -> tuple[TrialRow, ...]:
        """The trials that trained a finalist's configuration anew on a fresh seed."""
        return tuple(trial for trial in self.trials if self.stage_name(trial) == RESCORE)

    @property
    def finished(self) -> bool:
        """Whether every stage that was begun is over, and the run has a summary."""
        return bool(self.summary) and all(stage.state == "complete" for stage in self.stages)

    def stage_name(self, trial: TrialRow) -> str:
        """Return the name of a trial's stage."""
        known = trial.stage < len(self.stages)
        return self.stages[trial.stage].name if known else str(trial.stage)

    def metrics(self, trial: TrialRow) -> Mapping[str, float]:
        """Return a trial's metrics in its best epoch."""
        rows = self.epochs.get(trial.number, ())
        return next((row.metrics for row in rows if row.epoch == trial.best_epoch), {})


def load(run: RunFolder) -> RunData:
    """Read a run; changes nothing in it.

    Raises
    ------
    InputError
        If the folder is not a run's, or its database is damaged.
    """
    run.check()
    with Store.read(run.database) as store, store.transaction():
        meta, stages, trials = store.meta(), store.stages(), store.trials()
        epochs, layers = _by_trial(store.epochs()), _by_trial(store.layers())
        failures = store.failures()
    summary = metrics.renamed(_object(run.summary))
    return RunData(
        path=run.path,
        name=meta["name"],
        metric=meta["metric"],
        seed=meta["seed"],
        sign=1 if meta["direction"] == "maximize" else -1,
        stages=stages,
        spaces=tuple(_space(stage) for stage in stages),
        trials=trials,
        epochs=epochs,
        layers=layers,
        failures=failures,
        agreements=agreements_of(run),
        config=_config(run.config),
        summary=summary,
        members=_members(run, summary),
    )


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _by_trial(rows: Iterable[_Row]) -> dict[int, list[_Row]]:
    found: dict[int, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.trial, []).append(row)
    return found


def _space(stage: StageRow) -> SearchSpace:
    try:
        return SearchSpace.from_json(stage.space)
    except ValueError as error:
        raise InputError(
            "a stage holds the ranges that it searches",
            f"{str(error).splitlines()[0]} in stage {stage.name!a:.60}",
            "restore search.db from a copy",
        ) from error


def _config(path: Path) -> str:
    """Return the config's text; what a URL may hold of passwords and signatures is left out."""
    text = re.sub(r"//[^@\s]*@", "//***@", _text(path))
    return re.sub(r"(//[^\s?'\"]*\?)[^\s'\"]*", r"\1***", text)


def _members(run: RunFolder, summary: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the members of the ensemble that the summary names, if it lies in the run."""
    described = summary.get("ensemble")
    name = Path(str(described.get("path", "") if isinstance(described, dict) else "")).name
    if not name or name == "..":
        return ()
    members = _object(run.ensembles / name / ensemble.DESCRIPTION).get("members")
    found = members if isinstance(members, list) else []
    return [m for m in found if isinstance(m, dict) and is_number(m.get("weight"))]


def _object(path: Path) -> dict[str, Any]:
    """Return a JSON file's object; an empty one if it is not there or can't be read."""
    try:
        value = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
