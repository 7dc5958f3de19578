"""Networks of one structure beside each other, and what varies between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.errors import InputError
from workers.nn.families.activations import ACTIVATIONS
from workers.nn.families.losses import LOSSES, scores
from workers.nn.layout import Floats, Integers, Layout, Lookup, layout
from workers.nn.spec import NetworkSpec, rates, structure


@dataclass(frozen=True, slots=True)
class Stack:
    """Members of one structure: their rows ``(members, parameters)`` and what varies.

    ``statistics`` are the rows of batch normalization, ``counts`` ``(members,)`` the
    updates before this epoch, ``activation``, ``loss`` and ``decay`` ``(members,)`` the
    numbers that the kernels of activation, loss and normalization get, ``dropout``
    ``(members, layers)`` the rates from the inputs on; decay and rates in float64, for what
    1 minus them is. The members lie in ``splits`` equal
    parts, one after the other, each with inputs and targets of its own.
    """

    spec: NetworkSpec
    layout: Layout
    rows: Floats
    gradient: Floats
    statistics: Floats
    counts: Integers
    activation: Floats
    loss: Floats
    decay: NDArray[np.float64]
    dropout: NDArray[np.float64]
    splits: int = 1

    @property
    def members(self) -> int:
        """How many networks there are."""
        return len(self.rows)


def plan(
    specs: Sequence[NetworkSpec],
    *,
    features: int,
    outputs: int,
    lookups: tuple[Lookup, ...] = (),
) -> Layout:
    """Return the layout that specs of one structure share.

    Raises
    ------
    InputError
        The structures differ.
    """
    first = specs[0]
    different = [spec for spec in specs if structure(spec) != structure(first)]
    if different:
        raise InputError(
            "members of a pack must share one structure",
            f"{structure(first)} and {structure(different[0])}",
            "group trials by structure",
        )
    width = scores(first.loss, outputs)
    return layout(first, features=features, scores=width, lookups=lookups)


def stack(
    specs: Sequence[NetworkSpec],
    rows: Floats,
    plan: Layout,
    *,
    statistics: Floats | None = None,
    counts: Integers | None = None,
    splits: int = 1,
) -> Stack:
    """Put rows of parameters beside each other; rows and statistics are not copied."""
    first, kind = specs[0], rows.dtype

    def numbers(name: str | None) -> Floats:
        return np.array([getattr(spec, name) if name else 0 for spec in specs], kind)

    return Stack(
        first,
        plan,
        rows,
        np.zeros_like(rows),
        np.zeros((len(specs), plan.statistics), kind) if statistics is None else statistics,
        np.zeros(len(specs), np.int64) if counts is None else counts,
        numbers(ACTIVATIONS[first.activation].parameter),
        numbers(LOSSES[first.loss].parameter),
        np.array([spec.normalization_decay for spec in specs]),
        np.array([rates(spec) for spec in specs]),
        splits,
    )
