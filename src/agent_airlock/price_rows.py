"""Rows of prices that a user writes down, read exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from .money import rate
from .values import shown

_REQUIRED: Final = ("input", "output")
_CACHE: Final = ("cache_read", "cache_write", "cache_write_1h")


def read_prices(row: object, what: str, *, per_tokens: int, limits: tuple[str, ...] = ()) -> dict[str, int]:
    """The prices that ``row`` gives, in USD per ``per_tokens`` tokens, as whole femtodollars per token.

    What it does not give is not in the answer. ``limits`` are the keys that it may have besides; they are not read.

    Raises:
        ValueError: a row that is no mapping, a key that is missing or not allowed, or a price that is not one.
    """
    optional = (*_CACHE, *limits)
    allowed = f"{' and '.join(map(repr, _REQUIRED))}, and optionally {', '.join(map(repr, optional))}"
    given = cast("Mapping[Any, Any]", row)
    if not isinstance(row, Mapping) or not set(_REQUIRED) <= given.keys():
        raise ValueError(f"{what} must be a mapping with {allowed}, not {shown(given)}")
    for key, value in given.items():
        if key not in _REQUIRED and key not in optional:
            said = f"{what} has the key {shown(key)} (value {shown(value)}); allowed are {allowed}."
            raise ValueError(said + _nearest(key, (*_REQUIRED, *optional)))
    return {
        key: rate(given[key], per_tokens=per_tokens, what=f"{what}[{key!r}]")
        for key in (*_REQUIRED, *_CACHE)
        if key in given
    }


def _nearest(key: object, allowed: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(key[:80], allowed, 1) if isinstance(key, str) else []
    return f" Did you mean {found[0]!r}?" if found else ""
