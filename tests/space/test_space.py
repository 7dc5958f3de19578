import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.config.lint import check, warnings
from hpsearch.space.dimensions import CategoricalDimension, FloatDimension, IntDimension
from hpsearch.space.scales import from_unit, on_grid, snapped, to_unit, width
from hpsearch.space.space import SearchSpace, describe
from workers.errors import InputError


def real(low, high, log=False, step=None):
    return FloatDimension(type="float", low=low, high=high, log=log, step=step)


def whole(low, high, log=False, step=1):
    return IntDimension(type="int", low=low, high=high, log=log, step=step)


def choice(*choices):
    return CategoricalDimension(type="categorical", choices=choices)


EXAMPLE = SearchSpace(
    {
        "learning_rate": real(1e-6, 10.0, log=True),
        "dropout": real(0.0, 0.6),
        "units": whole(8, 512, log=True),
        "hidden": choice((64,), (64, 32), "auto"),
    }
)


class TestScale:
    def test_worked_places(self):
        assert to_unit(real(1e-6, 1e2, log=True), 1e-2) == pytest.approx(0.5)
        assert to_unit(real(2.0, 6.0), 3.0) == 0.25
        assert to_unit(real(2.0, 6.0), 8.0) == 1.5
        assert from_unit(real(1e-6, 1e2, log=True), 0.75) == pytest.approx(1.0)
        assert from_unit(whole(0, 10), 0.26) == 3

    def test_width_is_in_decades_on_a_log_scale(self):
        assert width(real(1e-3, 1e2, log=True)) == pytest.approx(5)
        assert width(real(1e-3, 1e2)) == pytest.approx(99.999)

    def test_range_of_one_value_has_its_value_in_the_middle(self):
        assert to_unit(whole(3, 3), 3) == 0.5

    @given(
        low=st.floats(1e-9, 1e3),
        factor=st.floats(1.1, 1e9),
        log=st.booleans(),
        place=st.floats(0, 1),
    )
    def test_from_unit_inverts_to_unit_and_stays_inside(self, low, factor, log, place):
        dimension = real(low, low * factor, log=log)
        value = from_unit(dimension, place)
        assert dimension.low <= value <= dimension.high
        assert to_unit(dimension, value) == pytest.approx(place, abs=1e-6)

    @given(low=st.floats(1e-9, 1e3), factor=st.floats(1.1, 1e9), log=st.booleans())
    def test_ends_are_exact(self, low, factor, log):
        dimension = real(low, low * factor, log=log)
        assert from_unit(dimension, 0) == low
        assert from_unit(dimension, 1) == low * factor


class TestGrid:
    def test_steps_are_decimal(self):
        assert on_grid(real(0.0, 1.0, step=0.1), 3) == 0.3

    def test_rounds_outwards_but_stays_inside(self):
        assert snapped(whole(0, 20, step=5), 6, 11, (0, 20)) == (5, 15)
        assert snapped(whole(1, 10, step=4), 2, 10, (1, 10)) == (1, 9)
        assert snapped(real(0.0, 1.0, step=0.25), 0.3, 0.5, (0.0, 1.0)) == (0.25, 0.5)
        assert snapped(whole(1, 9), 0.2, 9.5, (-math.inf, math.inf)) == (0, 10)

    def test_without_steps_nothing_moves(self):
        assert snapped(real(0.0, 1.0), 0.123, 0.456, (0.0, 1.0)) == (0.123, 0.456)

    def test_a_logarithm_does_not_lose_a_whole_number(self):
        assert snapped(whole(1, 100, log=True), 10 ** math.log10(8), 50, (1, 100)) == (8, 50)


