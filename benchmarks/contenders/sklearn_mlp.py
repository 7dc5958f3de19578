"""scikit-learn's MLPClassifier, an epoch a ``partial_fit``."""

import numpy as np
from problems import BETA1, BETA2, EPSILON, L2, MOMENTUM, Problem
from sklearn.neural_network import MLPClassifier

from contenders import Epoch


def prepare(problem: Problem) -> Epoch:
    """Train from hpsearch's weights; the first epoch keeps the given order, to compare."""
    x, y, order = problem.data()
    model = MLPClassifier(
        hidden_layer_sizes=problem.hidden,
        solver="adam" if problem.optimizer == "adam" else "sgd",
        alpha=L2 * problem.batch,  # it divides the penalty by the batch's rows
        batch_size=problem.batch,
        learning_rate_init=problem.learning_rate,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        beta_1=BETA1,
        beta_2=BETA2,
        epsilon=EPSILON,
        shuffle=False,
    )
    classes = np.arange(problem.classes)
    model.partial_fit(x[: problem.batch], y[: problem.batch], classes=classes)
    for layer, (weights, bias) in enumerate(problem.weights()):
        model.coefs_[layer][...] = weights
        model.intercepts_[layer][...] = bias
    vars(model).pop("_optimizer")  # made anew, without the first step's memory

    def epoch() -> float:
        if model.shuffle:
            model.partial_fit(x, y)
        else:
            model.partial_fit(x[order], y[order])
            model.shuffle = True
        return model.loss_ - L2 / 2 * sum(float((w * w).sum()) for w in model.coefs_)

    return epoch
