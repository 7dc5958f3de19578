"""pydantic's errors in the project's words, on models of the test's own."""

import json
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Len
from pydantic import Field, ValidationError, model_validator

from hpsearch.config.error_messages import error_message, unknown_key
from hpsearch.config.sections.base import Section


class Cat(Section):
    type: Literal["cat"]
    lives: Annotated[int, Ge(1)] = 9


class Dog(Section):
    type: Literal["dog"]
    tricks: tuple[str, ...] = ()


class Zoo(Section):
    name: str
    area: Annotated[float, Gt(0)] = 1.0
    size: Annotated[int, Ge(1)] | Literal["full"] = 1
    shares: Annotated[float, Ge(0)] | tuple[Annotated[float, Ge(0)], ...] = 0.0
    pair: tuple[int, int] | None = None
    pets: Annotated[
        tuple[Annotated[Cat | Dog, Field(discriminator="type")], ...] | None, Len(1)
    ] = None
    best: Cat | None = None
    opening: int = 9
    closing: int = 17

    @model_validator(mode="after")
    def _check(self) -> "Zoo":
        if self.opening >= self.closing:
            raise ValueError("opening must be before closing")
        if self.name == "none":
            raise ValueError("there must be a zoo")
        return self


def line(document: Any, where: str = "") -> str:
    with pytest.raises(ValidationError) as caught:
        Zoo.model_validate_json(json.dumps(document))
    return str(error_message(caught.value, document, where=where, model=Zoo))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": 5}, "name must be text; got 5; correct the value"),
        ({"area": "wide"}, "area must be a number; got 'wide'; correct the value"),
        ({"area": 0}, "area must be greater than 0; got 0; correct the value"),
        ({"nam": "x"}, "there is no key nam; got 'nam'; did you mean 'name'?"),
        # Of several types: all of them, or what is wrong within the one that fits.
        ({"size": "all"}, "size must be a whole number or 'full'; got 'all'; correct the value"),
        ({"size": 0}, "size must be greater than or equal to 1; got 0; correct the value"),
        ({"shares": "x"}, "shares must be a number or a list; got 'x'; correct the value"),
        (
            {"shares": [0.5, -1]},
            "shares.1 must be greater than or equal to 0; got -1; correct the value",
        ),
        ({"pair": [1]}, "pair must have more items; got [1]; correct the value"),
        ({"pair": [1, 2, 3]}, "pair must have at most 2 items; got [1, 2, 3]; correct the value"),
        ({"pets": []}, "pets must not be empty; got []; correct the value"),
        # Where pydantic puts a tag into the path.
        (
            {"pets": [{"type": "dog"}, {"type": "cat", "lives": 0}]},
            "pets.1.lives must be greater than or equal to 1; got 0; correct the value",
        ),
        (
            {"pets": [{"type": "cat", "live": 1}]},
            "there is no key pets.0.live; got 'live'; did you mean 'lives'?",
        ),
        (
            {"pets": [{"type": "cow"}]},
            "pets.0 must have one of the types 'cat', 'dog'; got {'type': 'cow'};"
            " correct the value",
        ),
        ({"pets": [{}]}, "pets.0 must have a type; got {}; correct the value"),
        ({"best": {}}, "best.type must be given; got nothing; add it to the config"),
        ({"best": 5}, "best must be a mapping; got 5; correct the value"),
        (
            {"best": {"type": "cat", "tricks": []}},
            "there is no key best.tricks; got 'tricks'; use one of lives, type",
        ),
        # A model's own rule that begins with one of its keys is about that key.
        ({"opening": 20}, "opening must be before closing; got 20; correct the value"),
        ({"name": "\ud800"}, "the config must be plain text and not nested too deep"),
    ],
)
def test_one_line(changes: dict[str, Any], expected: str) -> None:
    assert line({"name": "x"} | changes).startswith(expected)


def test_a_rule_about_no_key_is_about_all_of_them() -> None:
    assert line({"name": "none"}, where="zoo") == (
        "zoo: there must be a zoo; got {'name': 'none'}; correct the value"
    )


def test_the_place_of_the_document_comes_first() -> None:
    assert line({"name": 5}, where="a.b").startswith("a.b.name must be text")
    assert line({}, where="a.b") == "a.b.name must be given; got nothing; add it to the config"


def test_long_values_are_cut() -> None:
    assert len(line({"name": ["x" * 1_000]})) < 150


def test_an_unknown_key_without_a_near_one_lists_all() -> None:
    assert str(unknown_key("a.zzz", "zzz", ["low", "high"])) == (
        "there is no key a.zzz; got 'zzz'; use one of high, low"
    )
