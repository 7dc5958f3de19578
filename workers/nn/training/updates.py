"""The calls that turn gradients into the next parameters, and their numbers per step."""

from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.optimizers import KNOBS, OPTIMIZERS
from workers.nn.families.schedules import PACE, Moments, Times, momenta, plan
from workers.nn.layout import Floats, Integers, Layout
from workers.nn.network.products import Call
from workers.nn.network.regularizers import penalize, shorten
from workers.nn.spec import NetworkSpec
from workers.nn.training import averaging
from workers.nn.training.state import STALLS, UPDATES, TrainingState

_pace = attrgetter(*PACE)


def fill_rates(
    state: TrainingState, rates: Floats, *, epoch: int, epochs: float, done: int = 0
) -> None:
    """Fill ``(steps, members, 5)`` with an epoch's numbers for the optimizer's kernel.

    ``done`` of its steps are counted among the state's updates already. What members have in
    common is worked out once.
    """
    steps, specs = len(rates), state.specs
    times, counts = epoch - 1 + np.arange(steps) / steps, np.arange(1.0, steps + 1)
    updates, stalls = (state.counters[:, [UPDATES, STALLS]] - [done, 0]).T.tolist()
    paces = [(_pace(spec), stalled) for spec, stalled in zip(specs, stalls, strict=True)]
    plans = {
        pace: plan(spec, Moments(times, 1 / steps, epochs, pace[1]))
        for pace, spec in dict(zip(paces, specs, strict=True)).items()
    }
    warm, shape = np.array([plans[pace] for pace in paces]).transpose(1, 2, 0)
    rates[:, :, 0] = np.array([spec.learning_rate for spec in specs]) * warm * shape
    rates[:, :, 1] = momenta(specs, times, epochs)
    if OPTIMIZERS[specs[0].optimizer].unbiased:
        ages = [(s.beta1, s.beta2, age + 1) for s, age in zip(specs, updates, strict=True)]
        unbias = {age: _unbias(*age, steps) for age in set(ages)}
        rates[:, :, 2:4] = np.array([unbias[age] for age in ages]).transpose(2, 0, 1)
    rates[:, :, 4] = updates + counts[:, np.newaxis]


def _unbias(beta1: float, beta2: float, first: int, steps: int) -> tuple[Times, Times]:
    t = np.arange(first, first + steps, dtype=float)
    return 1 / (1 - beta1**t), 1 / np.sqrt(1 - beta2**t)


def update_calls(
    state: TrainingState, plan: Layout, gradient: Floats, *, clock: Integers, rates: Floats
) -> list[Call]:
    """Return the calls after the backward pass: penalties, the step, limits, average."""
    specs, rows = state.specs, state.rows
    calls: list[Call] = []
    if any(spec.l1 or spec.clip_norm for spec in specs):
        early = [(s.l2 if s.clip_norm else 0, s.l1, s.clip_norm or 0) for s in specs]
        numbers = np.array(early, np.float64)
        calls.append(partial(penalize, rows, gradient, plan.penalized, numbers))
    step = OPTIMIZERS[specs[0].optimizer]
    if step.update is not None:
        segments, scales = _segments(state, plan, step.per_tensor)
        knobs = np.array([_knobs(spec) for spec in specs], np.float64)
        fixed = (knobs, segments, scales, rows, gradient, state.slots)
        calls.append(partial(step.update, clock, rates, *fixed))
    limits = np.array([spec.max_norm or 0 for spec in specs], np.float64)
    if limits.any():
        calls += [
            partial(shorten, rows, t.start, t.shape[0], t.shape[1], t.turned, limits)
            for t in plan.tables + plan.weights
        ]
    if state.ema_decay:
        calls.append(partial(averaging.track, state.ema, rows, state.ema_decay))
    return calls


def _knobs(spec: NetworkSpec) -> list[float]:
    knobs = {name: getattr(spec, name) for name in KNOBS}
    if spec.clip_norm:
        knobs["l2"] = 0.0  # clipping has taken it into the gradient
    return list(knobs.values())


def _segments(state: TrainingState, plan: Layout, per_tensor: bool) -> tuple[NDArray[Any], Floats]:
    kind = state.rows.dtype
    if not per_tensor and not any(spec.fan_in_scaling for spec in state.specs):
        halves = [(0, plan.penalized, 1, 0, 0), (plan.penalized, plan.size, 0, 0, 0)]
        return np.array(halves), np.ones((len(state.specs), 2), kind)
    segments = [
        (t.start, t.stop, int(t.penalized), *(t.shape if t.penalized else (1, *t.shape)))
        for t in plan.tensors
    ]
    scales = [
        [plan.fan_in(t) ** -0.5 if spec.fan_in_scaling else 1 for t in plan.tensors]
        for spec in state.specs
    ]
    return np.array(segments), np.array(scales, kind)
