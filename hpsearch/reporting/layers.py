"""The layers of a report's best trials: their updates and activations, and what they say."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from hpsearch.charts import axes
from hpsearch.charts.frame import Frame, line
from hpsearch.charts.marks import legend
from hpsearch.charts.markup import Markup, join, table, tag
from hpsearch.diagnosis.layers import GOOD_RATIO, diagnose_layers
from hpsearch.reporting.curves import finalists, readings
from hpsearch.reporting.data import RunData
from hpsearch.storage.sqlite.rows import LayerRow

BEST: Final = 3
"""How many trials have their layers drawn."""

_LINES: Final = 6
"""How many layers are drawn: as many as lines can be told apart."""

_POINTS: Final = 150
_HEADINGS: Final = (
    "layer", "update / weights", "gradient", "mean", "standard deviation", "dead", "saturated"
)  # fmt: skip
_NOTE: Final = (
    "Updates and gradients are those of the epoch's last full mini-batch; activations, dead "
    "units (zero on every row) and saturated activations those of the validation rows. The "
    "last layer's activations are the scores. The table shows the last epoch."
)


def layers(run: RunData) -> Markup | None:
    """Return the best trials' layers; None if the run has no diagnostics."""
    best = finalists(run) or run.ranked
    trials = [trial for trial in best if run.layers.get(trial.number)][:BEST]
    if not trials:
        return None
    cards = [
        tag("article", tag("h3", f"Trial {trial.number}"), *_card(run.layers[trial.number]))
        for trial in trials
    ]
    return join([tag("p", _NOTE, class_="note"), *cards])


def _card(rows: Sequence[LayerRow]) -> Iterable[Markup]:
    last = [row for row in rows if row.epoch == rows[-1].epoch]
    drawn = _chosen(len(last))
    yield legend(_entries(drawn, len(last)))
    good = [(float(row.epoch), GOOD_RATIO) for row in rows]
    ratios = _chart(rows, drawn, "update_ratio", "update / weights", good)
    yield tag("div", ratios, _chart(rows, drawn, "activation_std", _SPREAD), class_="pair")
    yield table(_HEADINGS, [_row(row, len(last)) for row in last])
    yield readings(diagnose_layers(rows))


_SPREAD: Final = "standard deviation of the activations"


def _chosen(count: int) -> list[int]:
    """Return which layers are drawn: all, or some from the first to the last."""
    if count <= _LINES:
        return list(range(1, count + 1))
    return [1 + round(i * (count - 1) / (_LINES - 1)) for i in range(_LINES)]


def _entries(drawn: Sequence[int], count: int) -> Iterable[tuple[str, str, str]]:
    for index, layer in enumerate(drawn):
        yield f"line l{index}", "M0 6h24", _name(layer, count)
    yield "rule", "M0 6h24", f"{GOOD_RATIO:g}: about good"


def _name(layer: int, count: int) -> str:
    return f"layer {layer} (scores)" if layer == count else f"layer {layer}"


def _chart(
    rows: Sequence[LayerRow],
    drawn: Sequence[int],
    name: str,
    title: str,
    good: Sequence[tuple[float, float]] = (),
) -> Markup:
    values = {
        layer: [(row.epoch, _value(row, name)) for row in rows if row.layer == layer]
        for layer in drawn
    }
    flat = [value for pairs in values.values() for _, value in pairs]
    x = axes.whole("epoch", [1, *(row.epoch for row in rows)], pad=0.02)
    y = axes.logarithmic(title, [*flat, *(value for _, value in good)])
    frame = Frame(x, y, height=240)
    parts = [line(frame, [good[0], good[-1]], kind="rule", title="about good")] if good else []
    for index, pairs in enumerate(values.values()):
        stride = math.ceil(len(pairs) / _POINTS)
        few = [*pairs[:-1:stride], pairs[-1]]
        parts.append(line(frame, few, kind=f"l{index}", title=f"layer {drawn[index]}"))
    return frame.draw(*parts, label=f"{title} of each layer")


def _value(row: LayerRow, name: str) -> float:
    value = getattr(row.statistics, name)
    return math.nan if value is None else float(value)


def _row(row: LayerRow, count: int) -> list[str]:
    found = row.statistics
    numbers = (
        found.update_ratio, found.gradient_norm, found.activation_mean, found.activation_std
    )  # fmt: skip
    shares = (found.dead, found.saturated)
    return [
        _name(row.layer, count),
        *("" if value is None else f"{value:.2g}" for value in numbers),
        *("" if value is None else f"{value:.0%}".replace("%", " %") for value in shares),
    ]
