"""What is wrong with an argument, told without repeating it: what a caller passes may be a secret."""

from __future__ import annotations

from typing import Final, cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

_MAX_DEPTH: Final = 64
_MAX_WORD: Final = 40
_MAX_TOLD: Final = 3
_REPEATING: Final = frozenset({"union_tag_invalid", "value_error", "assertion_error"})
"""Kinds of pydantic's errors whose text is, or may hold, what was passed. So may every kind that it does not know."""
_KNOWN: Final = frozenset(get_args(ErrorType)) - _REPEATING


def problems(argument: str, error: ValidationError) -> list[dict[str, str]]:
    """The first few things that are wrong with an argument: where, what, and pydantic's name for it."""
    details = error.errors(include_url=False, include_input=True)[:_MAX_TOLD]
    return [
        {"argument": place_of(argument, detail["loc"]), "problem": _told(detail), "expected": detail["type"]}
        for detail in details
    ]


def place_of(argument: str, location: tuple[int | str, ...]) -> str:
    """Where in the argument; a mapping's key is named only where it is a plain word."""
    words = [
        str(part) if isinstance(part, int) or (part.isidentifier() and len(part) <= _MAX_WORD) else "…"
        for part in location
    ]
    return ".".join([argument[:_MAX_WORD], *words])[:200]


def _told(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind in _KNOWN:
        return detail["msg"][:200]
    if kind == "union_tag_invalid":
        return f"Its tag should be one of {detail.get('ctx', {}).get('expected_tags')}"[:200]
    said = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")[:200]
    return said if said and not _repeats(said, detail["input"]) else "It is refused by its own validator"


def _repeats(said: str, value: object) -> bool:
    """Whether a text may hold a value. Of values that are not plain, nobody can say: it may."""
    if type(value) is str:
        return value.casefold().strip() in said.casefold() or any(
            word in said.casefold() for word in value.casefold().split() if len(word) > 3
        )
    if type(value) in (int, float):
        return any(part in said for part in (repr(value), str(value).lstrip("-")))
    return value is not None


def is_json(value: object, depth: int = 0) -> bool:
    """Whether a value is what JSON can say, all the way down (text keys, no tuples, no instances)."""
    if value is None or type(value) in (str, int, float, bool):
        return True
    if depth > _MAX_DEPTH:
        return False
    if type(value) is list:
        return all(is_json(item, depth + 1) for item in cast("list[object]", value))
    if type(value) is dict:
        pairs = cast("dict[object, object]", value).items()
        return all(type(key) is str and is_json(item, depth + 1) for key, item in pairs)
    return False
