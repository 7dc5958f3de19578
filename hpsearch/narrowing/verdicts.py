"""What was decided about one dimension after a stage, and the sentence that says why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from hpsearch.space.dimensions import CategoricalDimension, Numeric
from hpsearch.space.space import range_text, text_of, tuples

Side = Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One dimension's verdict at the end of a stage.

    Ranges are ``(low, high)``, or the choices of a categorical dimension.

    Parameters
    ----------
    name, stage
        Whose verdict this is.
    type, log
        The dimension's type and whether its scale is logarithmic.
    finite
        How many of the stage's trials had this dimension and a finite score.
    best, trial, place
        The best trial's value (None if too few scores are finite), its number, and where
        its value lies in the range: 0 at low, 1 at high, None for choices.
    at_border
        The border the best value lies at, if better values can lie beyond it.
    outermost
        Whether that border is the config's own, not one that a narrowing has drawn.
    before, after
        The range that was searched and the next one.
    extended
        At a border: the range beyond it that is tried, or would be, with
        ``at_border: extend``.
    fatal
        Whether the search is to end here, as ``at_border: error`` asks.
    chance
        How probable it is that as many trials lie as close together as the best do, or, where
        a choice was dropped, that none of the best has it. None if it was not asked.
    believed
        Whether that is improbable enough for the range to narrow.
    doubted
        The stage whose ranks did not hold, so that what it narrowed is searched again.
    text
        All this in one sentence for a person.
    """

    name: str
    stage: str
    type: str
    log: bool
    finite: int
    best: Any
    trial: int | None
    place: float | None
    at_border: Side | None
    outermost: bool
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    extended: tuple[Any, ...] | None
    fatal: bool
    text: str = ""
    chance: float | None = None
    believed: bool = True
    doubted: str | None = None

    @classmethod
    def unmoved(
        cls, name: str, stage: str, dimension: CategoricalDimension | Numeric, finite: int
    ) -> "Verdict":
        """Return the verdict that nothing is known of a dimension, which stays as it is."""
        if isinstance(dimension, CategoricalDimension):
            log, values = False, dimension.choices
        else:
            log, values = dimension.log, (dimension.low, dimension.high)
        return cls(
            name=name,
            stage=stage,
            type=dimension.type,
            log=log,
            finite=finite,
            best=None,
            trial=None,
            place=None,
            at_border=None,
            outermost=False,
            before=values,
            after=values,
            extended=None,
            fatal=False,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes and :meth:`from_json` reads back, floats exactly."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Verdict":
        """Return the verdict that :meth:`to_json` wrote."""
        names = [field.name for field in fields(cls)]  # an older one lacks some
        return cls(**{name: tuples(value[name]) for name in names if name in value})


def sentence(verdict: Verdict, *, narrowed: bool) -> str:
    """Return the verdict in one sentence; `narrowed` says whether a next range is due."""
    name, before = verdict.name, _range(verdict, verdict.before)
    if verdict.best is None:
        return f"{name}: stays at {before}; {_why_unmoved(verdict)}"
    head = f"{name}: best {text_of(verdict.best)} (trial {verdict.trial})"
    if verdict.type == "categorical":
        return f"{head} of {before}{_choices_text(verdict) * narrowed}"
    if verdict.at_border is None or verdict.extended is None:
        low, high = verdict.before
        where = "inside" if low <= verdict.best <= high else "outside"
        return f"{head} lies {where} {before}{_next_text(verdict) * narrowed}"
    border = {"low": "lower", "high": "upper"}[verdict.at_border]
    beyond = f"{head} lies at the {border} border of {before}; better values may lie beyond"
    return f"{beyond}: {_remedy(verdict, narrowed=narrowed)}"


def _why_unmoved(verdict: Verdict) -> str:
    if verdict.finite < 2:
        return f"narrowing needs 2 trials with a finite score, and {verdict.finite} had one"
    return "none of the best trials has it"


def _choices_text(verdict: Verdict) -> str:
    dropped = [choice for choice in verdict.before if choice not in verdict.after]
    back = [choice for choice in verdict.after if choice not in verdict.before]
    texts = [f"back {', '.join(map(text_of, back))}{_doubt(verdict)}"] if back else []
    if dropped:
        odds = "" if verdict.chance is None else f" (by chance: p = {verdict.chance:.2g})"
        names = ", ".join(map(text_of, dropped))
        texts.append(f"dropped {names}: tried, and never among the best{odds}")
    return f"; {'; '.join(texts) or 'all stay'}"


def _next_text(verdict: Verdict) -> str:
    """Say what the next range is, and why it does not narrow or why it grows."""
    after = _range(verdict, verdict.after)
    if verdict.doubted is None and not verdict.believed and verdict.after == verdict.before:
        odds = f"p = {verdict.chance:.2g}"
        return f"; it stays: as many trials lie as close together by chance ({odds})"
    low, high = verdict.before
    if verdict.after[0] < low or verdict.after[1] > high:
        return f"; grows back to {after}{_doubt(verdict)}"
    if verdict.doubted is not None:
        return f"; it stays{_doubt(verdict)}"
    return f"; next {after}"


def _doubt(verdict: Verdict) -> str:
    return f", since the ranks of stage {verdict.doubted} did not hold" if verdict.doubted else ""


def _remedy(verdict: Verdict, *, narrowed: bool) -> str:
    """Inside the config's own range it was a narrowing that drew the border."""
    side, extended = verdict.at_border, verdict.extended or verdict.before
    if narrowed and verdict.after == extended:
        return f"extended to {_range(verdict, extended)}"
    bound = f"try {side}: {text_of(extended[side == 'high'])}"
    if verdict.fatal:
        return f"{bound} (narrow: {{at_border: error}} ends the search here)"
    way = bound if verdict.outermost else "try a larger margin"
    next_text = f"; next {_range(verdict, verdict.after)}" * narrowed
    return f"{way}, or narrow: {{at_border: extend}}{next_text}"


def _range(verdict: Verdict, values: tuple[Any, ...]) -> str:
    if verdict.type == "categorical":
        return ", ".join(map(text_of, values))
    return range_text(*values, log=verdict.log)