class TestSearchSpace:
    def test_is_a_mapping_in_the_given_order(self):
        assert list(EXAMPLE) == ["learning_rate", "dropout", "units", "hidden"]
        assert len(EXAMPLE) == 4
        assert EXAMPLE["dropout"] == real(0.0, 0.6)

    def test_does_not_follow_the_dict_it_was_made_from(self):
        given = {"a": real(0.0, 1.0)}
        space = SearchSpace(given)
        given["b"] = real(0.0, 1.0)
        assert list(space) == ["a"]

    @pytest.mark.parametrize(
        ("changed", "inside"),
        [
            ({}, True),
            ({"hidden": [64, 32]}, True),
            ({"hidden": (32, 64)}, False),
            ({"learning_rate": 11.0}, False),
            ({"learning_rate": math.nan}, False),
            ({"dropout": 0}, True),
            ({"dropout": True}, False),
            ({"dropout": "0.1"}, False),
            ({"units": 8.5}, False),
            ({"units": math.inf}, False),
            ({"other": 1}, False),
        ],
    )
    def test_contains(self, changed, inside):
        params = {"learning_rate": 10.0, "dropout": 0.0, "units": 8, "hidden": (64,)}
        assert EXAMPLE.contains({**params, **changed}) is inside

    def test_contains_needs_every_name(self):
        assert not EXAMPLE.contains({"learning_rate": 1.0})

    def test_other_ranges_leave_the_rest_alone(self):
        space = EXAMPLE.with_ranges({"units": (16.0, 64.0), "hidden": ("auto",)})
        assert space["units"] == whole(16, 64, log=True)
        assert space["hidden"] == choice("auto")
        assert space["dropout"] == EXAMPLE["dropout"]
        assert EXAMPLE["units"].high == 512

    @given(
        low=st.floats(-1e300, 1e300),
        high=st.floats(allow_nan=False, allow_infinity=False),
        choices=st.lists(
            st.one_of(st.booleans(), st.integers(), st.floats(0, 1), st.text(max_size=3)),
            min_size=1,
        ),
    )
    def test_json_round_trip_is_exact(self, low, high, choices):
        space = SearchSpace({"b": real(low, high), "a": choice(*choices, tuple(choices))})
        again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
        assert again == space
        assert repr(again) == repr(space)

    def test_reads_as_a_range(self):
        assert [describe(dimension) for dimension in EXAMPLE.values()] == [
            "1e-06 .. 10 (log)",
            "0 .. 0.6",
            "8 .. 512 (log)",
            "[64], [64, 32], auto",
        ]


class TestCheck:
    @pytest.mark.parametrize(
        ("dimension", "rule", "remedy"),
        [
            (real(1.0, 1.0), "low must be below high", "widen"),
            (real(2.0, 1.0), "low must be below high", "swap them"),
            (whole(3, 2), "low must be below high", "swap them"),
            (real(0.0, 1.0, log=True), "low must be above 0 on a log scale", "low above 0"),
            (real(-6.0, 1.0, log=True), "low must be above 0", "did you mean 1e-06 and 10?"),
            (whole(-2, 3, log=True), "low must be above 0", "did you mean 0.01 and 1000?"),
            (real(0.1, 1.0, log=True, step=0.1), "a log scale has no step", "remove"),
            (whole(1, 9, log=True, step=2), "a log scale has no step", "remove"),
            (real(0.0, 1.0, step=1.5), "step must not be above high - low", "lower step"),
            (choice("a", "b", "a"), "every choice is given once", "remove one"),
            (choice(1, 1.0), "every choice is given once", "remove one"),
        ],
    )
    def test_one_line_names_dimension_rule_and_remedy(self, dimension, rule, remedy):
        with pytest.raises(InputError) as caught:
            check(SearchSpace({"good": real(0.0, 1.0), "l2": dimension}))
        assert caught.value.rule.startswith(f"search_space.l2: {rule}")
        assert remedy in caught.value.remedy
        assert "\n" not in str(caught.value)

    def test_says_what_it_got(self):
        with pytest.raises(InputError, match=r"got low=-6, high=1;"):
            check(SearchSpace({"l2": real(-6.0, 1.0, log=True)}))

    def test_good_spaces_pass(self):
        check(EXAMPLE)
        check(SearchSpace({"a": choice(True, 1, "1"), "b": real(0.0, 1.0, step=1.0)}))


class TestWarnings:
    @pytest.mark.parametrize(
        ("dimension", "text"),
        [
            (real(-6.0, 1.0), "did you mean low: 1e-06, high: 10, log: true?"),
            (real(1.0, 3.0, log=True), "1 .. 3 (log) is 0.48 decades"),
            (real(1e-4, 1.0), "above 0.1; did you mean log: true?"),
            (whole(1, 10, step=4), "did you mean high: 9?"),
            (real(0.0, 1.0, step=0.3), "did you mean high: 0.9?"),
            (choice(16, 32, 64, 128), "did you mean {type: int, low: 16, high: 128}?"),
            (choice(0.1, 0.2, 0.3, 1), "did you mean {type: float, low: 0.1, high: 1}?"),
        ],
    )
    def test_odd_ranges_are_named(self, dimension, text):
        (line,) = warnings(SearchSpace({"l2": dimension}))
        assert line.startswith("search_space.l2: ")
        assert text in line
        assert "\n" not in line

    @pytest.mark.parametrize(
        "dimension",
        [
            real(-1.0, 1.0),
            real(-5.5, 1.0),
            real(1.0, 4.0, log=True),
            real(0.0, 1e6),
            real(0.0, 0.3, step=0.1),
            choice(16, 32, 64),
            choice(16, 32, 64, "auto"),
            choice(True, False),
        ],
    )
    def test_usual_ranges_are_not(self, dimension):
        assert warnings(SearchSpace({"x": dimension})) == []

    def test_example_is_clean(self):
        assert warnings(EXAMPLE) == []
