"""What a learner promises beside its families: averages, dropout, normalization, budgets."""

import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from workers.errors import CheckpointError, InputError
from workers.nn.network.evaluation import predict, raw_scores
from workers.nn.network.stack import plan, stack
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

X = np.random.default_rng(0).standard_normal((40, 6))
Y = np.random.default_rng(1).integers(0, 3, 40)
SIZES = {"features": 6, "outputs": 3}


def _learner(*specs, ema_decay=0.0, epochs=8, dtype=np.float64):
    return Learner(
        specs,
        features=6,
        outputs=3,
        epochs=epochs,
        rows=40,
        ema_decay=ema_decay,
        initial=[np.random.default_rng(m) for m in range(len(specs))],
        dtype=dtype,
    )


def _train(learner, epochs, x=X):
    order = np.arange(40)
    return [
        learner.run_epoch(x, Y, order=order, epoch=e, dropout_keys=range(learner.members))
        for e in epochs
    ]


def _trajectory(learner, epochs):
    rows = []
    for epoch in epochs:
        _train(learner, [epoch])
        rows.append(learner.state(0)["parameters"])
    return np.array(rows)


def test_the_running_average_weighs_past_parameters():
    learner = _learner(NetworkSpec(batch_size="full"), ema_decay=0.6)
    rows = _trajectory(learner, range(1, 6))
    weights = 0.6 ** np.arange(4, -1, -1)
    expected = weights @ rows / weights.sum()
    np.testing.assert_allclose(learner.state(0)["averaged"], expected, rtol=1e-12)


def test_the_first_running_average_is_the_first_update():
    learner = _learner(NetworkSpec(batch_size="full"), ema_decay=0.999)
    rows = _trajectory(learner, [1])
    np.testing.assert_allclose(learner.state(0)["averaged"], rows[0], rtol=1e-10)


def test_stochastic_averaging_is_the_mean_over_the_last_epochs():
    learner = _learner(NetworkSpec(swa_fraction=0.3), ema_decay=0.9)
    rows = _trajectory(learner, range(1, 9))
    np.testing.assert_allclose(learner.state(0)["averaged"], rows[5:].mean(axis=0), rtol=1e-12)


def test_stochastic_averaging_begins_anew_with_a_greater_budget():
    spec = NetworkSpec(swa_fraction=0.25)
    first, more = _learner(spec, epochs=4), _learner(spec, epochs=8)
    _train(first, range(1, 5))
    more.restore(0, first.state(0))
    rows = _trajectory(more, [5, 6])
    assert "averaged" not in more.state(0)
    np.testing.assert_array_equal(more.predict(X), predict([spec], rows[1:], X, **SIZES))
    rows = _trajectory(more, [7, 8])
    np.testing.assert_allclose(more.state(0)["averaged"], rows.mean(axis=0), rtol=1e-12)


def test_a_stochastic_average_is_the_network_once_it_has_begun():
    specs = [NetworkSpec(swa_fraction=share) for share in (0.25, 0.0, 0.5)]
    learner = _learner(*specs, epochs=4, ema_decay=0.9)
    for epoch, names in enumerate(["p", "p", "ppa", "apa"], 1):
        _train(learner, [epoch])
        for member, name in enumerate(names.rjust(3, "p")):
            row = learner.state(member)["averaged" if name == "a" else "parameters"]
            alone = predict(specs[:1], row[np.newaxis], X, **SIZES)[0]
            np.testing.assert_allclose(learner.predict(X)[member], alone, rtol=1e-12)


def test_averaged_weights_get_their_own_normalization_statistics():
    spec = NetworkSpec(hidden=(4,), batch_normalization=True, batch_size="full", learning_rate=0.5)
    learner = _learner(spec, ema_decay=0.9)
    _train(learner, range(1, 6))
    state = learner.state(0)
    z = X @ state["averaged"][:24].reshape(6, 4)
    expected = np.concatenate([z.mean(axis=0), z.var(axis=0)])
    np.testing.assert_allclose(state["averaged.statistics"], expected, rtol=1e-12)
    assert not np.allclose(state["statistics"], expected, rtol=1e-3)


@pytest.mark.parametrize("batches", [[13, 13, 14], [39, 1], [20, 20], [14, 14, 12]])
def test_running_statistics_are_those_of_batches_that_have_a_variance(batches):
    """A row that remains alone joins the batch before; variances are biased."""
    spec = NetworkSpec(
        hidden=(4,),
        batch_normalization=True,
        normalization_decay=0.5,
        batch_size=batches[0],
        optimizer="sgd",
        learning_rate=1e-300,
    )
    learner = _learner(spec)
    weights = learner.state(0)["parameters"][:24].reshape(6, 4)
    _train(learner, [1])
    joined = [40] if batches == [39, 1] else batches
    z = np.split(X @ weights, np.cumsum(joined)[:-1])
    seen = np.array([np.concatenate([part.mean(axis=0), part.var(axis=0)]) for part in z])
    shares = {1: [1.0], 2: [0.5, 0.5], 3: [0.25, 0.25, 0.5]}[len(seen)]
    expected = np.array(shares) @ seen
    np.testing.assert_allclose(learner.state(0)["statistics"], expected, rtol=1e-10)


