"""The check of float32 finds what only float64 survives, and accuses nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from workers.nn.checks.precision_check import check_precision
from workers.nn.families import activations
from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.spec import NetworkSpec

DIGITS, CLASSES = load_digits(return_X_y=True)
DIGITS = DIGITS / 16


def found(spec, x=DIGITS, y=CLASSES, outputs=10, seed=0):
    findings = check_precision(spec, x, y, outputs=outputs, rng=np.random.default_rng(seed))
    return {finding.subject: finding for finding in findings}


def _adafactor_of_products(clock, rates, knobs, segments, scales, rows, gradient, memory):
    """Divide by the root of a product of means, as written in the paper, and step."""
    old = 1 - rates[clock[0], 0, 4] ** -0.8
    for start, stop, _, height, width in segments:
        x, g = rows[0, start:stop], gradient[0, start:stop].reshape(height, width)
        squares, means = g * g + x.dtype.type(1e-30), memory[0, 0, start:stop]
        if height + width < stop - start:
            kept = means[: height + width]
            kept *= old
            kept += (1 - old) * np.concatenate([squares.mean(axis=1), squares.mean(axis=0)])
            share = kept[:height] * x.dtype.type(height) / kept[:height].sum()
            step = g / np.sqrt(np.outer(share, kept[height:]))
        else:
            means[:] = old * means + (1 - old) * squares.ravel()
            step = g / np.sqrt(means.reshape(height, width))
        size = max(1e-3, np.sqrt(np.mean(x * x))) / max(1.0, np.sqrt(np.mean(step * step)))
        x -= rates[clock[0], 0, 0] * size * step.ravel()


def test_a_product_that_vanishes_in_float32_only_is_found(monkeypatch):
    spec = NetworkSpec(hidden=(64,), optimizer="adafactor")
    assert not any(finding.failed for finding in found(spec).values())
    wrong = replace(OPTIMIZERS["adafactor"], update=_adafactor_of_products)
    monkeypatch.setattr("workers.nn.training.updates.OPTIMIZERS", OPTIMIZERS | {"adafactor": wrong})
    findings = found(spec)
    assert findings["updates by adafactor"].verdict == "wrong"
    assert np.isnan(findings["updates by adafactor"].value)
    assert findings["gradients"].verdict == "right"


def test_a_gradient_that_float32_loses_is_found(monkeypatch):
    sigmoid = activations.ACTIVATIONS["sigmoid"]

    def backward(d, a, gradient, bias, number, out):
        sigmoid.backward(d, a, gradient, bias, number, out)
        out *= d.dtype.type(1e30)
        out *= out.dtype.type(1e30)
        out *= out.dtype.type(1e-30)
        out *= out.dtype.type(1e-30)

    wrong = activations.ACTIVATIONS | {"sigmoid": replace(sigmoid, backward=backward)}
    spec = NetworkSpec(hidden=(16,), activation="sigmoid")
    assert found(spec)["gradients"].verdict == "right"
    monkeypatch.setattr("workers.nn.network.network.ACTIVATIONS", wrong)
    assert found(spec)["gradients"].verdict == "wrong"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_normalization": True, "hidden": (16, 8), "learning_rate": 1.0},
        {"l1": 1e-2, "l2": 1e-2, "max_norm": 0.5, "dropout": 0.4, "input_dropout": 0.1},
        {"clip_norm": 1e-3, "fan_in_scaling": True, "batch_size": "full"},
        {"hidden": (16,) * 8, "activation": "maxout", "learning_rate": 100.0},
    ],
)
def test_what_float32_computes_is_not_accused(optimizer, options):
    spec = NetworkSpec(**{"hidden": (16,), "optimizer": optimizer} | options)
    for seed in range(3):
        findings = found(spec, seed=seed)
        assert not any(finding.failed for finding in findings.values()), findings
        assert len(findings) == (1 if optimizer == "lbfgs" else 2)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_holds_in_float32(loss):
    y = {True: CLASSES % 2, False: CLASSES}[LOSSES[loss].one_score]
    if LOSSES[loss].task == "regression":
        y = DIGITS[:, 10:20] - 0.5
    spec = NetworkSpec(hidden=(16,), loss=loss, learning_rate=1e-3)
    findings = found(spec, y=y, outputs=2 if LOSSES[loss].one_score else 10)
    assert {finding.verdict for finding in findings.values()} == {"right"}


def test_rounding_that_crosses_a_kink_is_no_failure():
    # After a step of 1 in every weight, saturated units of +-1 tie exactly.
    x = np.random.default_rng(0).standard_normal((200, 8))
    x[:, :2] = 0.5, 0
    y = np.random.default_rng(1).integers(0, 3, 200)
    spec = NetworkSpec(
        hidden=(16, 8),
        activation="hard_tanh",
        batch_normalization=True,
        optimizer="adam",
        learning_rate=1.0,
        loss="squared_hinge",
    )
    findings = found(spec, x, y, outputs=3)
    assert findings["gradients"].verdict == "right"
    assert findings["gradients"].remark == "19 steps"


def test_training_that_diverges_ends_the_comparison():
    x, y = DIGITS, DIGITS[:, :2] - 0.5
    spec = NetworkSpec(hidden=(16, 16), loss="squared_error", learning_rate=1e6)
    findings = found(spec, x, y, outputs=2)
    assert {finding.verdict for finding in findings.values()} == {"right"}
    assert findings["gradients"].remark == "1 step"
