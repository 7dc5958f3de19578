"""hpsearch: the whole stack through ``Learner.run_epoch``."""

import numpy as np
from problems import Problem

from contenders import Epoch
from workers.nn.training.learner import Learner


def prepare(problem: Problem) -> Epoch:
    x, y, order = problem.data()
    learner = Learner(
        [problem.spec] * problem.members,
        features=problem.features,
        outputs=problem.classes,
        epochs=1_000_000,
        rows=problem.rows,
        ema_decay=problem.ema_decay,
        initial=problem.generators(),
    )
    validation = problem.rows // 4
    epochs = iter(range(1, 1_000_000))

    def epoch() -> float:
        number = next(epochs)
        keys = [number + 1000 * member for member in range(problem.members)]
        probe = learner.probe() if problem.diagnostics else None
        losses = learner.run_epoch(x, y, order=order, epoch=number, dropout_keys=keys, probe=probe)
        if problem.evaluate:
            learner.evaluate(x[:validation], y[:validation], probe=probe)
        if probe:
            probe.layers()
        if not np.isfinite(losses).all():
            raise ArithmeticError(f"a loss is not finite: {losses}")
        return float(losses[0])

    return epoch
