"""The charts of a report over all trials: one a hyperparameter, and the progress."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hpsearch.charts import axes
from hpsearch.charts.axes import Axis
from hpsearch.charts.frame import ROW, Frame, band, line, rule
from hpsearch.charts.marks import Mark, crosses, points, ring, thinned
from hpsearch.charts.markup import Markup, cut
from hpsearch.reporting.data import RunData, is_number
from hpsearch.space.dimensions import CategoricalDimension, FixedDimension, IntDimension, Numeric
from hpsearch.space.space import text_of
from hpsearch.storage.sqlite.rows import TrialRow

POINTS: Final = 1500
"""How many points all charts of hyperparameters have together, at most about."""

_FEWEST, _MOST, _FAILED = 50, 400, 60
_GOLDEN: Final = 0.6180339887


def dimension_chart(run: RunData, name: str) -> Markup:
    """Return the score against one hyperparameter, with each stage's range below it."""
    places, ranges = _places(run, name), _ranges(run, name)
    ends = [end for _, *both in ranges for end in both]
    x = _axis(name, run.dimensions[name], [*places.values(), *ends])
    frame = Frame(x, _score_axis(run), height=282 + ROW * len(ranges), bands=len(ranges))
    scored = _scored(run, frame, places, name)
    limit = max(_FEWEST, min(_MOST, POINTS // len(run.dimensions)))
    tints = [
        band(frame, low, high, row=row, stage=stage, name=run.stages[stage].name)
        for row, (stage, low, high) in enumerate(ranges)
    ]
    layers = [*tints, *_marks(run, frame, scored, places, name, limit)]
    return frame.draw(*layers, label=f"{run.metric} against {name}, {len(scored)} trials")


def progress_chart(run: RunData) -> Markup:
    """Return every trial's score in the order of their numbers, and the best so far."""
    places = {trial.number: float(trial.number) for trial in run.trials}
    x = axes.whole("trial", [0, *places.values()], pad=0.02)
    frame = Frame(x, _score_axis(run), width=1000, height=300)
    scored = _scored(run, frame, places, None)
    starts = [rule(frame, number - 0.5, name) for number, name in _beginnings(run)]
    steps = line(frame, _best_so_far(run), kind="so-far", title="best so far")
    layers = [*starts, steps, *_marks(run, frame, scored, places, None, _MOST)]
    return frame.draw(*layers, label=f"{run.metric} of {len(scored)} trials, and the best so far")


def _marks(
    run: RunData,
    frame: Frame,
    scored: Sequence[Mark],
    places: Mapping[int, float],
    name: str | None,
    limit: int,
) -> Iterator[Markup]:
    """Yield the failed trials at the plot's worse end, the others, and the ring of the best."""
    yield crosses(thinned(list(_failed(run, frame, places, name)), _FAILED))
    yield points(thinned(scored, limit)[::-1])
    first = run.ranked[0].number if run.ranked else -1
    if first in places:
        yield ring(scored[[t.number for t in run.scored if t.number in places].index(first)])


def _scored(
    run: RunData, frame: Frame, places: Mapping[int, float], name: str | None
) -> list[Mark]:
    """Return the marks of all trials with a score, best first."""
    marks = []
    for trial in run.scored:
        if trial.number in places and trial.best_score is not None:
            x, y = frame.at(places[trial.number], trial.best_score)
            state = "" if trial.state == "complete" else f", {trial.state}"
            title = f"{_title(run, trial, name)}{run.metric} {trial.best_score:.4g}{state}"
            marks.append(Mark(x, y, trial.stage, title, faint=trial.state == "pruned"))
    return marks


def _failed(
    run: RunData, frame: Frame, places: Mapping[int, float], name: str | None
) -> Iterator[Mark]:
    y = frame.bottom - 6 if run.sign > 0 else frame.top + 6
    for trial in run.failed:
        if trial.number in places:
            title = f"{_title(run, trial, name)}failed: {cut(trial.reason, 80)}"
            yield Mark(frame.across(places[trial.number]), y, trial.stage, title)


def _title(run: RunData, trial: TrialRow, name: str | None) -> str:
    value = "" if name is None else f"{name} {cut(text_of(trial.params[name]), 40)}, "
    return f"trial {trial.number}, {run.stage_name(trial)}: {value}"


def _score_axis(run: RunData) -> Axis:
    return axes.scores(run.metric, [t.best_score for t in run.scored if t.best_score is not None])


def _places(run: RunData, name: str) -> dict[int, float]:
    """Return where the trials lie on a dimension's axis, by number.

    Trials of one choice are spread over its place in an order that looks random.
    """
    having = [trial for trial in run.trials if name in trial.params]
    dimension = run.dimensions[name]
    if isinstance(dimension, Numeric):
        return {t.number: float(t.params[name]) for t in having if is_number(t.params[name])}
    keys = {json.dumps(choice): float(index) for index, choice in enumerate(dimension.choices)}
    places = {}
    for trial in having:
        place = keys.setdefault(json.dumps(trial.params[name]), float(len(keys)))
        places[trial.number] = place + 0.5 * ((trial.number * _GOLDEN) % 1 - 0.5)
    return places


def _ranges(run: RunData, name: str) -> list[tuple[int, float, float]]:
    """Return the index of each stage that has a range for a dimension, and its two ends."""
    ranges = []
    for index, space in enumerate(run.spaces):
        dimension = space.get(name)
        if isinstance(dimension, Numeric):
            ranges.append((index, float(dimension.low), float(dimension.high)))
        elif isinstance(dimension, FixedDimension) and is_number(dimension.value):
            ranges.append((index, float(dimension.value), float(dimension.value)))
    return ranges


def _axis(name: str, dimension: Numeric | CategoricalDimension, values: Sequence[float]) -> Axis:
    if isinstance(dimension, CategoricalDimension):
        return axes.categories(name, [text_of(choice) for choice in dimension.choices])
    if dimension.log:
        return axes.logarithmic(name, values)
    return (axes.whole if isinstance(dimension, IntDimension) else axes.linear)(name, values)


def _beginnings(run: RunData) -> list[tuple[float, str]]:
    """Return the number of each stage's first new trial, and its name."""
    last = max((trial.number for trial in run.trials), default=-1)
    return [(stage.first, stage.name) for stage in run.stages if stage.first <= last]


def _best_so_far(run: RunData) -> Iterator[tuple[float, float]]:
    """Yield the corners of the steps in which the best score rises or falls."""
    best: float | None = None
    for trial in sorted(run.ranked, key=lambda t: t.number):
        score = trial.best_score
        if score is None or (best is not None and run.sign * score <= run.sign * best):
            continue
        if best is not None:
            yield trial.number, best
        yield trial.number, score
        best = score
    if best is not None and run.trials:
        yield run.trials[-1].number, best
