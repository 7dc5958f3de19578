"""Errors reach a person on one line, also from another process."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import errors
from workers.errors import HpsearchError, InputError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, HpsearchError)
]


def example(kind: type[HpsearchError]) -> HpsearchError:
    if kind is InputError:
        return InputError("low must be below high", "low=3, high=2", "swap them")
    return kind("the disk is full; mend it and resume")


def test_all_kinds_are_found() -> None:
    assert {"HpsearchError", "InputError", "CheckpointError", "RunError"} <= {
        kind.__name__ for kind in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy]
)
def test_errors_survive_the_way_between_processes(kind: type[HpsearchError], clone: object) -> None:
    error = example(kind)
    twin = clone(error)  # type: ignore[operator]
    assert type(twin) is kind
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_caught_as_one_of_ours(kind: type[HpsearchError]) -> None:
    with pytest.raises(HpsearchError):
        raise example(kind)


def test_an_input_error_states_rule_value_and_remedy_in_this_order() -> None:
    text = str(InputError("RULE", "VALUE", "REMEDY"))
    assert [text.find(part) for part in ("RULE", "VALUE", "REMEDY")] == [0, 10, 17]


@given(st.text(), st.text(), st.text())
def test_an_input_error_is_one_line(rule: str, value: str, remedy: str) -> None:
    assert len(str(InputError(rule, value, remedy)).splitlines()) == 1
