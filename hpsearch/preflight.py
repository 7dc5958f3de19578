"""Checks before the flight: gradients and sanity of a config's networks on its data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch import datasets, machine
from hpsearch.config import SearchConfig
from hpsearch.datasets import Split
from hpsearch.scales import from_unit
from hpsearch.settings import lint, sizes
from hpsearch.settings.dimensions import FixedDimension, FloatDimension, IntDimension
from workers.nn.gradient_check import Finding, check_gradients
from workers.nn.sanity_check import check_sanity
from workers.nn.spec import NetworkSpec
from workers.seeds import Purpose, generator

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
    if warn is not None:
        for line in lint.target_warnings(config, split.dataset.y_train):
            warn(line)
    return split


def preflight(config: SearchConfig, warn: Warn | None = None) -> list[Preflight]:
    """Check the network in the middle of every range, and one for each other choice.

    Raises as :func:`load_data` does, and if a network does not fit into memory.
    """
    data = load_data(config, warn).dataset
    sizes.check(config, data, machine.memory())

    def check(params: Mapping[str, Any], spec: NetworkSpec) -> Preflight:
        findings = []
        rows = data.prepared(spec.preprocess)
        for run_check in (check_gradients, check_sanity):
            rng = generator(config.study.seed, Purpose.CHECK)
            findings += run_check(spec, rows.x_train, rows.y_train, outputs=rows.outputs, rng=rng)
        return Preflight(params, tuple(findings))

    return [check(params, config.spec(params)) for params in _samples(config)]


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
