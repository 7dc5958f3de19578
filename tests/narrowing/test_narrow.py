import json
import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hpsearch.config.sections.stages import NarrowConfig
from hpsearch.narrowing.narrow import StageResult, Verdict, border_verdicts, narrow, promoted
from hpsearch.space.dimensions import (
    CategoricalDimension,
    FloatDimension,
    IntDimension,
)
from hpsearch.space.scales import to_unit, width
from hpsearch.space.space import SearchSpace

LOG = FloatDimension(type="float", low=1e-6, high=10.0, log=True)
LINEAR = FloatDimension(type="float", low=0.0, high=0.6)
UNITS = IntDimension(type="int", low=8, high=512, log=True)


def results(name, values, scores=None):
    """Trials 0, 1, ... with the best first unless scores are given."""
    scores = range(len(values), 0, -1) if scores is None else scores
    return [
        StageResult(number, {name: value}, score)
        for number, (value, score) in enumerate(zip(values, scores, strict=True))
    ]


def next_of(dimension, values, *, scores=None, first=None, limits=None, **rule):
    """The next dimension and the verdict, of a space of one dimension called x."""
    space, original = SearchSpace({"x": dimension}), SearchSpace({"x": first or dimension})
    limits = {"x": limits} if limits else None
    found = results("x", values, scores)
    asked = NarrowConfig(**{"significance": 1.0, **rule})  # ranges follow the best in any case
    after, (verdict,) = narrow(space, original, found, asked, limits=limits)
    return after["x"], verdict


class TestByHand:
    def test_log_margin_is_in_decades(self):
        # The best 2 of 5 are 1e-3 and 1e-2; half a decade on both sides.
        after, _ = next_of(LOG, [1e-3, 1e-2, 1.0, 1e-5, 1e-6], keep_top=0.4, margin=0.5)
        assert after.low == pytest.approx(10**-3.5)
        assert after.high == pytest.approx(10**-1.5)

    def test_linear_margin_is_a_share_of_the_first_width(self):
        # 0.2 and 0.3, and a tenth of 0.6 on both sides.
        after, _ = next_of(LINEAR, [0.2, 0.3, 0.5], keep_top=2, margin=0.1, min_width=0.1)
        assert (after.low, after.high) == (pytest.approx(0.14), pytest.approx(0.36))

    def test_first_width_stays_the_unit_in_later_stages(self):
        now = FloatDimension(type="float", low=0.1, high=0.4)
        after, _ = next_of(now, [0.2, 0.25], first=LINEAR, keep_top=2, margin=0.1, min_width=0.1)
        assert (after.low, after.high) == (pytest.approx(0.14), pytest.approx(0.31))

    def test_min_width_is_centred_on_the_best(self):
        after, _ = next_of(LOG, [1e-3, 1e-2, 1.0], keep_top=2, margin=0.0, min_width=3.0)
        assert (after.low, after.high) == (pytest.approx(1e-4), pytest.approx(1e-1))

    def test_min_width_is_shifted_inside(self):
        after, _ = next_of(LOG, [5.0, 1e-3], keep_top=1, margin=0.0, min_width=2.0)
        assert (after.low, after.high) == (pytest.approx(0.1), 10.0)
        after, _ = next_of(LOG, [2e-6, 1e-3], keep_top=1, margin=0.0, min_width=2.0)
        assert (after.low, after.high) == (1e-6, pytest.approx(1e-4))

    def test_min_width_above_the_range_keeps_the_range(self):
        after, _ = next_of(LOG, [1e-3, 1e-2], min_width=9.0)
        assert after == LOG

    def test_whole_numbers_are_rounded_outwards(self):
        layers = IntDimension(type="int", low=1, high=11)
        after, _ = next_of(layers, [5, 6, 11], keep_top=2, margin=0.05, min_width=0.1)
        assert (after.low, after.high) == (4, 7)
        after, _ = next_of(UNITS, [64, 100, 500], keep_top=2, margin=0.1, min_width=0.1)
        # 64 / 10**0.1 = 50.8 and 100 * 10**0.1 = 125.9.
        assert (after.low, after.high) == (50, 126)

    def test_steps_stay_on_the_first_grid(self):
        stepped = FloatDimension(type="float", low=0.0, high=0.9, step=0.1)
        after, _ = next_of(stepped, [0.4, 0.5, 0.9], keep_top=2, margin=0.05, min_width=0.1)
        assert (after.low, after.high) == (0.3, 0.6)

    @pytest.mark.parametrize(
        ("keep_top", "kept"), [(0.2, 3), (0.21, 4), (1, 1), (1.0, 15), (7, 7), (99, 15), (0.01, 1)]
    )
    def test_keep_top_is_a_share_rounded_up_or_a_count(self, keep_top, kept):
        # Trial number n is the nth best and lies n / 10 up, so the range shows how many count.
        wide = FloatDimension(type="float", low=0.0, high=10.0)
        values = [n / 10 for n in range(15)]
        after, _ = next_of(wide, values, keep_top=keep_top, margin=0.0, min_width=1e-9)
        assert after.high == pytest.approx((kept - 1) / 10, abs=1e-7)

    def test_ties_go_to_the_lower_number(self):
        after, verdict = next_of(
            LINEAR, [0.5, 0.3, 0.1], scores=[1, 2, 2], keep_top=1, margin=0.0, min_width=0.01
        )
        assert verdict.trial == 1
        assert after.low < 0.3 < after.high < 0.5


