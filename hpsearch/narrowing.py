"""The verdicts of any run's stages, without training: what ``hpsearch narrow`` prints."""

from pathlib import Path
from typing import Any

from hpsearch.folder import RunFolder
from hpsearch.space import SearchSpace
from hpsearch.sqlite.rows import StageRow, TrialRow
from hpsearch.stages import StageResult, conclude
from hpsearch.store import Store


def verdicts(path: Path) -> list[dict[str, Any]]:
    """Return each stage's name, state and verdicts, as JSON has them.

    A stage that is over has the verdicts of its end. One in progress is judged by the
    trials that have ended so far.

    Raises
    ------
    InputError
        If ``path`` is no run.
    """
    folder = RunFolder(path)
    folder.check()
    config = folder.load_config()
    with Store.read(folder.database) as store, store.transaction():
        stages, trials = store.stages(), store.trials()

    def judged(stage: StageRow) -> list[Any]:
        if stage.state == "complete" or stage.number >= len(config.stages):
            return list(stage.verdicts)
        results = [
            StageResult(row.number, row.params, config.study.sign * row.best_score)
            for row in trials
            if row.stage == stage.number and _counts(row) and row.best_score is not None
        ]
        space = SearchSpace.from_json(stage.space)
        return [v.to_json() for v in conclude(config, stage.number, space, results)[1]]

    return [{"stage": s.name, "state": s.state, "verdicts": judged(s)} for s in stages]


def _counts(row: TrialRow) -> bool:
    return row.state in ("complete", "pruned")
