"""The gradient and sanity checks tell right networks from wrong ones."""

from dataclasses import replace

import numpy as np
import pytest

from workers.nn.checks import checked_losses
from workers.nn.checks.gradient_check import check_gradients, failed
from workers.nn.checks.sanity_check import check_sanity
from workers.nn.families import activations, losses
from workers.nn.families.initializers import initial
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

X = np.random.default_rng(0).standard_normal((60, 6))
Y = np.random.default_rng(1).integers(0, 3, 60)


MOMENTS = ("initial", "after burn-in")


def _gradients(spec, x=X, y=Y, seed=0):
    return check_gradients(spec, x, y, outputs=3, rng=np.random.default_rng(seed))


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
    monkeypatch.setattr("workers.nn.network.network.ACTIVATIONS", table | {"tanh": wrong})
    findings = _gradients(NetworkSpec(hidden=(8,), activation="tanh"))
    by_tensor = {f.subject: f.verdict for f in findings if f.check == "data loss, initial"}
    assert by_tensor["weights.0"] == by_tensor["bias.0"] == "wrong"
    assert by_tensor["weights.1"] == by_tensor["bias.1"] == "right"
    assert failed(findings)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", ["tanh", "relu", "maxout"])
def test_a_slope_wrong_by_1e_5_is_found(name, seed, monkeypatch):
    table, right = activations.ACTIVATIONS, activations.ACTIVATIONS[name]

    def backward(d, a, gradient, bias, number, out):
        right.backward(d, a, gradient, bias, number, out)
        out *= 1 + 1e-5

    monkeypatch.setattr(
        "workers.nn.network.network.ACTIVATIONS", table | {name: replace(right, backward=backward)}
    )
    findings = _gradients(NetworkSpec(hidden=(8,), activation=name), seed=seed)
    verdicts = {f.subject: f.verdict for f in findings if f.check == "data loss, initial"}
    assert verdicts["weights.0"] == "doubtful"
    assert verdicts["weights.1"] == "right"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_a_single_wrong_entry_is_found(name, seed, monkeypatch):
    def one_wrong(net, *rest):
        loss, gradient = checked_losses.data_loss(net, *rest)
        entries = net.layout.weights[0].stop
        gradient[np.random.default_rng(seed).choice(np.flatnonzero(gradient[:entries]))] *= 1.1
        return loss, gradient

    monkeypatch.setattr("workers.nn.checks.gradient_check.data_loss", one_wrong)
    findings = _gradients(NetworkSpec(hidden=(32,), activation=name), seed=seed)
    assert [f.subject for f in findings if f.failed] == ["weights.0", "weights.0"]


@pytest.mark.parametrize(
    ("activation", "loss"),
    [(activation, "softmax") for activation in activations.ACTIVATIONS]
    + [("relu", loss) for loss in losses.LOSSES if loss != "softmax"],
)
def test_no_right_network_is_accused(activation, loss):
    y = Y % 2 if losses.LOSSES[loss].one_score else Y
    y = X[:, :3] if losses.LOSSES[loss].task == "regression" else y
    spec = NetworkSpec(hidden=(8, 5), activation=activation, loss=loss)
    outputs = 2 if losses.LOSSES[loss].one_score else 3
    for seed in range(10):
        rng = np.random.default_rng(seed)
        findings = check_gradients(spec, X, y, outputs=outputs, rng=rng)
        # One row may leave every unit of a layer dead, and the next one's at 0: a kink.
        doubts = [f for f in findings if f.verdict != "right"]
        assert {(f.verdict, f.subject) for f in doubts} <= {("unchecked", "bias.1")}, doubts


def test_entries_at_kinks_are_replaced(monkeypatch):
    # The pre-activations of every other unit are nearly 0: both sides of a kink.
    def halved(spec, layout, *, rng):
        row = initial(spec, layout, rng=rng)
        row[: layout.weights[0].stop].reshape(6, 16)[:, ::2] *= 1e-9
        return row

    monkeypatch.setattr("workers.nn.checks.gradient_check.initial", halved)
    findings = [f for f in _gradients(NetworkSpec(hidden=(16,))) if f.check == "data loss, initial"]
    found = {f.subject: f for f in findings}
    assert (found["weights.0"].entries, found["weights.0"].directions) == (6, 0)
    assert found["weights.0"].kinks >= 20
    assert {f.verdict for f in findings} == {"right"}


@pytest.mark.parametrize(("activation", "units"), [("relu", 8), ("maxout", 3)])
def test_a_tensor_at_kinks_is_unchecked(activation, units):
    # With weights near 0 every pre-activation changes its sign between the points, and of each
    # pair of pieces the winner changes.
    form = {"hidden": (units,), "activation": activation}
    spec = NetworkSpec(**form, initializer="normal", initial_scale=1e-9)
    found = {f.subject: f for f in _gradients(spec) if f.check == "data loss, initial"}
    # A direction may shift all pieces of a unit alike.
    for tensor in ("weights.0", "bias.0") if activation == "relu" else ("weights.0",):
        assert (found[tensor].verdict, found[tensor].entries) == ("unchecked", 0)
        assert not found[tensor].failed
    assert found["bias.0"].entries == 0
    assert (found["bias.1"].verdict, found["bias.1"].entries) == ("right", 3)


def test_a_loss_that_is_not_finite_is_not_the_gradients_fault():
    spec = NetworkSpec(hidden=(8,), loss="squared_error", learning_rate=1e9)
    findings = _gradients(spec, y=X[:, :3])
    verdicts = {moment: {f.verdict for f in findings if moment in f.check} for moment in MOMENTS}
    assert verdicts == {"initial": {"right"}, "after burn-in": {"unchecked"}}


def test_rows_sorted_by_class_are_burnt_in_together(monkeypatch):
    seen = []

    class Spy(Learner):
        def run_epoch(self, x, y, **options):
            seen.append(np.bincount(y, minlength=3))
            return super().run_epoch(x, y, **options)

    monkeypatch.setattr("workers.nn.checks.gradient_check.Learner", Spy)
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
    monkeypatch.setattr("workers.nn.network.evaluation.LOSSES", table | {"softmax": wrong})
    findings = _sanity(NetworkSpec(hidden=(20,)))
    assert any(f.subject == "tiny weights" and f.failed for f in findings)


def test_regression_is_checked_against_its_own_chance():
    spec = NetworkSpec(hidden=(20,), loss="squared_error", optimizer="adam", learning_rate=0.01)
    findings = check_sanity(spec, X, X[:, :2], outputs=2, rng=np.random.default_rng(0))
    assert not failed(findings)
