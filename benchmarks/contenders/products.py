"""The floor: the matrix products of forward and backward alone, in NumPy's BLAS.

The products are hpsearch's own calls: a lone network works on 2-D views, the first layer needs
no gradient on its inputs, weights lie in memory as hpsearch's do. Nothing is gathered, bent,
summed or updated.
"""

import numpy as np
from problems import Problem

from contenders import Epoch
from workers.nn.network.network import Passes
from workers.nn.network.products import turn
from workers.nn.network.stack import stack


def prepare(problem: Problem) -> Epoch:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((problem.members, problem.layout.size)).astype(np.float32)
    net = stack([problem.spec] * problem.members, rows / np.float32(100), problem.layout)
    passes = Passes(net, problem.batch, training=True, keys=None, clock=np.zeros(2, np.int64))
    passes.inputs[...] = rng.standard_normal(passes.inputs.shape)
    kinds = (np.matmul, np.dot, turn)
    calls = [call for call in passes.forward + passes.backward if call.func in kinds]

    def epoch() -> None:
        for _ in range(problem.steps):
            for call in calls:
                call()

    return epoch
