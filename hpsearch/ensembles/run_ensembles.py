"""Ensembles of a run: made of its best trials, scored on its data where they are at hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.config.search_config import SearchConfig
from hpsearch.data import datasets
from hpsearch.data.datasets import Split
from hpsearch.ensembles import ensemble, metrics
from hpsearch.ensembles.ensemble import Ensemble
from hpsearch.ensembles.methods import BLIND
from hpsearch.ensembles.selection import choose
from hpsearch.results.tables import Results
from hpsearch.storage import data_sources
from hpsearch.storage.folder import RunFolder
from workers.errors import InputError


def build_ensemble(
    run: RunFolder,
    config: SearchConfig,
    split: Split | None,
    *,
    method: str,
    size: int,
    averaged: bool | None = None,
) -> Ensemble:
    """Return the ensemble of a run's best completed trials, chosen on the validation rows.

    ``split`` may be None where a method of `hpsearch.ensembles.methods.BLIND` does without.
    """
    results = Results.load(run.path)
    complete = results.trials.loc[results.trials["state"] == "complete", "trial"]
    # A trial that ran when the run was interrupted has its best and its last file.
    kept = results.checkpoints[results.checkpoints["trial"].isin(complete)]
    return choose(
        [run.checkpoints / name for name in kept.drop_duplicates("trial")["name"]],
        method=method,
        size=size,
        metric=config.study.metric,
        rows=(split.x_validation, split.y_validation) if split else None,
        averaged=averaged,
    )


def make_ensemble(
    path: Path,
    *,
    method: str,
    size: int,
    averaged: bool | None,
    test: bool,
    data: Path | None = None,
) -> Mapping[str, Any]:
    """Average the best models of the run at ``path`` and save them below ``ensembles/``.

    Returns the number of members, the path, and the scores; those of the test set only if
    ``test`` asks for them. What can be made without the run's data is made: then there are no
    scores, and ``unscored`` says why. ``data`` is where they lie now, see
    `hpsearch.storage.data_sources.load`.

    Raises
    ------
    InputError
        If this is not a run, no trial completed, or the data are needed, or named, and can't
        be used.
    """
    run = RunFolder(path)
    run.check()
    config = run.load_config()
    needed = test or data is not None or method not in BLIND
    split, scores = None, dict[str, Any]()
    try:
        split = data_sources.load(config, run, _read, data=data)
    except InputError as error:
        if needed:
            raise
        scores = {"unscored": str(error)}
    chosen = build_ensemble(run, config, split, method=method, size=size, averaged=averaged)
    kind = "" if averaged is None else "-averaged" if averaged else "-raw"
    folder = run.ensembles / f"{method}-{size}{kind}"
    if split is not None:
        scores = score(chosen, split, test=test)
    ensemble.save(chosen, folder)
    return {"method": method, "size": len(chosen.members), "path": str(folder), **scores}


def score(chosen: Ensemble, split: Split, *, test: bool) -> dict[str, float]:
    """Return ``val_...`` metrics of an ensemble, and ``test_...`` ones if asked for.

    With several splits, validation rows are predicted by the networks that were not trained
    on them, and the test rows by all.
    """
    parts = {"val": (chosen.predict_held_out(split.x_validation), split.y_validation)}
    if test and split.x_test is not None and split.y_test is not None:
        parts["test"] = (chosen.predict_proba(split.x_test), split.y_test)
    return {
        f"{part}_{name}": value
        for part, (predictions, y) in parts.items()
        for name, value in metrics.measure(split.dataset.task, predictions, y).items()
    }


def _read(config: SearchConfig) -> Split:
    return datasets.load(config.data, seed=config.study.seed, chains=config.chains)
