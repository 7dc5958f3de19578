"""Checks before the flight: gradients, precision and sanity of a config's networks on its data."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from hpsearch.config.network import corners
from hpsearch.config.search_config import SearchConfig
from hpsearch.config.target_warnings import target_warnings
from hpsearch.data import datasets
from hpsearch.data.datasets import Split
from hpsearch.execution.cluster import machine
from hpsearch.run import memory_check
from hpsearch.space.dimensions import FixedDimension, FloatDimension, IntDimension
from hpsearch.space.scales import from_unit
from workers.data.dataset import Dataset
from workers.nn.checks.gradient_check import Finding, Verdict, check_gradients
from workers.nn.checks.precision_check import check_precision
from workers.nn.checks.sanity_check import check_sanity
from workers.nn.spec import NetworkSpec
from workers.seeds import Purpose, generator
from workers.training.class_weights import row_weights

Warn = Callable[[str], None]
"""Called with one line about what can be searched but looks unintended."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """The findings about one network of the search, and what it was made of."""

    params: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(finding.failed for finding in self.findings)


def load_data(config: SearchConfig, warn: Warn | None = None) -> Split:
    """Read a config's data, and check that its networks fit them.

    Raises
    ------
    InputError
        If the data can't be used, or a network does not fit them.
    """
    split = datasets.load(config.data, seed=config.study.seed, chains=config.chains)
    config.check_outputs(split.dataset.outputs)
    for spec in (config.network, *corners(config.network, config.search_space)):
        row_weights(spec, split.dataset.splits)
    if warn is not None:
        for line in target_warnings(config, split.dataset.y_train):
            warn(line)
    return split


def preflight(config: SearchConfig, warn: Warn | None = None) -> list[Preflight]:
    """Check the network in the middle of every range, and one for each other choice.

    Where the data have several splits it is checked on each, and the worst is told.

    Raises as :func:`load_data` does, and if a network does not fit into memory.
    """
    data = load_data(config, warn).dataset
    memory_check.check(config, data, machine.memory())
    return [
        Preflight(params, _findings(config, config.spec(params), data))
        for params in _samples(config)
    ]


def _findings(config: SearchConfig, spec: NetworkSpec, data: Dataset) -> tuple[Finding, ...]:
    """Check a network on each split of the data, and return the worst of each finding."""
    found: list[list[Finding]] = []
    for number, rows in enumerate(data.prepared(spec.preprocess).splits):
        found.append([])
        for run_check in (check_gradients, check_precision, check_sanity):
            rng = generator(config.study.seed, Purpose.CHECK, split=number)
            shape: dict[str, Any] = {"outputs": rows.outputs, "lookups": rows.lookups}
            if run_check is check_gradients:
                weights = row_weights(spec, [rows])
                shape["weights"] = weights[0] if weights else None
            found[-1] += run_check(spec, rows.x_train, rows.y_train, **shape, rng=rng)
    return tuple(_worst(of_splits) for of_splits in zip(*found, strict=True))


def _worst(of_splits: Sequence[Finding]) -> Finding:
    """Return the finding whose verdict, then whose value is worst, with its split's number."""

    def badness(number: int) -> tuple[int, float]:
        finding = of_splits[number]
        value = finding.value if math.isfinite(finding.value) else math.inf
        return get_args(Verdict).index(finding.verdict), value

    if len(of_splits) == 1:
        return of_splits[0]
    worst = max(range(len(of_splits)), key=badness)
    finding, where = of_splits[worst], f"split {worst + 1}"
    return replace(finding, remark=f"{finding.remark}; {where}" if finding.remark else where)


def _samples(config: SearchConfig) -> Iterator[dict[str, Any]]:
    """Yield the middle of all ranges with each first choice, then every other choice."""
    middle: dict[str, Any] = {}
    others: list[tuple[str, Any]] = []
    for name, dimension in config.search_space.items():
        if isinstance(dimension, FloatDimension | IntDimension):
            middle[name] = from_unit(dimension, 0.5)
        elif isinstance(dimension, FixedDimension):
            middle[name] = dimension.value
        else:
            middle[name] = dimension.choices[0]
            others += [(name, choice) for choice in dimension.choices[1:]]
    yield middle
    for name, choice in others:
        yield middle | {name: choice}