class TestBorder:
    def test_the_warning_says_what_to_try(self):
        after, verdict = next_of(LOG, [7.9, 1.0, 1e-3], keep_top=2)
        assert after.high == 10.0
        assert verdict.at_border == "high"
        assert verdict.outermost
        assert not verdict.fatal
        assert verdict.text == (
            "x: best 7.9 (trial 0) lies at the upper border of 1e-06 .. 10 (log); better values "
            "may lie beyond: try high: 1000, or narrow: {at_border: extend}; next 0.562 .. 10 (log)"
        )

    def test_extend_grows_by_half_the_width(self):
        low_decades = FloatDimension(type="float", low=1e-4, high=1e-2, log=True)
        after, verdict = next_of(low_decades, [9e-3, 5e-3], keep_top=2, at_border="extend")
        assert after.high == pytest.approx(1e-1)
        assert (after.low, after.high) == verdict.after == verdict.extended
        assert "extended to 0.00281 .. 0.1 (log)" in verdict.text
        wide = FloatDimension(type="float", low=1.0, high=5.0)
        after, _ = next_of(wide, [1.1, 2.0], keep_top=1, margin=0.0, at_border="extend")
        assert after.low == -1.0

    def test_extend_grows_by_two_decades_at_most(self):
        after, _ = next_of(LOG, [7.9, 1.0], at_border="extend")
        assert after.high == pytest.approx(1e3)

    def test_both_modes_report_the_same_extended_range(self):
        warned = next_of(LOG, [7.9, 1.0, 1e-3], keep_top=2)[1]
        extended = next_of(LOG, [7.9, 1.0, 1e-3], keep_top=2, at_border="extend")[1]
        assert warned.extended == extended.after

    def test_error_is_fatal_at_the_configs_own_border_only(self):
        own = next_of(LOG, [7.9, 1.0], at_border="error")[1]
        assert own.fatal
        assert "try high: 1000 (narrow: {at_border: error} ends the search here)" in own.text
        drawn = FloatDimension(type="float", low=1e-3, high=1e-1, log=True)
        inner = next_of(drawn, [9e-2, 1e-2], first=LOG, at_border="error")[1]
        assert inner.at_border == "high"
        assert not inner.outermost
        assert not inner.fatal
        assert "try a larger margin" in inner.text

    def test_extension_goes_as_far_as_the_limits(self):
        after, _ = next_of(LOG, [7.9, 1.0], at_border="extend", limits=(0.0, 20.0))
        assert after.high == 20.0

    @pytest.mark.parametrize(("value", "limits"), [(0.0, (0.0, 1.0)), (0.6, (0.0, 0.6))])
    def test_a_natural_limit_is_no_border(self, value, limits):
        after, verdict = next_of(LINEAR, [value, 0.2], at_border="extend", limits=limits)
        assert verdict.at_border is None
        assert verdict.extended is None
        assert limits[0] <= after.low < after.high <= limits[1]
        assert "lies inside 0 .. 0.6" in verdict.text

    def test_whole_numbers_on_a_log_scale_stay_positive(self):
        few = IntDimension(type="int", low=1, high=100, log=True)
        assert next_of(few, [1, 3], at_border="extend")[1].at_border is None
        two = IntDimension(type="int", low=2, high=100, log=True)
        assert next_of(two, [2, 3], at_border="extend")[0].low == 1

    def test_five_percent_of_the_width_is_the_border(self):
        percent = FloatDimension(type="float", low=0.0, high=100.0)
        sides = [next_of(percent, [v, 50.0])[1].at_border for v in (4.9, 5.1, 94.9, 95.1)]
        assert sides == ["low", None, None, "high"]

    def test_the_last_stage_is_warned_too_and_keeps_its_ranges(self):
        space = SearchSpace({"x": LOG})
        (verdict,) = border_verdicts(space, results("x", [2e-6, 1.0]), stage="fine")
        assert verdict.at_border == "low"
        assert verdict.stage == "fine"
        assert verdict.before == verdict.after == (1e-6, 10.0)
        assert verdict.extended == (pytest.approx(1e-8), 10.0)
        assert "next" not in verdict.text
        (inside,) = border_verdicts(space, results("x", [1e-2, 1.0]))
        assert inside.text == "x: best 0.01 (trial 0) lies inside 1e-06 .. 10 (log)"

    def test_repeated_extension_finds_an_optimum_far_outside(self):
        # The optimum is at 1.0, three decades above the first range.
        first = FloatDimension(type="float", low=1e-6, high=1e-3, log=True)
        dimension, reached = first, []
        for _ in range(4):
            grid = [dimension.low * (dimension.high / dimension.low) ** (i / 20) for i in range(21)]
            grid = [min(max(v, dimension.low), dimension.high) for v in grid]
            scores = [-abs(math.log10(v)) for v in grid]
            dimension, _ = next_of(
                dimension, grid, scores=scores, first=first, keep_top=0.2, at_border="extend"
            )
            reached.append(dimension.low <= 1.0 <= dimension.high)
        assert reached[-1]


