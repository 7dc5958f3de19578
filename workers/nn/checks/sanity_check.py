"""The CS231n notes' sanity checks: chance, regularization, and a tiny subset learned."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.checks.gradient_check import Finding, Verdict
from workers.nn.families.initializers import initial
from workers.nn.families.losses import LOSSES
from workers.nn.layout import Lookup
from workers.nn.network.evaluation import metrics, raw_scores
from workers.nn.network.regularizers import penalty
from workers.nn.network.stack import plan, stack
from workers.nn.spec import NetworkSpec
from workers.nn.training.learner import Learner

TINY: Final = 20
EPOCHS: Final = 300
WILD: Final = 4.0  # beyond 5 times chance the first epochs only undo the initial weights
FACTORS: Final = (1.0, 10.0, 0.1, 100.0, 0.01)


def check_sanity(
    spec: NetworkSpec,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    outputs: int,
    lookups: tuple[Lookup, ...] = (),
    rng: np.random.Generator,
) -> list[Finding]:
    """Check the initial loss against chance, the penalty's effect, and 20 examples learned."""
    layout = plan([spec], features=x.shape[1], outputs=outputs, lookups=lookups)
    row = initial(spec, layout, rng=rng)
    some = rng.permutation(len(x))[:256]
    net = stack([spec], row[np.newaxis].copy(), layout)
    net.statistics[...] = 1
    losses = []
    for scale in (1.0, 1e-6):
        net.rows[0, : layout.penalized] = scale * row[: layout.penalized]
        losses.append(metrics(net, raw_scores(net, x[some]), y[some])[0]["loss"])
    chance = LOSSES[spec.loss].chance(outputs, spec.margin)
    if LOSSES[spec.loss].task == "regression":
        chance = float((y[some].astype(np.float64) ** 2).sum() / len(some) / 2)
    heavy = 10 * max(spec.l2, 1e-2)
    total = losses[0] + penalty(row, layout.penalized, l2=heavy, l1=spec.l1)
    return [
        _chance("tiny weights", losses[1], chance, 1e-3),
        _chance("the config's weights", losses[0], chance, WILD),
        Finding(
            "loss rises with regularization",
            f"l2={heavy:g}",
            total,
            "right" if total > losses[0] else "wrong",
            remark=f"{losses[0]:.4g} without",
        ),
        _tiny_subset(spec, x, y, outputs=outputs, lookups=lookups, rng=rng),
    ]


def _chance(subject: str, loss: float, chance: float, tolerance: float) -> Finding:
    """Judge an initial loss by its relative distance from chance."""
    distance = abs(loss - chance) / max(chance, 1e-12)
    found: Verdict = "wrong" if not distance <= tolerance else "acceptable"
    remark = f"at chance {chance:.4g}"
    if distance > tolerance == WILD:
        remark += "; lower initial_scale"
    return Finding(
        "initial loss",
        subject,
        loss,
        "right" if distance <= 0.1 * tolerance else found,
        remark=remark,
    )


def _tiny_subset(
    spec: NetworkSpec,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    outputs: int,
    lookups: tuple[Lookup, ...] = (),
    rng: np.random.Generator,
) -> Finding:
    """Learn 20 examples without regularization, at several multiples of the spec's rate."""
    few = rng.permutation(len(x))[:TINY]
    x, y = x[few], y[few]
    plain = replace(
        spec,
        l1=0.0,
        l2=0.0,
        weight_decay=0.0,
        dropout=0.0,
        input_dropout=0.0,
        label_smoothing=0.0,
        max_norm=None,
        swa_fraction=0.0,
        schedule="constant",
        warmup_epochs=0.0,
    )
    learner = Learner(
        [replace(plain, learning_rate=spec.learning_rate * factor) for factor in FACTORS],
        features=x.shape[1],
        outputs=outputs,
        lookups=lookups,
        epochs=EPOCHS,
        rows=len(x),
        ema_decay=0.0,
        initial=[np.random.default_rng(seed) for seed in rng.integers(2**63, size=len(FACTORS))],
        dtype=np.float64,
    )
    for epoch in range(1, EPOCHS + 1):
        order = rng.permutation(len(x))
        learner.run_epoch(x, y, order=order, epoch=epoch, dropout_keys=[0] * len(FACTORS))
    return _judge(spec, learner.evaluate(x, y), y)


def _judge(spec: NetworkSpec, found: list[dict[str, float]], y: NDArray[Any]) -> Finding:
    """Judge the best of the learners by the loss it has left and what it gets right."""
    losses = [values["loss"] if np.isfinite(values["loss"]) else np.inf for values in found]
    best = int(np.argmin(losses))
    values, rate = found[best], spec.learning_rate * FACTORS[best]
    if LOSSES[spec.loss].task == "regression":
        good, text = values["r2"] > 0.99, f"r2 {values['r2']:.4f}"
    else:
        good, text = (
            values["accuracy"] == 1 and losses[best] < 0.1,
            f"accuracy {values['accuracy']:.0%}",
        )
    subject = f"{len(y)} examples, learning_rate={rate:g}"
    return Finding("tiny subset", subject, losses[best], "right" if good else "wrong", remark=text)
