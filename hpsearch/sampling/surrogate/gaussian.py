"""Gaussian process regression of scores on hyperparameters and training time.

Rasmussen, Williams: Gaussian Processes for Machine Learning (2006), algorithm 2.1, section
5.4.1; batches as in Desautels, Krause, Burdick (2014).
"""

from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from hpsearch.sampling.surrogate.inputs import Array, Inputs

ITERATIONS = 40
LENGTH, TIME, NOISE = 0.5, 1.0, 5e-3
"""Medians of the prior: length scales in widths of a range, that of time, the noise's variance."""

SHARED_TIME = 2.0
"""Length scale of time of what all settings have in common."""

TINY = 1e-10


class GaussianProcess:
    """The process given standardized scores ``(points,)`` at inputs.

    Its kernel, with r the distance in length scales and g the one in time, is
    ``a*(1 + s + s**2/3)*exp(-s)*exp(-g/tau) + b*exp(-g/2)``, where ``s = sqrt(5)*r``: settings
    that are alike do alike for a similar time, and all share a learning curve. Length
    scales, a, tau, b and the noise are those of the greatest posterior density.
    """

    def __init__(self, inputs: Inputs, scores: Array) -> None:
        self._inputs, self._scores = inputs, scores
        self._squares, self._gaps = inputs.squares(inputs), inputs.gaps(inputs)
        self._lengths = len(self._squares)
        start = np.log([*[LENGTH] * self._lengths, 1.0, TIME, 1.0, NOISE])
        bounds = [(0.03, 10.0)] * self._lengths
        bounds += [(0.02, 20.0), (0.05, 20.0), (2e-3, 20.0), (1e-5, 1.0)]
        found = minimize(
            self.loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=np.log(bounds),
            options={"maxiter": ITERATIONS},
        )
        self.parameters: Array = found.x

    def loss(self, parameters: Array) -> tuple[float, Array]:
        """Return minus the log posterior density of the parameters' logarithms, and its gradient.

        ``y @ K**-1 @ y/2 + log(det(K))/2``, and the prior's squares.
        """
        settings, shared, noise, slope = self._parts(parameters, self._squares, self._gaps)
        size = len(self._scores)
        factor = cho_factor(settings + shared + noise * np.eye(size), lower=True)
        solved = cho_solve(factor, self._scores)
        value = self._scores @ solved / 2 + np.log(np.diag(factor[0])).sum()
        weight = (cho_solve(factor, np.eye(size)) - np.outer(solved, solved)) / 2
        inverse = np.exp(-2 * parameters[: self._lengths])
        gradient = np.concatenate(
            [
                np.tensordot(self._squares, weight * slope, axes=2) * inverse,
                [
                    np.vdot(weight, settings),
                    np.vdot(weight, settings * self._gaps) / np.exp(parameters[-3]),
                    np.vdot(weight, shared),
                    noise * np.trace(weight),
                ],
            ]
        )
        centre = np.log([*[LENGTH] * self._lengths, 1.0, TIME, 1.0, NOISE])
        precision = np.array([*[1.0] * self._lengths, 0.0, 1.0, 0.0, 0.25])
        pull = precision * (parameters - centre)
        return float(value + pull @ (parameters - centre) / 2), gradient + pull

    def _parts(
        self, parameters: Array, squares: Array, gaps: Array
    ) -> tuple[Array, Array, float, Array]:
        """Return the kernel's two terms, the noise, and the first term's slope.

        The slope is the derivative by the logarithm of a length scale, over its share of
        the squared distance.
        """
        lengths, (height, time, shared, noise) = parameters[:-4], np.exp(parameters[-4:])
        steps = np.sqrt(5 * np.tensordot(np.exp(-2 * lengths), squares, axes=1))
        decay = height * np.exp(-steps - gaps / time)
        return (
            (1 + steps + steps**2 / 3) * decay,
            shared * np.exp(-gaps / SHARED_TIME),
            float(noise),
            5 / 3 * (1 + steps) * decay,
        )

    def _kernel(self, one: Inputs, other: Inputs) -> Array:
        settings, shared, *_ = self._parts(self.parameters, one.squares(other), one.gaps(other))
        return settings + shared

    def _root(self, inputs: Inputs) -> Array:
        """Return the lower Cholesky factor of the kernel with noise."""
        noise = np.exp(self.parameters[-1]) + TINY
        return np.linalg.cholesky(self._kernel(inputs, inputs) + noise * np.eye(len(inputs)))

    @cached_property
    def _solved(self) -> Array:
        solved: Array = cho_solve((self._root(self._inputs), True), self._scores)
        return solved

    def mean(self, inputs: Inputs) -> Array:
        """Return the expected scores, ``(points,)``."""
        return self._kernel(inputs, self._inputs) @ self._solved

    def deviation(self, inputs: Inputs, pending: Inputs) -> Array:
        """Return the standard deviations, ``(points,)``, once the pending points are known.

        They do not depend on what will be found there.
        """
        known = self._inputs.joined(pending)
        cross = solve_triangular(self._root(known), self._kernel(known, inputs), lower=True)
        variance = np.exp(self.parameters[-4]) + np.exp(self.parameters[-2])
        left: Array = variance - (cross**2).sum(axis=0)
        return np.sqrt(np.maximum(left, TINY))