class TestChoices:
    def test_only_the_clearly_beaten_go(self):
        kind = CategoricalDimension(type="categorical", choices=("a", "b", "c", (1, 2)))
        # a is best; b was tried three times and never among the best two; c only twice.
        values = ["a", [1, 2], "b", "b", "c", "c", "b"]
        after, verdict = next_of(kind, values, keep_top=2)
        assert after.choices == ("a", "c", (1, 2))
        assert verdict.text == (
            "x: best a (trial 0) of a, b, c, [1, 2]; dropped b: tried, and never among the best "
            "(by chance: p = 0.29)"  # (4/7) (3/6)
        )
        after, verdict = next_of(kind, values, keep_top=2, significance=0.2)
        assert after.choices == kind.choices
        assert verdict.text.endswith("; all stay")

    def test_failures_do_not_count_as_tries(self):
        kind = CategoricalDimension(type="categorical", choices=("a", "b"))
        scores = [3, 2, 1, None, math.nan]
        after, _ = next_of(kind, ["a", "a", "b", "b", "b"], scores=scores, keep_top=1)
        assert after.choices == ("a", "b")


class TestTooLittle:
    @pytest.mark.parametrize(
        ("scores", "finite"), [([], 0), ([None, math.nan, math.inf, -math.inf], 0), ([1, None], 1)]
    )
    @pytest.mark.parametrize("at_border", ["warn", "extend", "error"])
    def test_the_range_stays_and_the_verdict_says_why(self, scores, finite, at_border):
        after, verdict = next_of(LOG, [10.0] * len(scores), scores=scores, at_border=at_border)
        assert after == LOG
        assert verdict.text == (
            "x: stays at 1e-06 .. 10 (log); narrowing needs 2 trials with a finite score, "
            f"and {finite} had one"
        )
        assert not verdict.fatal

    def test_a_dimension_that_none_of_the_best_has_stays(self):
        space = SearchSpace({"x": LOG, "y": LINEAR})
        found = [
            StageResult(0, {"x": 1e-3}, 9.0),
            StageResult(1, {"x": 1e-3, "y": 0.3}, 2.0),
            StageResult(2, {"x": 1e-3, "y": 0.4}, 1.0),
        ]
        after, (_, verdict) = narrow(space, space, found, NarrowConfig(keep_top=1))
        assert after["y"] == LINEAR
        assert "none of the best trials has it" in verdict.text


def test_the_best_finite_trials_are_promoted():
    found = results("x", [1.0] * 6, [0.5, math.inf, 0.7, None, 0.7, 0.1])
    assert promoted(found, 3) == (2, 4, 0)
    assert promoted(found, 0.5) == (2, 4)
    assert promoted(found, 99) == (2, 4, 0, 5)
    assert promoted([], 3) == ()


def test_values_outside_the_range_count_as_at_its_border():
    # A trial that was promoted from an earlier stage, or told to start with.
    after, verdict = next_of(LINEAR, [0.9, 0.3], keep_top=1, margin=0.0, min_width=0.5)
    assert verdict.at_border == "high"
    assert (after.low, after.high) == (pytest.approx(0.3), 0.6)


# Properties

MIXED = SearchSpace(
    {
        "rate": LOG,
        "dropout": LINEAR,
        "units": UNITS,
        "width": IntDimension(type="int", low=2, high=50, step=3),
        "kind": CategoricalDimension(type="categorical", choices=("a", "b", (1, 2))),
    }
)
PARAMS = st.fixed_dictionaries(
    {
        "rate": st.floats(1e-6, 10.0),
        "dropout": st.floats(0.0, 0.6),
        "units": st.integers(8, 512),
        "width": st.integers(0, 16).map(lambda step: 2 + 3 * step),
        "kind": st.sampled_from(("a", "b", (1, 2))),
    }
)
SCORES = st.one_of(st.none(), st.floats(), st.integers(0, 3).map(float))
TRIALS = st.lists(st.tuples(PARAMS, SCORES), max_size=12).map(
    lambda pairs: [StageResult(n, params, score) for n, (params, score) in enumerate(pairs)]
)
RULES = st.builds(
    NarrowConfig,
    keep_top=st.one_of(st.floats(0.01, 1.0), st.integers(1, 6)),
    margin=st.floats(0.0, 1.0),
    min_width=st.floats(0.01, 2.0),
    at_border=st.sampled_from(["warn", "extend", "error"]),
)