def test_one_row_more_than_a_batch_is_one_batch():
    spec = NetworkSpec(hidden=(4,), batch_normalization=True, optimizer="adam")
    joined, full = (_learner(replace(spec, batch_size=size)) for size in (39, "full"))
    assert np.array_equal(_train(joined, [1, 2, 3]), _train(full, [1, 2, 3]))
    states = [learner.state(0) for learner in (joined, full)]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[1])


def test_normalized_scores_do_not_change_with_the_scale_of_a_layer():
    spec = NetworkSpec(hidden=(4,), batch_normalization=True, batch_size="full")
    learner = _learner(spec)
    first = learner.state(0)
    losses = []
    for factor in (1.0, 1000.0):
        scaled = first["parameters"].copy()
        scaled[:24] *= factor
        learner.restore(0, first | {"parameters": scaled})
        losses.append(_train(learner, [1])[0][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_stored_rows_predict_as_the_learner_did():
    specs = [NetworkSpec(batch_normalization=True, learning_rate=r) for r in (0.1, 0.2)]
    learner = _learner(*specs, ema_decay=0.9)
    _train(learner, [1, 2])
    states = [learner.state(m) for m in (0, 1)]
    for rows, statistics, averaged in (
        ("parameters", "statistics", False),
        ("averaged", "averaged.statistics", True),
    ):
        found = predict(
            specs,
            np.stack([state[rows] for state in states]),
            X,
            features=6,
            outputs=3,
            statistics=np.stack([state[statistics] for state in states]),
        )
        np.testing.assert_array_equal(found, learner.predict(X, averaged=averaged))


def test_the_last_smaller_batch_is_used():
    spec = NetworkSpec(hidden=(), batch_size=39, learning_rate=0.1)
    learner = _learner(spec)
    before = learner.state(0)["parameters"]
    x = X.copy()
    x[:39] = 0
    _train(learner, [1], x)
    moved = learner.state(0)["parameters"][:18] - before[:18]
    assert np.abs(moved).max() > 0


def test_dropout_drops_its_share_and_keeps_the_mean():
    spec = NetworkSpec(hidden=(2000,), activation="identity", dropout=0.3, batch_size="full")
    learner = _learner(spec)
    _train(learner, [1])
    passes = learner._engine.programs[40][0]
    masked = passes.forward[2].args
    mask, before, after = masked[5], masked[0], masked[6]
    assert set(np.unique(mask)) == {0.0, 1 / 0.7}
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(after, before * mask)
    # independent of row and column: shares within every row and column are near the rate
    assert np.abs((mask == 0).mean(axis=(0, 2)) - 0.3).max() < 0.06


def test_masks_change_with_step_layer_key_and_nothing_else():
    spec = NetworkSpec(hidden=(50, 50), dropout=0.5, batch_size=20)
    found = []
    for keys in ([7, 8], [8, 7]):
        learner = _learner(spec, spec)
        learner.run_epoch(X, Y, order=np.arange(40), epoch=1, dropout_keys=keys)
        forward = learner._engine.programs[20][0].forward
        found.append([forward[place].args[5].copy() for place in (2, 5)])
    (first, second), (swapped, _) = found
    np.testing.assert_array_equal(first[::-1], swapped)
    assert (first[0] != first[1]).mean() == pytest.approx(0.5, abs=0.1)
    assert (first[0] != second[0]).mean() == pytest.approx(0.5, abs=0.1)


def test_a_read_only_float64_set_trains_a_float32_network():
    x = X.copy()
    x.setflags(write=False)
    learner = _learner(NetworkSpec(learning_rate=0.1), dtype=np.float32)
    losses = _train(learner, range(1, 20), x)
    assert losses[-1][0] < losses[0][0]


def test_textbook_two_layer_network():
    # CS231n, lecture 6: 32*32*3 inputs, 50 hidden units, 10 classes, a tiny learning rate.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3072)).astype(np.float32)
    y = rng.integers(0, 10, 200)
    spec = NetworkSpec(
        hidden=(50,), initializer="normal", initial_scale=1e-4, learning_rate=1e-6, optimizer="sgd"
    )
    learner = Learner(
        [spec],
        features=3072,
        outputs=10,
        epochs=10,
        rows=200,
        ema_decay=0.0,
        initial=[rng],
    )
    assert learner.evaluate(x, y)[0]["loss"] == pytest.approx(2.3026, abs=1e-4)
    for epoch in range(1, 11):
        loss = learner.run_epoch(x, y, order=np.arange(200), epoch=epoch, dropout_keys=[0])
    assert loss[0] == pytest.approx(2.3026, abs=1e-4)


def test_stall_lowers_the_rate_after_so_many_epochs_without_a_better_score():
    spec = NetworkSpec(
        schedule="stall", stall_epochs=2, optimizer="sgd", batch_size="full", hidden=()
    )
    for warmup, stalls in ((0.0, 2), (3.0, 1)):
        learner = _learner(replace(spec, warmup_epochs=warmup))
        for epoch, score in enumerate((0.5, 0.4, 0.5, float("nan"), 0.3, 0.6), 1):
            _train(learner, [epoch])
            learner.observe(np.array([score]))
        assert learner.state(0)["counters"].tolist() == [6, 0, 0, stalls]
        assert learner.state(0)["best"].tolist() == [0.6]


def test_a_foreign_state_is_refused_and_changes_nothing():
    learner = _learner(NetworkSpec(), ema_decay=0.9, dtype=np.float32)
    own = learner.state(0)
    narrow = {**own, "parameters": own["parameters"][:-1]}
    single = {**own, "ema": own["ema"].astype(np.float32)}
    fewer = {name: array for name, array in own.items() if name != "optimizer.velocity"}
    for state in (narrow, single, fewer, own | {"more": own["ema"]}):
        with pytest.raises(CheckpointError):
            learner.restore(0, {name: array + 1 for name, array in state.items()})
    after = learner.state(0)
    np.testing.assert_array_equal(own["parameters"], after["parameters"])


def test_members_must_share_a_structure():
    with pytest.raises(InputError, match="share one structure"):
        _learner(NetworkSpec(hidden=(3,)), NetworkSpec(hidden=(4,)))


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_outside_the_classes_are_refused(label):
    learner = _learner(NetworkSpec())
    y = np.where(np.arange(40) == 7, label, Y)
    with pytest.raises(InputError, match="class indices from 0 to 2"):
        learner.run_epoch(X, y, order=np.arange(40), epoch=1, dropout_keys=[0])
    with pytest.raises(InputError, match="class indices from 0 to 2"):
        learner.evaluate(X, y)


@pytest.mark.parametrize("size", [7, 39, "full"])
def test_an_epoch_in_parts_is_an_epoch(size):
    """Seven and 40 leave 5 rows; 39 and 40 leave 1, which joins them under normalization."""
    spec = NetworkSpec(
        batch_normalization=True, dropout=0.3, batch_size=size, optimizer="adam", warmup_epochs=2
    )
    whole, parts = (_learner(spec, replace(spec, l2=0.1), ema_decay=0.9) for _ in range(2))
    now = {"order": np.arange(40)[::-1], "epoch": 1, "dropout_keys": [3, 4]}
    loss = whole.run_epoch(X, Y, **now)
    for part in [(0, 0.1), (0.1, 0.7), (0.7, 1)]:
        mean = parts.run_epoch(X, Y, **now, part=part)
    np.testing.assert_array_equal(mean, loss)
    for member in (0, 1):
        states = [learner.state(member) for learner in (whole, parts)]
        assert states[0].keys() == states[1].keys()
        for name, array in states[0].items():
            np.testing.assert_array_equal(array, states[1][name], name)


SCRIPT = """
import numpy as np
from workers.nn.families.activations import ACTIVATIONS
from workers.nn.training.learner import Learner
from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.spec import NetworkSpec

x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
specs = [NetworkSpec(activation=name) for name in ACTIVATIONS]
specs += [NetworkSpec(loss=name) for name in LOSSES]
specs += [NetworkSpec(optimizer=name, batch_size="full") for name in OPTIMIZERS if name != "lbfgs"]
specs += [NetworkSpec(batch_normalization=True, dropout=0.5, l1=0.1, clip_norm=0.1, max_norm=1.0)]
for spec in specs:
    fields = {name: getattr(spec, name) for name in spec.__slots__}
    spec = NetworkSpec(**(fields | {"hidden": (3,), "batch_size": 3}))
    y = x[:, :2] if spec.loss == "squared_error" else np.array([0, 1, 1, 0, 1])
    learner = Learner([spec], features=3, outputs=2, epochs=2, rows=5, ema_decay=0.9,
                      initial=[np.random.default_rng(0)])
    for epoch in (1, 2):
        learner.run_epoch(x, y, order=np.arange(5), epoch=epoch, dropout_keys=[7])
    print(*learner.predict(x, averaged=True).ravel().tolist())
"""


def test_the_same_source_runs_uncompiled():
    found = []
    for switch in ("0", "1"):
        environment = os.environ | {"NUMBA_DISABLE_JIT": switch}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(np.array(done.stdout.split(), float))
    np.testing.assert_allclose(found[0], found[1], rtol=2e-4, atol=1e-5)


def test_scoring_has_no_buffers_of_a_backward_pass() -> None:
    """At its peak are the inputs, each layer's activations, and the scores twice."""
    spec = NetworkSpec(hidden=(2000, 2000))
    rows = np.zeros((1, plan([spec], features=5, outputs=3).size), np.float32)
    x = np.ones((128, 5), np.float32)
    net = stack([spec], rows, plan([spec], features=5, outputs=3))
    raw_scores(net, x)  # compiles
    tracemalloc.start()
    raw_scores(net, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak == pytest.approx(4 * 128 * (5 + 2000 + 2000 + 3 + 3), rel=0.1)
