"""L-BFGS on the full batch, SciPy's, for one member at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.layout import Floats
from workers.nn.network.network import Passes, loss_calls
from workers.nn.network.regularizers import penalty
from workers.nn.network.stack import Stack


def minimize(net: Stack, x: NDArray[Any], targets: NDArray[Any], row_weights: Floats) -> float:
    """Move a lone member's row by ``lbfgs_iterations``; return the data loss reached.

    The rule's memory of curvature begins anew with every call, so that a checkpoint holds
    no more than the row. Batch normalization ends with the full batch's statistics.
    """
    from scipy.optimize import minimize as scipy_minimize  # its import takes 0.2 s

    spec, weights = net.spec, net.layout.penalized
    passes = Passes(net, len(x), training=True, keys=None, clock=np.zeros(2, np.int64))
    passes.inputs[0] = x
    totals = np.zeros(1)
    calls = loss_calls(passes, targets, row_weights, totals)

    def objective(values: NDArray[np.float64]) -> tuple[np.float64, NDArray[np.float64]]:
        net.rows[0] = values
        totals[:] = 0
        for call in calls:
            call()
        slope = net.gradient[0].astype(np.float64)
        row: Floats = net.rows[0, :weights].astype(np.float64)
        slope[:weights] += spec.l2 * row + spec.l1 * np.sign(row)
        value = totals[0] / len(x) + penalty(row, weights, l2=spec.l2, l1=spec.l1)
        return np.float64(value), slope

    start = net.rows[0].astype(np.float64)
    with np.errstate(all="ignore"):
        found = scipy_minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": spec.lbfgs_iterations},
        )
        objective(found.x)
    return float(totals[0] / len(x))
