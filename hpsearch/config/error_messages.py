"""pydantic's errors in the project's words: the rule, the value, the remedy, in one line."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from workers.errors import InputError

Location = tuple[int | str, ...]

_RULES = {
    "json_invalid": "must be plain text and not nested too deep ({error})",
    "missing": "must have more items",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be greater than or equal to {ge:g}",
    "union_tag_invalid": "must have one of the types {expected_tags}",
    "union_tag_not_found": "must have a type",
    "string_pattern_mismatch": (
        "must be 1 to 64 letters, digits, dots, hyphens or underscores, the first no dot"
    ),
}
"""The rule by pydantic's name for the error, where its own words speak of Python."""


def unknown_key(path: str, key: str, known: Iterable[str]) -> InputError:
    """Return the error for a key that does not exist, with the closest that does.

    >>> str(unknown_key("network.drop_out", "drop_out", ["dropout", "hidden"]))
    "there is no key network.drop_out; got 'drop_out'; did you mean 'dropout'?"
    >>> unknown_key("network.lr", "lr", ["learning_rate", "hidden"]).remedy
    "did you mean 'learning_rate'?"
    """
    names = sorted(known)
    near = get_close_matches(key, names, n=1)
    near += [name for name in names if "".join(word[:1] for word in name.split("_")) == key]
    remedy = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(names)}"
    return InputError(f"there is no key {path}", repr(key), remedy)


def error_message(
    error: ValidationError,
    document: Any,
    *,
    where: str = "",
    model: type[BaseModel] | None = None,
) -> InputError:
    """Return the first of pydantic's complaints about ``document`` as an InputError.

    ``where`` is the path of ``document`` within the config, and ``model`` what it was
    checked against.
    """
    location, found = _alternatives(error, document)
    first = found[0]
    rules = list(dict.fromkeys(map(_rule, found)))
    value, key = first["input"], rules[0].partition(" ")[0]
    if first["type"] == "value_error" and isinstance(value, dict) and key in value:
        location, value, rules = (*location, key), value[key], [rules[0].removeprefix(f"{key} ")]
    path = ".".join(map(str, (*filter(None, [where]), *location))) or "the config"
    if first["type"] == "extra_forbidden":
        return unknown_key(path, str(location[-1]), _known(model, first["loc"][:-1]))
    if first["type"] == "missing" and isinstance(first["loc"][-1], str):
        return InputError(f"{path} must be given", "nothing", "add it to the config")
    rule = " or ".join([rules[0], *(rule.removeprefix("must be ") for rule in rules[1:])])
    joint = " " if rule.startswith("must") else ": "
    return InputError(f"{path}{joint}{rule}", _brief(value), "correct the value")


def _alternatives(error: ValidationError, document: Any) -> tuple[Location, list[ErrorDetails]]:
    """Return the place of the first complaint and all complaints about it.

    A value of one of several types has a complaint for each of them. Where one of them
    fits, what is wrong within it says more than that the others don't fit.
    """
    placed = [(_location(e, document), e) for e in error.errors(include_url=False)]
    top = placed[0][0]
    about = [(place, e) for place, e in placed if place[: len(top)] == top]
    fitting = [pair for pair in about if not pair[1]["type"].endswith(("_type", "literal_error"))]
    location = (fitting or about)[0][0]
    return location, [e for place, e in fitting or about if place == location]


def _rule(error: ErrorDetails) -> str:
    rule = _RULES.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
    rule = rule.removeprefix("Value error, ").partition(" after validation")[0]
    return re.sub(r"^(Input|String|Tuple) should", "must", rule)


def _location(error: ErrorDetails, document: Any) -> Location:
    """Return the parts that name something in ``document``, without pydantic's own tags."""
    parts = error["loc"]
    named = error["type"] in ("missing", "extra_forbidden") and isinstance(parts[-1], str)
    kept: list[int | str] = []
    for position, part in enumerate(parts):
        inside = isinstance(document, dict) and part in document
        item = isinstance(document, list | tuple) and isinstance(part, int)
        if inside or (item and int(part) < len(document)):
            kept.append(part)
            document = document[part]
        elif named and position == len(parts) - 1:
            kept.append(part)
    return tuple(kept)


def _known(model: type[BaseModel] | None, parts: Location) -> set[str]:
    """Return the keys that a model has at the place that ``parts`` lead to."""
    models = [model] if model else []
    for part in parts:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        tagged = [
            m
            for m in models
            if "type" in m.model_fields and part in get_args(m.model_fields["type"].annotation)
        ]
        if fields:
            models = [found for field in fields for found in _models(field.annotation)]
        elif tagged:
            models = tagged
    return {name for found in models for name in found.model_fields}


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
