"""What the largest network of a search needs, before any of them is made."""

from dataclasses import replace
from typing import TYPE_CHECKING

from hpsearch.config.network import corners, widest
from hpsearch.execution.cluster.machine import Memory
from hpsearch.space.space import SearchSpace
from workers.data.dataset import Dataset
from workers.errors import InputError, RunError
from workers.nn.families.losses import scores
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.layout import layout

if TYPE_CHECKING:
    from hpsearch.config.search_config import SearchConfig


def check(
    config: "SearchConfig", data: Dataset, memory: Memory, space: SearchSpace | None = None
) -> None:
    """Raise InputError if memory can't hold a network of the search, or of a ``space`` of it.

    Counted is what one trial in training needs at least, so a network for each split: its
    parameters, their gradient, the optimizer's memory, the running average, and a
    mini-batch's activations with their gradient; each hyperparameter at its largest.
    """
    space = config.search_space if space is None else space
    networks = [config.network, *corners(config.network, space)]
    features = max(data.prepared(chain).features for chain in (*config.chains, None))
    copies = 2 + 2 * (config.checkpoint.ema_decay > 0)  # the average is of float64
    copies += max(len(OPTIMIZERS[spec.optimizer].slots) for spec in networks)
    sizes = [data.rows if spec.batch_size == "full" else spec.batch_size for spec in networks]
    batch = min(max(sizes), data.rows)
    bent = "maxout" if any(spec.activation == "maxout" for spec in networks) else "relu"
    pieces = max(spec.maxout_pieces for spec in networks)
    for spec in [*networks, widest(config.network, space)]:
        largest = replace(spec, activation=bent, maxout_pieces=pieces)
        width = scores(spec.loss, data.outputs)
        plan = layout(largest, features=features, scores=width, lookups=data.lookups)
        activations = 2 * batch * sum(bias.stop - bias.start for bias in plan.biases)
        needed = 4 * len(data.splits) * (copies * plan.size + activations)
        if needed > memory.size_bytes:
            there = f"{_gigabytes(memory.size_bytes)} {memory.where}"
            raise InputError(
                "a network in training must fit into the memory that it may use",
                f"hidden {_brief(spec.hidden)} and batch_size {batch:,}: {plan.size:,} parameters,"
                f" {_gigabytes(needed)} or more, with {there}",
                f"lower {'batch_size' if activations > copies * plan.size else 'hidden'}",
            )


def check_grown(config: "SearchConfig", data: Dataset, memory: Memory, space: SearchSpace) -> None:
    """Raise RunError if memory can't hold a network of a stage's ranges, which may have grown.

    They are not cut to what there is: the search would then come to other numbers here than
    elsewhere.
    """
    try:
        check(config, data, memory, space)
    except InputError as error:
        raise RunError(
            f"ranges that have grown at a border (at_border: extend) hold networks too large for"
            f" the memory: {error.value}; resume where there is more, or begin a new run with"
            " at_border: warn"
        ) from error


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.{1 if count < 1e10 else 0}f} GB"


def _brief(hidden: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, hidden[:4]))
    return f"[{shown}, ...]" if len(hidden) > 4 else f"[{shown}]"
