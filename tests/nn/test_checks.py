"""The gradient and sanity checks tell right networks from wrong ones."""

from dataclasses import replace

import numpy as np
import pytest

from workers.nn import activations, losses
from workers.nn.gradient_check import check_gradients, failed
from workers.nn.learner import Learner
from workers.nn.sanity_check import check_sanity
from workers.nn.spec import NetworkSpec

X = np.random.default_rng(0).standard_normal((60, 6))
Y = np.random.default_rng(1).integers(0, 3, 60)


def _gradients(spec, x=X, y=Y):
    return check_gradients(spec, x, y, outputs=3, rng=np.random.default_rng(0))


def _sanity(spec, x=X, y=Y):
    return check_sanity(spec, x, y, outputs=3, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec(hidden=(8, 5), activation="tanh", dropout=0.3, l2=0.01),
        NetworkSpec(hidden=(8,), batch_normalization=True, loss="hinge", l1=0.01),
        NetworkSpec(hidden=(), loss="squared_hinge"),
    ],
)
def test_a_right_network_passes(spec):
    findings = _gradients(spec)
    assert not failed(findings)
    assert {f.verdict for f in findings} <= {"right", "acceptable"}
    moments = {f.check for f in findings}
    assert {"data loss, initial", "data loss, after burn-in"} <= moments
    assert ("data loss, dropout, initial" in moments) == bool(spec.dropout)
    assert ("penalty, initial" in moments) == bool(spec.l1 or spec.l2)


def test_a_wrong_slope_is_found(monkeypatch):
    table = dict(activations.ACTIVATIONS)
    wrong = replace(table["tanh"], backward=table["sigmoid"].backward)
    monkeypatch.setattr("workers.nn.network.ACTIVATIONS", table | {"tanh": wrong})
    findings = _gradients(NetworkSpec(hidden=(8,), activation="tanh"))
    by_tensor = {f.subject: f.verdict for f in findings if f.check == "data loss, initial"}
    assert by_tensor["weights.0"] == by_tensor["bias.0"] == "wrong"
    assert by_tensor["weights.1"] == by_tensor["bias.1"] == "right"
    assert failed(findings)


@pytest.mark.parametrize(("activation", "units"), [("relu", 8), ("maxout", 3)])
def test_kinks_are_reported_apart(activation, units):
    # With weights near 0 every pre-activation changes its sign between the two points, and of
    # each pair of pieces the winner changes.
    form = {"hidden": (units,), "activation": activation}
    spec = NetworkSpec(**form, initializer="normal", initial_scale=1e-9)
    found = {f.subject: f for f in _gradients(spec) if f.check == "data loss, initial"}
    assert (found["bias.0"].kinks, found["bias.0"].entries) == (6, 0)
    assert not found["bias.0"].failed
    assert found["bias.1"].kinks == 0


def test_rows_sorted_by_class_are_burnt_in_together(monkeypatch):
    seen = []

    class Spy(Learner):
        def run_epoch(self, x, y, **options):
            seen.append(np.bincount(y, minlength=3))
            return super().run_epoch(x, y, **options)

    monkeypatch.setattr("workers.nn.gradient_check.Learner", Spy)
    x = np.random.default_rng(0).standard_normal((3000, 6))
    _gradients(NetworkSpec(hidden=()), x, np.repeat([0, 1, 2], 1000))
    assert [counts.sum() for counts in seen] == [512, 512]
    assert min(seen[0]) > 512 / 3 - 5 * (512 * 2 / 9) ** 0.5


def test_a_sane_network_passes():
    assert not failed(_sanity(NetworkSpec(hidden=(20,), learning_rate=0.1)))


def test_contradicting_labels_cannot_be_learned():
    found = {f.check: f for f in _sanity(NetworkSpec(hidden=(20,)), x=np.ones_like(X))}
    assert found["tiny subset"].failed


def test_exploding_initial_weights_are_found():
    findings = _sanity(NetworkSpec(hidden=(20,), initializer="normal", initial_scale=10.0))
    assert [f.subject for f in findings if f.failed and f.check == "initial loss"] == [
        "the config's weights"
    ]


def test_a_wrong_loss_is_not_at_chance(monkeypatch):
    table = dict(losses.LOSSES)
    wrong = replace(table["softmax"], kernel=table["hinge"].kernel)
    monkeypatch.setattr("workers.nn.evaluation.LOSSES", table | {"softmax": wrong})
    findings = _sanity(NetworkSpec(hidden=(20,)))
    assert any(f.subject == "tiny weights" and f.failed for f in findings)


def test_regression_is_checked_against_its_own_chance():
    spec = NetworkSpec(hidden=(20,), loss="squared_error", optimizer="adam", learning_rate=0.01)
    findings = check_sanity(spec, X, X[:, :2], outputs=2, rng=np.random.default_rng(0))
    assert not failed(findings)
