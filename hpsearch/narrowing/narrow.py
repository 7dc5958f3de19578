"""From one stage's results to the next stage's ranges; pure functions.

On each dimension's own scale, the values of the best trials span the next range, with
a margin on both sides. What was decided and why is a `Verdict` per dimension.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpsearch.config.search_config import SearchConfig
from hpsearch.config.sections.stages import NarrowConfig
from hpsearch.narrowing.choices import remaining
from hpsearch.narrowing.ranges import judged, widened
from hpsearch.narrowing.verdicts import Verdict, sentence
from hpsearch.space.dimensions import CategoricalDimension, Dimension, FixedDimension, Numeric
from hpsearch.space.space import SearchSpace

__all__ = ["Limits", "StageResult", "Verdict", "border_verdicts", "conclude", "narrow", "promoted"]

NEEDED = 2
"""Fewer finite scores than this say nothing, and the range stays."""

Limits = Mapping[str, tuple[float, float]]
"""The lowest and highest value that makes sense, by name, both included."""


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a completed trial came to; a higher score is better, None or NaN is none."""

    number: int
    params: Mapping[str, Any]
    score: float | None


def narrow(
    space: SearchSpace,
    first: SearchSpace,
    results: Sequence[StageResult],
    rule: NarrowConfig,
    *,
    limits: Limits | None = None,
    stage: str = "",
    doubted: str | None = None,
) -> tuple[SearchSpace, tuple[Verdict, ...]]:
    """Return the next stage's space and a verdict per dimension.

    A range narrows only where `hpsearch.narrowing.significance` says so, and grows back to best
    values outside.

    Parameters
    ----------
    space
        The ranges that `results` were drawn from.
    first
        The config's own ranges: the unit of a linear dimension's margin and minimum
        width, and what `at_border: error` is about.
    results
        The stage's completed trials, in any order; equal scores rank by number.
    rule
        How many of the best count, the margin, and what happens at a border. With
        `error` nothing is raised: the verdict is marked `fatal`, and who runs the search
        ends it. A border that an earlier narrowing has drawn is never fatal.
    limits
        A range never grows beyond these, and such a border is no border case.
    stage
        The stage's name, for the verdicts.
    doubted
        An earlier stage whose ranks did not hold: what was narrowed by them grows back.
    """
    ranked = _ranked(results)
    kept = len(_best(ranked, rule.keep_top))
    if rule.significance < 1:  # All dimensions share the level (Bonferroni).
        level = rule.significance / max(1, len(space.free))
        rule = rule.model_copy(update={"significance": level})
    asked = _Question(rule, limits or {}, stage, doubted)
    verdicts = _verdicts(space, first, ranked, kept, asked)
    return space.with_ranges({verdict.name: verdict.after for verdict in verdicts}), verdicts


def border_verdicts(
    space: SearchSpace,
    results: Sequence[StageResult],
    *,
    first: SearchSpace | None = None,
    limits: Limits | None = None,
    stage: str = "",
) -> tuple[Verdict, ...]:
    """Return the verdicts of a stage that no narrowing follows; all ranges stay.

    `first` is the config's own space where `space` is a narrowed one.
    """
    ranked = _ranked(results)
    asked = _Question(None, limits or {}, stage)
    return _verdicts(space, first or space, ranked, len(ranked), asked)


def conclude(
    config: SearchConfig,
    index: int,
    space: SearchSpace,
    results: list[StageResult],
    doubted: str | None = None,
) -> tuple[SearchSpace, tuple[Verdict, ...]]:
    """Return the ranges of the stage after ``index`` and a verdict on each of its own.

    ``doubted`` is the stage before it, if that was too short to rank.
    """
    stage, following = config.stages[index], config.stages[index + 1 :]
    rule = following[0].narrow if following else None
    first, limits, sampled = config.search_space, config.limits, space.with_fixed(stage.fixed or {})
    if rule is None:
        verdicts = border_verdicts(sampled, results, first=first, limits=limits, stage=stage.name)
    else:
        _, verdicts = narrow(
            sampled, first, results, rule, limits=limits, stage=stage.name, doubted=doubted
        )
    return space.with_ranges({verdict.name: verdict.after for verdict in verdicts}), verdicts


def widest(space: SearchSpace, first: SearchSpace) -> SearchSpace:
    """Return all that was ever searched: the config's ranges, as far as they have grown."""
    wide = {n: widened(d, first[n]) for n, d in space.items() if isinstance(d, Numeric)}
    return SearchSpace({name: wide.get(name, first[name]) for name in space})


def promoted(results: Sequence[StageResult], keep_top: float) -> tuple[int, ...]:
    """Return the numbers of the best trials, best first: a count, or a share rounded up.

    Those without a finite score never are; equal scores rank by number.

    >>> promoted([StageResult(n, {}, s) for n, s in enumerate([0.1, None, 0.9, 0.9])], 2)
    (2, 3)
    """
    return tuple(result.number for result in _best(_ranked(results), keep_top))


def _ranked(results: Sequence[StageResult]) -> list[StageResult]:
    finite = [r for r in results if r.score is not None and math.isfinite(r.score)]
    return sorted(finite, key=lambda r: (-(r.score or 0.0), r.number))


def _best(ranked: Sequence[StageResult], keep_top: float) -> Sequence[StageResult]:
    """Take a count, or a share rounded up; the small term keeps 0.2 of 15 at 3."""
    whole = isinstance(keep_top, int)
    count = keep_top if whole else math.ceil(keep_top * len(ranked) - 1e-9)
    return ranked[: max(1, int(count))]


@dataclass(frozen=True, slots=True)
class _Question:
    """By what a stage is judged: the rule, what ranges may grow to, names of stages."""

    rule: NarrowConfig | None
    limits: Limits
    stage: str
    doubted: str | None = None


def _verdicts(
    space: SearchSpace,
    first: SearchSpace,
    ranked: Sequence[StageResult],
    kept: int,
    asked: _Question,
) -> tuple[Verdict, ...]:
    verdicts = []
    for name, dimension in space.items():
        if isinstance(dimension, FixedDimension):
            continue
        # A dimension need not be in every trial.
        having = [r for r in ranked if name in r.params]
        tried = [r.params[name] for r in having]
        best = range(sum(name in result.params for result in ranked[:kept]))
        verdict = Verdict.unmoved(name, asked.stage, dimension, len(having))
        if len(having) >= NEEDED and best:
            verdict = replace(verdict, best=tried[0], trial=having[0].number, doubted=asked.doubted)
            verdict = _judged(verdict, dimension, first[name], tried, best, asked)
        narrowed = asked.rule is not None
        verdicts.append(replace(verdict, text=sentence(verdict, narrowed=narrowed)))
    return tuple(verdicts)


def _judged(
    verdict: Verdict,
    dimension: CategoricalDimension | Numeric,
    original: Dimension,
    tried: Sequence[Any],
    best: range,
    asked: _Question,
) -> Verdict:
    if not isinstance(dimension, CategoricalDimension):
        limit = asked.limits.get(verdict.name, (-math.inf, math.inf))
        return judged(verdict, dimension, original, tried, best, asked.rule, limit)
    if asked.rule is None:
        return verdict
    return remaining(verdict, dimension, original, tried, tried[: len(best)], asked.rule)
