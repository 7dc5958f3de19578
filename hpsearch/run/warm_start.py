"""Points to try first, from the results of an earlier run."""

from pathlib import Path

from hpsearch.config.loading import build
from hpsearch.config.search_config import SearchConfig
from hpsearch.sampling.samplers import key
from hpsearch.space.space import describe, text_of
from hpsearch.storage.folder import RunFolder
from hpsearch.storage.store import Store

MOST = 10
"""How many of an earlier run's best trials are taken at most."""


def warm_start(config: SearchConfig, path: Path) -> tuple[SearchConfig, list[str]]:
    """Return the config with the best trials of the run at ``path`` enqueued, and notes.

    Taken are the best that fit, at most `MOST`, and not more than the first stage has room
    for. The notes say in one line each which point lies outside the ranges. Dimensions
    that the earlier run did not have are sampled.

    Raises
    ------
    InputError
        If ``path`` is no run.
    """
    folder = RunFolder(path)
    folder.check()
    with Store.read(folder.database) as store:
        sign = 1 if store.meta()["direction"] == "maximize" else -1
        rows = [r for r in store.trials() if r.state == "complete" and r.best_score is not None]
    rows.sort(key=lambda row: (-sign * (row.best_score or 0.0), row.number))
    space, notes = config.search_space, list[str]()
    points = [dict(point) for point in config.enqueue]
    room = min(len(points) + MOST, config.stages[0].num_trials)
    for row in rows:
        if len(points) >= room:
            break
        point = {name: row.params[name] for name in space.free if name in row.params}
        outside = [name for name, value in point.items() if not space.takes(name, value)]
        for name in outside:
            inside = f"{name} {text_of(point[name])} lies outside {describe(space[name])}"
            notes.append(f"trial {row.number} of {path}: {inside}; not taken")
        if point and not outside and key(point) not in map(key, points):
            points.append(point)
    return build({**config.document, "enqueue": points}), notes
