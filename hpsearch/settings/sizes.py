"""What the largest network of a search needs, before any of them is made."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hpsearch.settings.networks import corners, widest
from workers.data import Dataset
from workers.errors import InputError
from workers.nn.layout import layout
from workers.nn.losses import scores
from workers.nn.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from hpsearch.config import SearchConfig


def check(config: "SearchConfig", data: Dataset) -> None:
    """Raise InputError if this machine's memory can't hold a network of the search.

    Counted is what one trial in training needs at least, so a network for each split: its
    parameters, their gradient, the optimizer's memory, the running average, and a
    mini-batch's activations with their gradient; each hyperparameter at its largest.
    """
    networks = [config.network, *corners(config.network, config.search_space)]
    features = max(data.prepared(chain).features for chain in (*config.chains, None))
    copies = 2 + (config.checkpoint.ema_decay > 0)
    copies += max(len(OPTIMIZERS[spec.optimizer].slots) for spec in networks)
    sizes = [data.rows if spec.batch_size == "full" else spec.batch_size for spec in networks]
    batch = min(max(sizes), data.rows)
    bent = "maxout" if any(spec.activation == "maxout" for spec in networks) else "relu"
    pieces = max(spec.maxout_pieces for spec in networks)
    limit = machine_bytes()
    for spec in [*networks, widest(config.network, config.search_space)]:
        largest = replace(spec, activation=bent, maxout_pieces=pieces)
        plan = layout(largest, features=features, scores=scores(spec.loss, data.outputs))
        activations = 2 * batch * sum(bias.stop - bias.start for bias in plan.biases)
        needed = 4 * len(data.splits) * (copies * plan.size + activations)
        if needed > limit:
            raise InputError(
                "a network in training must fit into this machine's memory",
                f"hidden {_brief(spec.hidden)} and batch_size {batch:,}: {plan.size:,} parameters,"
                f" {needed / 1e9:,.0f} GB or more, with {limit / 1e9:,.0f} GB here",
                f"lower {'batch_size' if activations > copies * plan.size else 'hidden'}",
            )


def machine_bytes() -> int:
    """Return how much memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _brief(hidden: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, hidden[:4]))
    return f"[{shown}, ...]" if len(hidden) > 4 else f"[{shown}]"
