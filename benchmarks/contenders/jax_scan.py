"""JAX: an epoch is one compiled scan over steps; a pack is a ``vmap`` over its networks."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from problems import BETA1, BETA2, EPSILON, L2, MOMENTUM, Problem

from contenders import Epoch

Tree = Any


def loss(params: Tree, x: jax.Array, y: jax.Array) -> jax.Array:
    *hidden, (weights, bias) = params
    for w, b in hidden:
        x = jax.nn.relu(x @ w + b)
    scores = x @ weights + bias
    picked = jnp.take_along_axis(scores, y[:, None], axis=1)[:, 0]
    return (jax.nn.logsumexp(scores, axis=1) - picked).mean()


def momentum(rate: float, x: jax.Array, g: jax.Array, p: jax.Array, q: Any, _t: Any) -> Tree:
    p = MOMENTUM * p - rate * g
    return x + p, p, q


def adam(rate: float, x: jax.Array, g: jax.Array, p: jax.Array, q: jax.Array, t: Any) -> Tree:
    p = BETA1 * p + (1 - BETA1) * g
    q = BETA2 * q + (1 - BETA2) * g * g
    unbiased = jnp.sqrt(q / (1 - BETA2**t)) + EPSILON
    return x - rate / (1 - BETA1**t) * p / unbiased, p, q


def step(problem: Problem, state: Tree, x: jax.Array, y: jax.Array) -> Tree:
    params, first, second, t = state
    value, slopes = jax.value_and_grad(loss)(params, x, y)
    slopes = [(g + L2 * w, h) for (g, h), (w, _) in zip(slopes, params, strict=True)]
    rule = partial(adam if problem.optimizer == "adam" else momentum, problem.learning_rate)
    leaves, form = jax.tree.flatten(params)
    several = zip(leaves, *map(jax.tree.leaves, (slopes, first, second)), strict=True)
    moved = zip(*(rule(*some, t + 1) for some in several), strict=True)
    return (*(form.unflatten(part) for part in moved), t + 1), value


def prepare(problem: Problem) -> Epoch:
    x, y, order = problem.data()
    members = [problem.weights(member) for member in range(problem.members)]
    params = jax.tree.map(lambda *values: jnp.stack(values), *members)
    zeros = partial(jax.tree.map, jnp.zeros_like)
    state = (params, zeros(params), zeros(params), jnp.zeros(problem.members))
    advance = partial(step, problem)
    if problem.members == 1:
        state = jax.tree.map(lambda values: values[0], state)
    else:
        advance = jax.vmap(advance, in_axes=(0, None, None))

    @partial(jax.jit, donate_argnums=0)
    def scan(state: Tree, x: jax.Array, y: jax.Array, order: jax.Array) -> Tree:
        return jax.lax.scan(lambda s, rows: advance(s, x[rows], y[rows]), state, order)

    fixed = (jnp.array(x), jnp.array(y), jnp.array(order.reshape(problem.steps, -1)))

    def epoch() -> float:
        nonlocal state
        state, losses = scan(state, *fixed)
        return float(losses.mean(axis=0).ravel()[0])

    return epoch
