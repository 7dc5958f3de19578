"""What a finished search comes to: the best model, the ensemble, and their one test."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch import datasets, ensemble, model
from hpsearch.config import SearchConfig
from hpsearch.datasets import Split
from hpsearch.ensemble import Ensemble
from hpsearch.failures import nothing_completed
from hpsearch.finalists import finalists, winner
from hpsearch.folder import RunFolder
from hpsearch.results import Results
from hpsearch.verdicts import Verdict
from workers import files
from workers.errors import RunError, brief
from workers.failpoints import failpoint


@dataclass(frozen=True)
class Conclusion:
    """The summary as it is written to ``summary.json``, and the verdicts it is based on."""

    summary: Mapping[str, Any]
    verdicts: Sequence[Verdict]


def build_ensemble(
    run: RunFolder,
    config: SearchConfig,
    split: Split,
    *,
    method: str,
    size: int,
    averaged: bool | None = None,
) -> Ensemble:
    """Return the ensemble of a run's best completed trials, chosen on the validation rows."""
    results = Results.load(run.path)
    complete = results.trials.loc[results.trials["state"] == "complete", "trial"]
    # A trial that ran when the run was interrupted has its best and its last file.
    kept = results.checkpoints[results.checkpoints["trial"].isin(complete)]
    return ensemble.choose(
        [run.checkpoints / name for name in kept.drop_duplicates("trial")["name"]],
        method=method,
        size=size,
        metric=config.study.metric,
        x=split.x_validation,
        y=split.y_validation,
        averaged=averaged,
    )


def make_ensemble(
    path: Path, *, method: str, size: int, averaged: bool | None, test: bool
) -> Mapping[str, Any]:
    """Average the best models of the run at ``path`` and save them below ``ensembles/``.

    Returns the number of members, the path, and the scores; those of the test set only if
    ``test`` asks for them.

    Raises
    ------
    InputError
        If this is not a run, its data can't be read, or no trial completed.
    """
    run = RunFolder(path)
    run.check()
    config = run.load_config()
    split = datasets.load(config.data, seed=config.study.seed, chains=config.chains)
    run.check_data(split.digest)
    chosen = build_ensemble(run, config, split, method=method, size=size, averaged=averaged)
    kind = "" if averaged is None else "-averaged" if averaged else "-raw"
    folder = run.ensembles / f"{method}-{size}{kind}"
    ensemble.save(chosen, folder)
    scores = score(chosen, split, test=test)
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
        for name, value in model.measure(split.dataset.task, predictions, y).items()
    }


def conclude(
    run: RunFolder,
    config: SearchConfig,
    split: Split,
    verdicts: Sequence[Sequence[Verdict]],
    *,
    seconds: float,
) -> Conclusion:
    """Average the best models, look at the test set once, and write ``summary.json``.

    Raises
    ------
    RunError
        If no trial completed.
    """
    results = Results.load(run.path)
    if results.checkpoints.empty:
        raise RunError(nothing_completed(results))
    method, size = config.ensemble.method, config.ensemble.size
    chosen = build_ensemble(run, config, split, method=method, size=size)
    folder = run.ensembles / f"{method}-{size}"
    ensemble.save(chosen, folder)
    rescored = finalists(results, list(config.search_space))
    name = winner(results, rescored)
    best = model.load(run.checkpoints / name)
    number = int(best.metadata["trial"])
    row = results.trials.set_index("trial").loc[number]
    summary = {
        "name": config.study.name,
        "metric": config.study.metric,
        "seed": config.study.seed,
        "trials": len(results.trials),
        "failed": int((results.trials["state"] == "failed").sum()),
        "best": {
            "trial": number,
            "epoch": int(best.metadata["epoch"]),
            "checkpoint": f"{run.checkpoints.name}/{name}",
            "params": {name: _plain(row[name]) for name in _sampled(row, config)},
            **score(Ensemble((best,), (1.0,)), split, test=True),
        },
        "ensemble": {
            "method": method,
            "size": len(chosen.members),
            "path": str(folder.relative_to(run.path)),
            **score(chosen, split, test=True),
        },
        **({"rescore": rescored} if rescored else {}),
        "seconds": round(seconds, 3),
        "borders": [verdict.to_json() for stage in verdicts for verdict in stage],
    }
    files.sync_folder(run.checkpoints)
    failpoint("conclusion.before_summary")
    files.replace(run.summary, (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())
    return Conclusion(summary, [verdict for stage in verdicts for verdict in stage])


def reload(run: RunFolder) -> Conclusion:
    """Return what a finished run came to, without looking at the test set again.

    Raises
    ------
    RunError
        If the summary is damaged.
    """
    try:
        summary = json.loads(run.summary.read_text(encoding="utf-8"))
        verdicts = [Verdict.from_json(border) for border in summary["borders"]]
        _check_shown(summary)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            f"{run.summary} is damaged ({brief(error)}): remove it and resume"
        ) from error
    return Conclusion(summary, verdicts)


def _sampled(row: Any, config: SearchConfig) -> list[str]:
    """Return the dimensions that the trial of a row has; a condition may leave one out."""
    there = row.notna()
    return [name for name in config.search_space if there.get(name, False)]


def _check_shown(summary: Mapping[str, Any]) -> None:
    """Raise KeyError or TypeError if something is missing that the end of a run shows."""
    best, ensemble = summary["best"], summary["ensemble"]
    counts = [summary["trials"], summary["seconds"], best["trial"], ensemble["size"]]
    if not all(isinstance(count, int | float) for count in counts):
        raise TypeError(f"{counts} should be numbers")
    str(summary["metric"] + ensemble["method"] + ensemble["path"] + "".join(best["params"]))


def _plain(value: Any) -> Any:
    """Return a pandas cell as JSON has it."""
    return value.item() if hasattr(value, "item") else value