def finite(trials):
    return [t for t in trials if t.score is not None and math.isfinite(t.score)]


@given(TRIALS, RULES)
def test_narrowed_ranges_lie_inside_unless_extended(trials, rule):
    after, verdicts = narrow(MIXED, MIXED, trials, rule)
    for verdict in verdicts[:4]:
        name, side = verdict.name, verdict.at_border if rule.at_border == "extend" else None
        assert side == "low" or after[name].low >= MIXED[name].low
        assert side == "high" or after[name].high <= MIXED[name].high
    assert set(after["kind"].choices) <= set(MIXED["kind"].choices)


@given(TRIALS, RULES)
def test_the_best_trial_stays_inside(trials, rule):
    after, _ = narrow(MIXED, MIXED, trials, rule)
    if finite(trials):
        best = max(finite(trials), key=lambda trial: trial.score)
        assert after.contains(best.params)


@given(TRIALS, RULES)
def test_min_width_is_held(trials, rule):
    after, _ = narrow(MIXED, MIXED, trials, rule)
    for name, unit in (("rate", 1.0), ("units", 1.0), ("dropout", 0.6), ("width", 48)):
        least = min(rule.min_width * unit, width(MIXED[name]))
        assert width(after[name]) >= least * (1 - 1e-9)


@given(TRIALS, RULES, st.randoms())
def test_order_of_the_results_changes_nothing(trials, rule, random):
    shuffled = random.sample(trials, len(trials))
    assert narrow(MIXED, MIXED, shuffled, rule) == narrow(MIXED, MIXED, trials, rule)


@given(TRIALS, RULES)
def test_results_without_a_finite_score_change_nothing(trials, rule):
    assert narrow(MIXED, MIXED, finite(trials), rule) == narrow(MIXED, MIXED, trials, rule)
    assert border_verdicts(MIXED, finite(trials)) == border_verdicts(MIXED, trials)


@given(TRIALS, RULES)
def test_verdicts_survive_json(trials, rule):
    _, verdicts = narrow(MIXED, MIXED, trials, rule, stage="coarse")
    for verdict in (*verdicts, *border_verdicts(MIXED, trials)):
        assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
        assert verdict.text.startswith(f"{verdict.name}: ")
        assert "\n" not in verdict.text


@given(TRIALS, RULES, RULES)
def test_a_narrowed_space_can_be_narrowed_again(trials, rule, again):
    space, _ = narrow(MIXED, MIXED, trials, rule)
    after, _ = narrow(space, MIXED, trials, again)
    for name in ("rate", "dropout", "units", "width"):
        assert after[name].low <= after[name].high
        assert (after[name].low - 2) % 3 == 0 or name != "width"


@given(st.lists(st.floats(-5.9, 0.9), min_size=2, max_size=8), RULES, st.integers(-3, 3))
def test_a_log_range_moves_with_its_decade(exponents, rule, decades):
    assume(abs(abs((exponents[0] + 6) / 7 - 0.5) - 0.45) > 1e-9)
    moved = FloatDimension(
        type="float", low=10.0 ** (decades - 6), high=10.0 ** (decades + 1), log=True
    )
    here, _ = next_of(LOG, [10.0**e for e in exponents], **dict(rule))
    there, _ = next_of(moved, [10.0 ** (e + decades) for e in exponents], **dict(rule))
    assert there.low == pytest.approx(here.low * 10.0**decades, rel=1e-9)
    assert there.high == pytest.approx(here.high * 10.0**decades, rel=1e-9)


@given(st.lists(st.floats(0.0, 0.6), min_size=2, max_size=8), RULES)
@example([0.0, 0.0, 0.5, 0.25, 0.375, 0.125, 1.2e-35], NarrowConfig(keep_top=2, margin=0.0))
def test_a_linear_range_is_mirrored_with_its_values(values, rule):
    # Keep off the ties at exactly the border's edge, which rounding may decide either way.
    assume(abs(abs(to_unit(LINEAR, values[0]) - 0.5) - 0.45) > 1e-9)
    here, _ = next_of(LINEAR, values, **dict(rule))
    there, _ = next_of(LINEAR, [0.6 - value for value in values], **dict(rule))
    assert there.low == pytest.approx(0.6 - here.high, abs=1e-9)
    assert there.high == pytest.approx(0.6 - here.low, abs=1e-9)
