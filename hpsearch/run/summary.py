"""What a finished search comes to: the best model, the ensemble, and their one test."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hpsearch.config.search_config import SearchConfig
from hpsearch.data.datasets import Split
from hpsearch.ensembles import ensemble, metrics, model
from hpsearch.ensembles.ensemble import Ensemble
from hpsearch.ensembles.run_ensembles import build_ensemble, score
from hpsearch.narrowing.verdicts import Verdict
from hpsearch.results.failures import nothing_completed
from hpsearch.results.finalists import finalists, winner
from hpsearch.results.stage_verdicts import agreements_of
from hpsearch.results.tables import Results
from hpsearch.storage import run_log
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store
from workers.checkpoints import atomic_files
from workers.checkpoints.failpoints import failpoint
from workers.errors import HpsearchError, RunError, brief


@dataclass(frozen=True)
class Outcome:
    """The summary as it is written to ``summary.json``, and the verdicts it is based on."""

    summary: Mapping[str, Any]
    verdicts: Sequence[Verdict]


def summarize(
    run: RunFolder,
    config: SearchConfig,
    split: Split,
    verdicts: Sequence[Sequence[Verdict]],
    *,
    seconds: float,
) -> Outcome:
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
            "epoch": best.metadata["epoch"],
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
        "agreements": [found.to_json() for found in agreements_of(run)],
    }
    atomic_files.sync_folder(run.checkpoints)
    failpoint("conclusion.before_summary")
    atomic_files.replace(
        run.summary, (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode()
    )
    return Outcome(summary, [verdict for stage in verdicts for verdict in stage])


def reload(run: RunFolder) -> Outcome:
    """Return what a finished run came to, without looking at the test set again.

    Raises
    ------
    RunError
        If the summary is damaged.
    """
    try:
        summary = metrics.renamed(json.loads(run.summary.read_text(encoding="utf-8")))
        verdicts = [Verdict.from_json(border) for border in summary["borders"]]
        _check_shown(summary)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{run.summary} is damaged ({brief(error)}): remove it and resume"
        ) from error
    return Outcome(summary, verdicts)


def _sampled(row: Any, config: SearchConfig) -> list[str]:
    """Return the dimensions that the trial of a row has; a condition may leave one out."""
    there = row.notna()
    return [name for name in config.search_space if there.get(name, False)]


def finished(folder: RunFolder, *, take_over: bool) -> Outcome:
    """Return what a run came to, and make its report if it was killed before that."""
    from hpsearch.reporting import report
    from hpsearch.run.master import tidy

    outcome = reload(folder)
    if not folder.report.is_file():
        # Where another process has the run, or the disk can't be written, the result stands.
        with (
            suppress(OSError, HpsearchError),
            folder.lock(take_over=take_over),
            run_log.writing(folder),
        ):
            with Store.open(folder.database) as store:
                tidy(folder, store)
            report.write_if_possible(folder.path)
    return outcome


def _check_shown(summary: Mapping[str, Any]) -> None:
    """Raise KeyError or TypeError if something is missing that the end of a run shows."""
    best, ensemble = summary["best"], summary["ensemble"]
    counts = [summary["trials"], summary["seconds"], best["trial"], ensemble["size"]]
    if not all(isinstance(count, int | float) for count in counts):
        raise TypeError(f"{counts} should be numbers")
    for agreement in summary.get("agreements", []):  # which older summaries lack
        str(agreement["stage"] + agreement["text"] + "!" * agreement["short"])
    str(summary["metric"] + ensemble["method"] + ensemble["path"] + "".join(best["params"]))


def _plain(value: Any) -> Any:
    """Return a pandas cell as JSON has it."""
    return value.item() if hasattr(value, "item") else value
