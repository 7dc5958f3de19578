"""Everything that a config chooses by name, gathered from the families' own tables."""

from collections.abc import Collection, Mapping
from typing import get_args

from hpsearch.config.sections.data import FileFormat
from hpsearch.config.sections.outputs import EnsembleMethod
from hpsearch.config.sections.pruners import PRUNERS
from hpsearch.config.sections.stages import SamplerName
from hpsearch.config.sections.study import METRICS
from workers.data.preprocessing import PREPROCESSORS
from workers.nn.families.families import FAMILIES

CHOICES: Mapping[str, Collection[str]] = {
    "study.metric": METRICS,
    "data.format": get_args(FileFormat),
    "data.preprocess": PREPROCESSORS,
    **{f"network.{field}": table for field, table in FAMILIES.items()},
    "stages.sampler": get_args(SamplerName),
    "stages.pruner": PRUNERS,
    "ensemble.method": get_args(EnsembleMethod),
}
"""The names that each key of a config takes."""
