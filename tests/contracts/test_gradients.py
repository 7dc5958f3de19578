"""Every activation with every loss, normalized or not, alone and stacked: right gradients."""

from dataclasses import replace

import numpy as np
import pytest

from workers.nn.families.activations import ACTIVATIONS
from workers.nn.families.initializers import initial
from workers.nn.families.losses import LOSSES
from workers.nn.layout import views
from workers.nn.network.evaluation import row_weights, targets
from workers.nn.network.network import Passes, loss_calls
from workers.nn.network.stack import plan, stack
from workers.nn.spec import NetworkSpec

BATCH, FEATURES = 6, 5


def _problem(spec, members, *, sizes=(1, 1, 1, 1, 1), dtype=np.float64):
    """Return a function from rows to (losses, gradients), and the first rows.

    ``sizes`` are those of the features; weights into the first layer have the inverse of what
    is above 1, so that the scores stay as they are.
    """
    loss = LOSSES[spec.loss]
    outputs = 2 if loss.one_score else 3
    layout = plan([spec], features=FEATURES, outputs=outputs)
    specs = [replace(spec, margin=1 + 0.1 * m, label_smoothing=0.1 * m) for m in range(members)]
    start = np.stack([initial(spec, layout, rng=np.random.default_rng(m)) for m in range(members)])
    start[:, layout.penalized :] += np.random.default_rng(7).normal(
        0, 0.3, start[:, layout.penalized :].shape
    )
    first = views(start, layout.weights[0])
    first /= np.maximum(sizes, 1)[:, np.newaxis]
    start = start.astype(dtype)
    net = stack(specs, start.copy(), layout)
    keys = np.arange(members, dtype=np.uint64)
    passes = Passes(net, BATCH, training=True, keys=keys, clock=np.zeros(2, np.int64))
    passes.inputs[...] = np.random.default_rng(3).standard_normal((BATCH, FEATURES)) * sizes
    regression = loss.task == "regression"
    shape = (BATCH, outputs) if regression else BATCH
    y = np.random.default_rng(4).integers(0, outputs, shape)
    totals = np.zeros(members)
    calls = loss_calls(passes, targets(net, y), row_weights(net, None), totals)

    def evaluate(rows):
        net.rows[...] = rows
        totals[:] = 0
        with np.errstate(over="ignore"):
            for call in calls:
                call()
        return totals / BATCH, net.gradient.copy()

    return evaluate, start, layout


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_is_the_slope_of_the_loss(activation, loss, normalized, members):
    spec = NetworkSpec(
        hidden=(6, 4),
        activation=activation,
        loss=loss,
        batch_normalization=normalized,
        dropout=(0.2, 0.0),
        input_dropout=0.1,
    )
    evaluate, rows, layout = _problem(spec, members)
    _, gradient = evaluate(rows)
    rng = np.random.default_rng(5)
    for tensor in layout.tensors:
        for entry in rng.choice(np.arange(tensor.start, tensor.stop), 3):
            step = np.zeros_like(rows)
            step[:, entry] = 1e-6
            numeric = (evaluate(rows + step)[0] - evaluate(rows - step)[0]) / 2e-6
            np.testing.assert_allclose(gradient[:, entry], numeric, rtol=1e-5, atol=2e-8)


# Some 100 roundings, of terms up to 0.1 where their sum is less.
DIGITS = 100 * np.finfo(np.float32).eps


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_in_float32_is_that_of_float64(activation, loss, normalized):
    """Where inputs are 0, tiny or huge, so are the gradients of their weights."""
    spec = NetworkSpec(
        hidden=(6, 4), activation=activation, loss=loss, batch_normalization=normalized
    )
    sizes = (1.0, 0.0, 1e-30, 1e15, 1.0)
    found = []
    for dtype in (np.float64, np.float32):
        evaluate, rows, layout = _problem(spec, 2, sizes=sizes, dtype=dtype)
        _, gradient = evaluate(rows)
        assert gradient.dtype == dtype
        gradient = gradient.astype(np.float64)
        first = views(gradient, layout.weights[0])
        assert not first[:, 1].any()
        first /= np.where(np.array(sizes) == 0, 1, sizes)[:, np.newaxis]
        found.append(gradient)
    double, single = found
    for tensor in layout.tensors:
        part = np.s_[:, tensor.start : tensor.stop]
        bound = DIGITS * np.abs(double[part]).max(initial=0.1)
        np.testing.assert_allclose(single[part], double[part], rtol=0, atol=bound)


def test_stacked_gradients_are_those_of_each_member_alone():
    spec = NetworkSpec(hidden=(6, 4), activation="maxout", batch_normalization=True)
    together, rows, _ = _problem(spec, 3)
    alone, _, _ = _problem(spec, 1)
    np.testing.assert_array_equal(together(rows)[1][:1], alone(rows[:1])[1])
