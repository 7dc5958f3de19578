"""All families under the names of the fields that choose from them."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from workers.errors import InputError
from workers.nn.families.activations import ACTIVATIONS
from workers.nn.families.initializers import INITIALIZERS
from workers.nn.families.losses import LOSSES
from workers.nn.families.optimizers import OPTIMIZERS
from workers.nn.families.schedules import SCHEDULES
from workers.nn.spec import NetworkSpec

FAMILIES: Final[Mapping[str, Mapping[str, object]]] = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "initializer": INITIALIZERS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}


def check(spec: NetworkSpec, task: str, outputs: int) -> None:
    """Refuse a spec that cannot be trained on such data.

    ``task`` is ``"classification"`` with ``outputs`` classes or ``"regression"`` with
    ``outputs`` target columns. Bounds of single numbers are the annotations' business.

    Raises
    ------
    InputError
        A name that is in no family, or fields that don't fit together or the task.
    """
    for name, table in FAMILIES.items():
        if getattr(spec, name) not in table:
            raise InputError(
                f"{name} must be one of {', '.join(table)}",
                repr(getattr(spec, name)),
                f"choose a known {name}",
            )
    _check_loss(spec, task, outputs)
    _check_layers(spec)
    _check_lbfgs(spec)


def _check_loss(spec: NetworkSpec, task: str, outputs: int) -> None:
    loss = LOSSES[spec.loss]
    fitting = ", ".join(name for name, other in LOSSES.items() if other.task == task)
    if loss.task != task:
        raise InputError(
            f"a {task} task needs a {task} loss", f"loss={spec.loss}", f"choose one of {fitting}"
        )
    if loss.one_score and outputs != 2:
        raise InputError(
            f"loss {spec.loss} separates two classes",
            f"{outputs} classes",
            "choose softmax or hinge",
        )
    if spec.label_smoothing and loss.parameter != "label_smoothing":
        raise InputError(
            "label smoothing needs a loss over probabilities",
            f"loss={spec.loss}, label_smoothing={spec.label_smoothing}",
            "set label_smoothing to 0 or choose softmax",
        )


def _check_layers(spec: NetworkSpec) -> None:
    if isinstance(spec.dropout, tuple) and len(spec.dropout) != len(spec.hidden):
        raise InputError(
            "dropout must be one rate or one for each hidden layer",
            f"{len(spec.dropout)} rates for {len(spec.hidden)} hidden layers",
            "give as many rates as hidden layers",
        )
    if spec.batch_normalization and spec.batch_size == 1:
        raise InputError(
            "batch normalization needs at least 2 rows in a mini-batch",
            "batch_size=1",
            "raise batch_size or switch batch_normalization off",
        )


def _check_lbfgs(spec: NetworkSpec) -> None:
    if OPTIMIZERS[spec.optimizer].update is not None:
        return
    if spec.batch_size != "full":
        raise InputError(
            f"{spec.optimizer} works on the full batch",
            f"batch_size={spec.batch_size}",
            "set batch_size: full",
        )
    names = ("dropout", "input_dropout", "clip_norm", "max_norm")
    given = [name for name in names if np.any(getattr(spec, name) or 0)]
    if given:
        raise InputError(
            f"{spec.optimizer} minimizes a fixed function",
            f"{given[0]}={getattr(spec, given[0])}",
            f"leave out {given[0]} or choose another optimizer",
        )
