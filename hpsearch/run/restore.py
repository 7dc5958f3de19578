"""A search as its run's database has it."""

from collections.abc import Iterable

from hpsearch.config.search_config import SearchConfig
from hpsearch.narrowing.verdicts import Verdict
from hpsearch.search.search import Search
from hpsearch.search.stage_sequence import PastStage
from hpsearch.search.trials import TrialRecord
from hpsearch.space.space import SearchSpace, tuples
from hpsearch.storage.store import Store
from workers.data.dataset import Dataset
from workers.messages import EpochReport
from workers.nn.families.losses import scores
from workers.nn.layout import layout
from workers.nn.spec import NetworkSpec


def prepare(config: SearchConfig, store: Store, data: Dataset, *, workers: int) -> Search:
    """Return the search as the store has it: new, or taken up where it was interrupted."""

    def parameter_count(spec: NetworkSpec) -> int:
        width = scores(spec.loss, data.outputs)
        rows = data.prepared(spec.preprocess)
        return layout(spec, features=rows.features, scores=width, lookups=rows.lookups).size

    search = Search(config, workers=workers, parameter_count=parameter_count)
    stages = [
        PastStage(
            SearchSpace.from_json(row.space),
            tuple(map(Verdict.from_json, row.verdicts)) if row.state == "complete" else None,
            row.first,
        )
        for row in store.stages()
    ]
    reports = [
        EpochReport(row.trial, row.attempt, row.epoch, row.metrics, row.seconds, row.checkpoint)
        for row in store.epochs()
    ]
    search.restore(stages, _records(config, store), reports)
    return search


def _records(config: SearchConfig, store: Store) -> Iterable[TrialRecord]:
    for row in store.trials():
        params = {name: tuples(value) for name, value in row.params.items()}
        yield TrialRecord(
            number=row.number,
            stage=row.stage,
            params=params,
            spec=config.spec(params),
            epochs=row.epochs,
            state=row.state,
            attempt=row.attempt,
            failures=row.failures,
            reason=row.reason,
        )
