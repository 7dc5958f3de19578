"""The encoder: by hand, against scikit-learn's steps, and as a checkpoint stores it."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from workers.data.calendar import cycles
from workers.data.categories import Limits
from workers.data.columns import Column, columns_from_json
from workers.data.encoder import Encoder, fit_encoder
from workers.errors import CheckpointError

NAN = np.nan
COLUMNS = (
    Column("size"),
    Column("colour", "category", ("blue", "green", "red")),
    Column("when", "date"),
)
DAY = 86400.0
ROWS = np.array(
    [
        [1.0, 0, 0 * DAY],
        [NAN, 0, 31 * DAY],
        [3.0, 2, NAN],
        [5.0, NAN, 90.5 * DAY],
        [9.0, 1, 400 * DAY],
    ]
)


def seconds(*date: int) -> float:
    return (datetime.datetime(*date) - datetime.datetime(1970, 1, 1)).total_seconds()


def test_numbers_and_flags_by_hand() -> None:
    encoder = fit_encoder(COLUMNS, ROWS, Limits(min_frequency=2))
    numbers = [[1, 0], [4, 31 * DAY], [3, 60.75 * DAY], [5, 90.5 * DAY], [9, 400 * DAY]]
    assert encoder.numbers(ROWS).tolist() == numbers  # Medians of 1, 3, 5, 9 and of the dates.
    flags = encoder.flags(ROWS)
    assert flags[:, 0].tolist() == [0, 1, 0, 0, 0]
    assert flags[:, 1:4].tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert flags[:, 4].tolist() == [0, 0, 1, 0, 0]
    assert flags.shape == (5, 5 + 8) == (5, encoder.width)
    year = 2 * np.pi * np.array([0, 31, 60.75, 90.5, 35]) / 365
    np.testing.assert_allclose(flags[:, 5], np.sin(year), atol=1e-6)


def test_what_training_rows_lack_has_no_input() -> None:
    encoder = fit_encoder(COLUMNS, ROWS[[0, 4]], Limits(min_frequency=1))
    assert encoder.width == 2 + 6  # Colours, and year, month and week: both are at midnight.
    flags = encoder.flags(np.array([[NAN, 2, 0], [1, NAN, 0], [1, -1, 0], [1, 1, 0]]))
    assert flags[:, :2].tolist() == [[0, 0], [0, 0], [0, 0], [0, 1]]


def test_values_that_training_rows_lack_are_as_rare_ones() -> None:
    encoder = fit_encoder(COLUMNS[1:2], ROWS[:, 1:2], Limits(min_frequency=2))
    flags = encoder.flags(np.array([[0.0], [1], [2], [-1], [NAN]]))
    assert flags.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("values", [[0.0, 0, 0], [NAN, NAN, NAN], [0.0, 1, 2]])
def test_a_category_that_is_the_same_in_all_rows_tells_nothing(values: list[float]) -> None:
    encoder = fit_encoder(COLUMNS[1:2], np.array(values)[:, np.newaxis], Limits(min_frequency=2))
    assert encoder.width == 0
    assert encoder.numbers(np.zeros((3, 1))).tolist() == [[0], [0], [0]]


@pytest.mark.parametrize("most", [2, 3, 50])
def test_it_is_scikit_learns_imputation_and_one_hot(most: int) -> None:
    rng = np.random.default_rng(most)
    values = tuple("abcdefgh")
    places = rng.integers(len(values), size=(200, 1)) * (rng.random((200, 1)) < 0.8)
    x = np.hstack([np.where(rng.random((200, 1)) < 0.2, NAN, rng.normal(size=(200, 1))), places])
    columns = (Column("x"), Column("c", "category", values))
    train, new = x[:120], x[120:]
    encoder = fit_encoder(columns, train, Limits(min_frequency=15, max_categories=most))
    imputer = SimpleImputer(strategy="median", add_indicator=True).fit(train[:, :1])
    # scikit-learn counts the rare ones' column among max_categories.
    hot = OneHotEncoder(
        min_frequency=15,
        max_categories=most + 1,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    ).fit(train[:, 1:].astype(int))
    expected = np.hstack([imputer.transform(new[:, :1]), hot.transform(new[:, 1:].astype(int))])
    found = np.hstack([encoder.numbers(new), encoder.flags(new)])
    np.testing.assert_allclose(found, expected)


@given(st.permutations(range(3)), st.permutations(range(5)))
def test_the_order_of_columns_and_rows_says_nothing(columns: list[int], rows: list[int]) -> None:
    limits = Limits(min_frequency=2)
    plain = fit_encoder(COLUMNS, ROWS, limits)
    moved = fit_encoder([COLUMNS[c] for c in columns], ROWS[rows][:, columns], limits)
    for c, column in enumerate(columns):
        assert moved.parts[c].tolist() == plain.parts[column].tolist()


def test_categories_by_another_name_are_the_same() -> None:
    renamed = Column("colour", "category", ("azul", "rojo", "verde"))
    x = np.array([{0: 0.0, 1: 2.0, 2: 1.0}.get(place, NAN) for place in ROWS[:, 1]])[:, np.newaxis]
    limits = Limits(min_frequency=1)
    before = fit_encoder(COLUMNS[1:2], ROWS[:, 1:2], limits).flags(ROWS[:, 1:2])
    after = fit_encoder([renamed], x, limits).flags(x)
    assert after[:, [0, 2, 1, 3]].tolist() == before.tolist()


@pytest.mark.parametrize("moment", [(1968, 2, 29, 6), (2024, 12, 31, 23, 59, 59), (1970, 1, 5)])
def test_cycles_are_those_of_the_calendar(moment: tuple[int, ...]) -> None:
    when = datetime.datetime(*moment)
    year, month, week, day = (share[0] for share in cycles(np.array([seconds(*moment)])))
    days = (datetime.datetime(when.year + 1, 1, 1) - datetime.datetime(when.year, 1, 1)).days
    since = when - datetime.datetime(when.year, 1, 1)
    assert year == pytest.approx(since.total_seconds() / DAY / days)
    assert week == pytest.approx((when.weekday() + day) / 7)
    assert day == pytest.approx((when.hour + when.minute / 60 + when.second / 3600) / 24)
    assert 0 <= month < 1


def test_it_survives_a_checkpoint() -> None:
    encoder = fit_encoder(COLUMNS, ROWS, Limits(min_frequency=1))
    columns = columns_from_json([column.to_json() for column in COLUMNS])
    again = Encoder.from_arrays(encoder.to_arrays(), columns)
    assert columns == COLUMNS
    assert again.flags(ROWS).tobytes() == encoder.flags(ROWS).tobytes()
    assert again.numbers(ROWS).tobytes() == encoder.numbers(ROWS).tobytes()


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("0.number", np.array([0.0, 2.0])),
        ("0.number", np.array([NAN, 0.0])),
        ("0.number", np.zeros(3)),
        ("0.number", np.zeros(2, np.float32)),
        ("1.category", np.array([1.0])),
        ("1.category", np.array([0.0, 0.0, 3.0])),
        ("1.category", np.array([0.0, 0.0, 1.0, 0.0])),
        ("1.category", np.zeros((2, 2))),
        ("2.date", np.zeros(2)),
        ("3.number", np.zeros(2)),
    ],
)
def test_arrays_of_no_encoder_are_refused(name: str, array: np.ndarray) -> None:
    arrays = fit_encoder(COLUMNS, ROWS, Limits()).to_arrays() | {name: array}
    with pytest.raises(CheckpointError, match="encoder's array"):
        Encoder.from_arrays(arrays, COLUMNS)


@pytest.mark.parametrize(
    "found",
    [
        None,
        [1],
        [{"name": "a", "kind": "colour"}],
        [{"name": 1, "kind": "number"}],
        [{"name": "a", "kind": "category", "values": ["x", "x"]}],
        [{"name": "a", "kind": "category", "values": [1]}],
        [{"name": "a", "kind": "category", "values": "xy"}],
    ],
)
def test_what_describes_no_columns_is_refused(found: object) -> None:
    with pytest.raises(CheckpointError, match="columns must have"):
        columns_from_json(found)
