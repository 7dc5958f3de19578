"""The strategies on LCBench's learning curves, paired by instance and seed."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from loop import Loop
from paired import Values, cells, interval
from peers import PEERS, optimize
from simulated import Simulated
from strategies import DEFAULT, strategies
from surrogate import EPOCHS, NETWORK, SPACES, Instance
from tables import table

from hpsearch.config.loading import build
from hpsearch.config.search_config import SearchConfig
from workers.nn.spec import NetworkSpec

PARAMETERS = 10**6
"""Networks so large that each is trained alone."""

RIVALS = {f"random, {EPOCHS} epochs each": "random", DEFAULT: "the default"}
"""What every strategy is compared with, by name, and what it is called there."""


class Found(NamedTuple):
    """The network that a search chose, the epochs it used, and the ticks of the clock."""

    spec: NetworkSpec
    epochs: int
    ticks: int


Find = Callable[[SearchConfig, Instance], Found]


def compare(
    places: Sequence[Instance], *, budget: int, workers: int, seeds: int, only: Sequence[str]
) -> str:
    """Return the table of one setting; ``only`` selects strategies by a part of the name.

    Of the strategies that all are compared with, those that are not selected are left out.
    """
    dims = places[0].dims
    regrets, rows = dict[str, Values](), list[list[str]]()
    for name, (document, find) in contenders(dims, budget, workers).items():
        if not any(text in name for text in only):
            continue
        began = time.process_time()
        found = [[find(seeded(document, s), place) for s in range(seeds)] for place in places]
        seconds = (time.process_time() - began) / (len(places) * seeds)
        regrets[name] = np.array(
            [
                np.mean([place.regret(one.spec) for one in some])
                for place, some in zip(places, found, strict=True)
            ]
        )
        low, high = interval(regrets[name])
        regret = f"{regrets[name].mean():.3f} [{low:.3f}, {high:.3f}]"
        epochs = np.mean([one.epochs for some in found for one in some])
        gain = epochs / np.mean([one.ticks for some in found for one in some])
        rows.append([name, regret, f"{epochs:.0f}", f"{gain:.1f}", f"{seconds:.1f}"])
    rivals = [rival for rival in RIVALS if rival in regrets]
    for row in rows:
        row[2:2] = [cell for rival in rivals for cell in cells(regrets, row[0], rival)]
    title = f"{dims} dimensions, {budget} epochs, {workers} worker{'s' * (workers > 1)}"
    against = [text for rival in rivals for text in (f"over {RIVALS[rival]}", "lower on")]
    return table([title, "regret", *against, "epochs", "speed-up", "s a search"], rows)


def seeded(document: Mapping[str, Any], seed: int) -> SearchConfig:
    return build({**document, "study": {"name": "quality", "seed": seed}})


def contenders(dims: int, budget: int, workers: int) -> dict[str, tuple[dict[str, Any], Find]]:
    """Return each strategy's config, but for its study, and what runs it."""
    base: Mapping[str, Any] = {
        "data": {"source": "digits"},
        "network": NETWORK,
        "search_space": SPACES[dims],
        "checkpoint": {"keep_top": 1},
        "ensemble": {"size": 1},
    }

    def ours(config: SearchConfig, place: Instance) -> Found:
        executor = Simulated(place.curves, workers=workers)
        loop = Loop(config, executor, parameters=PARAMETERS)
        best = loop.run(budget)
        return Found(best.spec, loop.epochs, executor.ticks)

    def peer(name: str) -> Find:
        def find(config: SearchConfig, place: Instance) -> Found:
            spec, ticks = optimize(
                PEERS[name], config, place.curves, final=EPOCHS, budget=budget, workers=workers
            )
            return Found(spec, budget, ticks)

        return find

    own = {name: ({**base, **some}, ours) for name, some in strategies(EPOCHS, budget).items()}
    whole = {"stages": [{"name": "only", "num_trials": 1, "epochs": EPOCHS}]}
    return own | {name: ({**base, **whole}, peer(name)) for name in PEERS}
