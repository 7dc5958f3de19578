"""Everything that a config chooses by name, gathered from the families' own tables."""

from collections.abc import Collection, Mapping

from hpsearch.config.sections.pruners import PRUNERS
from hpsearch.config.sections.study import METRICS
from hpsearch.ensembles.selection import METHODS
from hpsearch.sampling.samplers import SAMPLERS
from workers.data.preprocessing import PREPROCESSORS
from workers.nn.families.families import FAMILIES

CHOICES: Mapping[str, Collection[str]] = {
    "study.metric": METRICS,
    "data.preprocess": PREPROCESSORS,
    **{f"network.{field}": table for field, table in FAMILIES.items()},
    "stages.sampler": ("auto", *SAMPLERS),
    "stages.pruner": PRUNERS,
    "ensemble.method": METHODS,
}
"""The names that each key of a config takes."""
