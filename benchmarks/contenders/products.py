"""The floor: the matrix products of forward and backward alone, in NumPy's BLAS.

As in hpsearch a lone network works on 2-D views, the first layer needs no gradient on its
inputs, and weights lie in memory as hpsearch's do; nothing is gathered, bent, summed or updated.
"""

import numpy as np
from problems import Problem

from contenders import Epoch
from workers.nn.layout import SMALL


def prepare(problem: Problem) -> Epoch:
    rng = np.random.default_rng(0)
    members, batch = problem.members, problem.batch

    def array(*shape: int) -> np.ndarray:
        values = rng.standard_normal((members, *shape), np.float32) / np.float32(shape[-1])
        return values[0] if members == 1 else values

    def turned(values: np.ndarray) -> np.ndarray:
        return np.swapaxes(values, -1, -2)

    def layer(position: int, inputs: int, units: int) -> np.ndarray:
        if position and inputs * units <= SMALL:
            return turned(array(units, inputs))
        return array(inputs, units)

    pairs = list(zip(problem.widths[:-1], problem.widths[1:], strict=True))
    weights = [layer(position, *pair) for position, pair in enumerate(pairs)]
    into = [layer(position, *pair) for position, pair in enumerate(pairs)]
    below = [rng.standard_normal((batch, problem.features), np.float32)]
    below += [array(batch, width) for width in problem.widths[1:]]
    slopes = [array(batch, width) for width in problem.widths[1:]]
    forward = [(below[i], w, below[i + 1]) for i, w in enumerate(weights)]
    backward = []
    for i in reversed(range(len(weights))):
        backward.append((turned(below[i]), slopes[i], into[i]))
        if i:
            backward.append((slopes[i], turned(weights[i]), slopes[i - 1]))
    products = forward + backward

    def epoch() -> None:
        for _ in range(problem.steps):
            for left, right, out in products:
                np.matmul(left, right, out)

    return epoch
