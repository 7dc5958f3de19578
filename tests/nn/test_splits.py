"""Members with rows of their own: in one stack each learns to the bit as if alone."""

from dataclasses import replace

import numpy as np
import pytest

from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

ROWS, FEATURES, SPLITS = 45, 5, 3
# The second one diverges.
VARIANTS = ({"learning_rate": 0.05, "l2": 0.01}, {"learning_rate": 1e9}, {"learning_rate": 0.01})


def _outputs(spec):
    return 2 if LOSSES[spec.loss].one_score or LOSSES[spec.loss].task == "regression" else 3


def _rows(spec, split, rows=ROWS):
    rng = np.random.default_rng(split)
    x = rng.standard_normal((rows, FEATURES)).astype(np.float32)
    if LOSSES[spec.loss].task == "regression":
        return x, np.stack([x[:, 0] + 1, x[:, 1] * x[:, 2]], axis=1)
    return x, rng.integers(0, _outputs(spec), rows)


class Study:
    """Trains trials on splits; the same (trial, split) always has the same randomness."""

    def __init__(self, specs, splits):
        self.members = [(trial, split) for split in splits for trial in range(len(specs))]
        self.specs, self.splits = specs, splits
        self.learner = Learner(
            [specs[trial] for trial, _ in self.members],
            features=FEATURES,
            outputs=_outputs(specs[0]),
            epochs=4,
            rows=ROWS,
            ema_decay=0.9,
            initial=[np.random.default_rng(pair) for pair in self.members],
            splits=len(splits),
        )

    def train(self, first, last):
        x, y = zip(*(_rows(self.specs[0], split) for split in self.splits), strict=True)
        orders = {
            (split, epoch): np.random.default_rng((split, epoch)).permutation(ROWS)
            for split in self.splits
            for epoch in range(first, last + 1)
        }
        for epoch in range(first, last + 1):
            self.learner.run_epoch(
                x,
                y,
                order=np.array([orders[split, epoch] for split in self.splits]),
                epoch=epoch,
                dropout_keys=[100 * t + 10 * s + epoch for t, s in self.members],
            )
        return self

    def told(self, averaged=False):
        x, y = zip(*(_rows(self.specs[0], 50 + s, 20) for s in self.splits), strict=True)
        return self.learner.evaluate(x, y, averaged=averaged)


def _alone(spec, trial, split):
    """Train one network in the way that knows nothing of splits."""
    x, y = _rows(spec, split)
    learner = Learner(
        [spec],
        features=FEATURES,
        outputs=_outputs(spec),
        epochs=4,
        rows=ROWS,
        ema_decay=0.9,
        initial=[np.random.default_rng((trial, split))],
    )
    for epoch in (1, 2):
        order = np.random.default_rng((split, epoch)).permutation(ROWS)
        learner.run_epoch(
            x, y, order=order, epoch=epoch, dropout_keys=[100 * trial + 10 * split + epoch]
        )
    return learner


def _assert_same(state, other):
    assert state.keys() == other.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


STRUCTURES = {
    **{optimizer: {"optimizer": optimizer} for optimizer in OPTIMIZERS},
    **{loss: {"loss": loss} for loss in LOSSES},
    "linear": {"hidden": ()},
    "deep": {"hidden": (6, 5, 4), "dropout": 0.3},
    "inputs dropped": {"input_dropout": 0.2, "dropout": 0.3},
    "batch normalization": {"batch_normalization": True, "hidden": (6, 5)},
    "maxout": {"activation": "maxout"},
    "one batch": {"batch_size": "full"},
    "even batches": {"batch_size": 15},
    "stochastic average": {"swa_fraction": 0.7},
}


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("name", STRUCTURES)
def test_every_member_is_as_if_alone(name, trials):
    base = NetworkSpec(**({"hidden": (6,), "batch_size": 8} | STRUCTURES[name]))
    if base.optimizer == "lbfgs":
        base = replace(base, batch_size="full")
    specs = [replace(base, **variant) for variant in VARIANTS[:trials]]
    study = Study(specs, range(SPLITS)).train(1, 2)
    told, averaged = study.told(), study.told(averaged=True)
    for member, (trial, split) in enumerate(study.members):
        alone = _alone(specs[trial], trial, split)
        _assert_same(alone.state(0), study.learner.state(member))
        new = _rows(base, 50 + split, 20)
        np.testing.assert_equal(told[member], alone.evaluate(*new)[0])
        np.testing.assert_equal(averaged[member], alone.evaluate(*new, averaged=True)[0])


def test_splits_learn_different_things():
    study = Study([NetworkSpec(hidden=(6,))], range(2)).train(1, 2)
    rows = [study.learner.state(member)["parameters"] for member in (0, 1)]
    assert (rows[0] != rows[1]).all()


@pytest.mark.parametrize("normalized", [False, True])
def test_trials_leave_from_every_split(normalized):
    base = NetworkSpec(hidden=(6,), batch_size=8, batch_normalization=normalized, dropout=0.2)
    specs = [replace(base, **variant) for variant in VARIANTS]
    whole = Study(specs, range(2)).train(1, 4)
    fewer = Study(specs, range(2)).train(1, 2)
    fewer.learner.keep([0, 2, 3, 5])
    fewer.members = [(0, 0), (2, 0), (0, 1), (2, 1)]
    fewer.train(3, 4)
    for place, member in enumerate([0, 2, 3, 5]):
        _assert_same(fewer.learner.state(place), whole.learner.state(member))
