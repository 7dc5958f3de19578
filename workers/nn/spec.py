"""The hyperparameters of one network, as one flat frozen dataclass."""

from dataclasses import dataclass, fields
from typing import Annotated, Final, Literal

from annotated_types import Ge, Gt, Le, Len, Lt

Fraction = Annotated[float, Ge(0), Lt(1)]
Positive = Annotated[float, Gt(0), Le(1e9)]
NonNegative = Annotated[float, Ge(0), Le(1e9)]
Count = Annotated[int, Ge(1), Le(10**6)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """Every hyperparameter of a network and of its training.

    Trials whose :func:`structure` is equal train as one stack; everything else varies
    from member to member.

    Parameters
    ----------
    preprocess
        The chain of steps on the inputs, by which the data is chosen; None: the data's own.
    hidden
        Units of each hidden layer; ``()`` is a linear model.
    embedding_size
        How long the vectors are that stand for the values of a category with many.
    activation, maxout_pieces
        The hidden layers' nonlinearity, and how many linear pieces a maxout unit has.
    leaky_slope, elu_alpha
        Slope of ``leaky_relu`` below 0, and minus the limit of ``elu`` there.
    loss, margin, label_smoothing
        The data loss; the margin of the hinge losses; the share of the target's
        probability that ``softmax`` and ``logistic`` spread over all classes.
    class_weight
        Weights of classes in the loss: ``balanced`` for ``rows/(classes*rows of the class)``, or a
        weight for each class that is named, 1 for the others.
    optimizer, batch_size
        The update rule, and the rows of a mini-batch (``"full"``: all rows).
    batch_normalization, normalization_decay
        Normalize every hidden layer's input over the mini-batch; what of the running
        statistics stays at each step.
    initializer, initial_scale
        How weights start (biases at 0), and the distribution's deviation (``normal``),
        bound (``uniform``) or gain (the others); None: 0.01, 0.01 and 1.
    learning_rate, schedule
        The rate and how it changes; time in schedules is counted in epochs.
    decay_factor, decay_epochs, decay_rate
        Factor of ``step`` and of ``stall``; epochs between steps, and tau of
        ``converge``; k of ``exponential`` and ``inverse``.
    stall_epochs, warmup_epochs, cosine_cycles
        Epochs without a better validation score until ``stall`` lowers the rate; linear
        growth from 0, after which the schedule begins; cosine cycles in what is left.
    momentum, momentum_start
        Momentum of ``momentum`` and ``nesterov``; when given, it grows linearly from
        ``momentum_start`` to ``momentum`` over the budget.
    beta1, beta2, rho, epsilon
        Decays of ``adam`` and ``adamw``; decay of ``rmsprop`` and ``adadelta``; what
        keeps the divisions of adaptive rules finite, so above 0 in float32.
    weight_decay
        Decoupled decay of the weights, ``adamw`` only.
    lbfgs_iterations
        Iterations of ``lbfgs`` an epoch.
    clip_norm, fan_in_scaling
        Greatest norm of the whole gradient; divide a layer's rate by the square root of
        its inputs (Collobert).
    l2, l1
        The penalty ``l2/2*sum(w**2) + l1*sum(|w|)`` over weights, never biases.
    dropout, input_dropout
        Probability that a hidden unit (one number for all layers or one each) or an
        input is dropped in training.
    max_norm
        Greatest norm of the weights into one unit.
    swa_fraction
        Last share of the budget over which parameters are averaged epoch by epoch, at a
        constant rate (stochastic weight averaging); 0: none.
    patience
        Stop after so many epochs without a better validation score.
    """

    preprocess: tuple[str, ...] | None = None
    hidden: Annotated[tuple[Count, ...], Len(0, 100)] = (64,)
    embedding_size: Count = 8
    activation: str = "relu"
    maxout_pieces: Annotated[int, Ge(2)] = 2
    loss: str = "softmax"
    class_weight: Literal["none", "balanced"] | tuple[tuple[str, NonNegative], ...] = "none"
    optimizer: str = "momentum"
    batch_size: Count | Literal["full"] = 32
    batch_normalization: bool = False
    initializer: str = "he"
    initial_scale: Positive | None = None
    leaky_slope: Fraction = 0.01
    elu_alpha: Positive = 1.0
    margin: Positive = 1.0
    label_smoothing: Fraction = 0.0
    learning_rate: Positive = 1e-2
    schedule: str = "constant"
    decay_factor: Annotated[float, Gt(0), Le(1)] = 0.5
    decay_epochs: Positive = 10.0
    decay_rate: NonNegative = 0.1
    stall_epochs: Count = 3
    warmup_epochs: NonNegative = 0.0
    cosine_cycles: Count = 1
    momentum: Fraction = 0.9
    momentum_start: Fraction | None = None
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    rho: Fraction = 0.95
    epsilon: Annotated[float, Ge(1e-45), Le(1e9)] = 1e-8
    weight_decay: NonNegative = 1e-2
    lbfgs_iterations: Count = 20
    clip_norm: Positive | None = None
    fan_in_scaling: bool = False
    l2: NonNegative = 0.0
    l1: NonNegative = 0.0
    dropout: Fraction | tuple[Fraction, ...] = 0.0
    input_dropout: Fraction = 0.0
    max_norm: Positive | None = None
    normalization_decay: Fraction = 0.9
    swa_fraction: Fraction = 0.0
    patience: Count | None = None


STRUCTURAL: Final = (
    "preprocess",
    "hidden",
    "embedding_size",
    "activation",
    "maxout_pieces",
    "loss",
    "class_weight",
    "optimizer",
    "batch_size",
    "batch_normalization",
)

VARYING: Final = tuple(f.name for f in fields(NetworkSpec) if f.name not in STRUCTURAL)


def structure(spec: NetworkSpec) -> tuple[object, ...]:
    """Return the hashable part that all members of a stack share.

    >>> a = NetworkSpec(learning_rate=0.1)
    >>> structure(a) == structure(NetworkSpec(learning_rate=0.2))
    True
    >>> structure(a) == structure(NetworkSpec(hidden=(65,)))
    False
    """
    return tuple(getattr(spec, name) for name in STRUCTURAL)


def rates(spec: NetworkSpec) -> tuple[float, ...]:
    """Return the dropout rate of the inputs and of every hidden layer.

    >>> rates(NetworkSpec(hidden=(8, 8), dropout=0.5, input_dropout=0.2))
    (0.2, 0.5, 0.5)
    """
    hidden = spec.dropout
    if not isinstance(hidden, tuple):
        hidden = (hidden,) * len(spec.hidden)
    return (spec.input_dropout, *hidden)
