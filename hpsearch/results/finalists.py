"""What the best configurations come to on fresh seeds: mean and spread, without the luck."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from hpsearch.config.sections.stages import RESCORE
from hpsearch.results.tables import Results


def finalists(results: Results, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rescored configurations, the best mean first; none without such a stage.

    Each has the number of the ``trial`` that made it a finalist, the ``score`` of that,
    the numbers of its new ``trials``, and their ``mean`` and sample deviation ``std``.
    The lower that is below the score, the more of the score was luck.
    """
    table = results.trials[results.trials["state"] == "complete"]
    columns = [name for name in names if name in table.columns]
    frame = table[columns].astype(object)
    keys = [repr(row) for row in frame.where(frame.notna(), None).itertuples(index=False)]
    rows = zip(keys, table["stage"], table["trial"], table[results.metric], strict=True)
    sign = 1 if results.direction == "maximize" else -1
    first: dict[str, tuple[float, int]] = {}
    again: dict[str, list[tuple[int, float]]] = {}
    for key, stage, number, value in rows:
        if stage == RESCORE:
            again.setdefault(key, []).append((int(number), float(value)))
        else:
            rank = (-sign * float(value), int(number))
            first[key] = min(first.get(key, rank), rank)
    found = [
        {
            "trial": first[key][1],
            "score": -sign * first[key][0],
            "trials": [number for number, _ in scored],
            "mean": fmean(value for _, value in scored),
            "std": stdev([value for _, value in scored]) if len(scored) > 1 else 0.0,
        }
        for key, scored in again.items()
    ]
    return sorted(found, key=lambda one: (-sign * one["mean"], one["trial"]))


def winner(results: Results, rescored: Sequence[dict[str, Any]]) -> str:
    """Return the name of the best checkpoint: of the best mean, if there is one."""
    saved = results.checkpoints
    if rescored:
        mine = saved[saved["trial"].isin([rescored[0]["trial"], *rescored[0]["trials"]])]
        saved = saved if mine.empty else mine
    return str(saved["name"].iloc[0])
