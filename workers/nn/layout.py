"""Where each tensor of a network lies in a member's row of parameters."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.spec import NetworkSpec

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

NARROW: Final = 32


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named tensor of a layer: ``row[start:stop].reshape(shape)``.

    ``turned`` are weights that lie as ``(units, inputs)``. A table of vectors is ``(values,
    embedding size)``.
    """

    name: str
    layer: int
    shape: tuple[int, ...]
    start: int
    stop: int
    turned: bool = False

    @property
    def penalized(self) -> bool:
        """Whether L2 and L1 apply: to weights, never to biases and scales."""
        return len(self.shape) == 2


@dataclass(frozen=True, slots=True)
class Lookup:
    """Inputs that are codes: ``columns`` of them share a table of ``values`` vectors."""

    values: int
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """All tensors of a row: tables, every layer's weights, then the biases, then the scales.

    ``weights[l]`` has shape ``(inputs, units)``, or ``(units, inputs)`` in later layers of
    at most ``NARROW`` units: so the two products of their backward pass take a third less
    time. The first layer needs but one of these, and in wide ones it makes no difference.
    ``scales`` is empty without batch normalization. ``widths`` counts the inputs of each
    layer and, last, the scores. ``tables`` are the vectors of the ``lookups``, by which the codes
    at the end of a network's ``features`` become inputs of the first layer.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    scales: tuple[Tensor, ...]
    widths: tuple[int, ...]
    features: int
    tables: tuple[Tensor, ...] = ()
    lookups: tuple[Lookup, ...] = ()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors in the order of the row."""
        return self.tables + self.weights + self.biases + self.scales

    def fan_in(self, tensor: Tensor) -> int:
        """Return from how many values a unit of the tensor's layer is made; of a vector, one."""
        return 1 if tensor in self.tables else self.widths[tensor.layer]

    @property
    def size(self) -> int:
        """Values in a row."""
        return self.tensors[-1].stop

    @property
    def penalized(self) -> int:
        """Values at the row's beginning to which penalties apply."""
        return self.weights[-1].stop

    @property
    def statistics(self) -> int:
        """Values in a member's row of batch-normalization statistics."""
        return 2 * sum(tensor.stop - tensor.start for tensor in self.scales)


def layout(
    spec: NetworkSpec, *, features: int, scores: int, lookups: tuple[Lookup, ...] = ()
) -> Layout:
    """Return where the tensors of a network with these inputs and scores lie.

    The codes of the ``lookups`` are the last of the ``features``.

    >>> spec = NetworkSpec(hidden=(5,))
    >>> [(t.name, t.start) for t in layout(spec, features=4, scores=3).tensors]
    [('weights.0', 0), ('weights.1', 20), ('bias.0', 35), ('bias.1', 40)]
    >>> [t.shape for t in layout(spec, features=4, scores=3).weights]
    [(4, 5), (3, 5)]
    """
    pieces = spec.maxout_pieces if spec.activation == "maxout" else 1
    codes, size = sum(lookup.columns for lookup in lookups), spec.embedding_size
    widths = (features - codes + codes * size, *spec.hidden, scores)
    units = [*(pieces * width for width in spec.hidden), scores]
    shapes: list[tuple[str, int, tuple[int, ...], bool]] = [
        ("table", number, (lookup.values, size), False) for number, lookup in enumerate(lookups)
    ]
    for layer, (inputs, width) in enumerate(zip(widths, units, strict=False)):
        turned = layer > 0 and width <= NARROW
        shapes.append(("weights", layer, (width, inputs) if turned else (inputs, width), turned))
    shapes += [("bias", layer, (width,), False) for layer, width in enumerate(units)]
    if spec.batch_normalization:
        shapes += [("scale", layer, (width,), False) for layer, width in enumerate(units[:-1])]
    tensors, start = [], 0
    for name, layer, shape, turned in shapes:
        stop = start + math.prod(shape)
        tensors.append(Tensor(f"{name}.{layer}", layer, shape, start, stop, turned))
        start = stop
    tables, rest, count = tensors[: len(lookups)], tensors[len(lookups) :], len(units)
    return Layout(
        tuple(rest[:count]),
        tuple(rest[count : 2 * count]),
        tuple(rest[2 * count :]),
        widths,
        features,
        tuple(tables),
        lookups,
    )


def views(rows: Floats, tensor: Tensor) -> Floats:
    """Return a tensor of all members as a view: ``(members, inputs, units)``.

    So it is however weights lie in the row. A lone member's view is ``(inputs, units)``:
    a 3-D product costs a tiny network a third of its speed.
    """
    stack = rows[:, tensor.start : tensor.stop].reshape(len(rows), *tensor.shape)
    stack = np.swapaxes(stack, 1, 2) if tensor.turned else stack
    return stack[0] if len(rows) == 1 else stack
