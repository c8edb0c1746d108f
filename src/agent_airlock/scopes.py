"""Scopes: what money is counted against, as users write it and as an account's id spells it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

KINDS: Final[tuple[str, ...]] = ("session", "agent", "user", "team", "workspace", "tier", "tool", "model")
"""In the order in which an account's id has them, however a budget writes them."""

GLOBAL: Final = "global"
NO_VALUE: Final = "-"
"""How an account of calls without a value is spelled; a value that is a lone dash is spelled ``%2D``."""
MAX_VALUE_BYTES: Final = 256
_STRAY: Final = re.compile(r"\*|%(?![0-9A-Fa-f]{2})")


class ScopePart(NamedTuple):
    """One kind of a scope: any value (``wildcard``), a value, or (neither) no value."""

    kind: str
    wildcard: bool
    value: str | None

    def matches(self, value: str | None) -> bool:
        return self.wildcard or self.value == value


def parse_scope(scope: str) -> tuple[ScopePart, ...]:
    """``global`` or ``kind:value`` joined by ``+``, in the order of :data:`KINDS`.

    ``%XX`` escapes what a value could not say otherwise (``+``, ``*``, ``%``, a lone ``-``): a value is a value, not
    a pattern.

    Raises:
        ValueError: anything else.
    """
    if scope == GLOBAL:
        return ()
    if not isinstance(scope, str):
        raise ValueError(f"Budget.scope must be text, not {scope!r}")
    parts: list[ScopePart] = []
    for text in scope.split("+"):
        kind, colon, value = text.partition(":")
        if kind not in KINDS or not colon or not value:
            raise ValueError(
                f"Budget.scope must be 'global' or kinds joined by '+', each 'kind:*' or 'kind:value', of "
                f"{', '.join(KINDS)}; not {scope!r}"
            )
        if any(part.kind == kind for part in parts):
            raise ValueError(f"Budget.scope names {kind!r} twice: {scope!r}")
        decoded = _decoded(value, scope)
        if is_too_long(decoded):
            raise ValueError(f"Budget.scope has a value longer than {MAX_VALUE_BYTES} bytes: {scope[:80]!r}…")
        parts.append(ScopePart(kind, value == "*", None if value in ("*", NO_VALUE) else decoded))
    return tuple(sorted(parts, key=lambda part: KINDS.index(part.kind)))


def _decoded(value: str, scope: str) -> str:
    if value != "*" and (stray := _STRAY.search(value)):
        raise ValueError(
            f"Budget.scope takes whole values, not patterns: write %{ord(stray[0][0]):02X} for {stray[0][0]!r} in "
            f"{scope!r}"
        )
    from urllib.parse import unquote  # here, because a process that imports the package may make no budget

    try:
        return unquote(value, errors="surrogatepass")
    except UnicodeDecodeError:
        raise ValueError(f"Budget.scope must escape whole UTF-8 characters; not {scope!r}") from None


def is_too_long(value: str) -> bool:
    """Whether a value is of more than 256 bytes in UTF-8, in which a character has at most 4."""
    return 4 * len(value) > MAX_VALUE_BYTES and len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE_BYTES


def encode_scope(values: Iterable[tuple[str, str | None]]) -> str:
    """The scope of an account: injective, so that no two calls' values ever share one by their spelling."""
    return "+".join(f"{kind}:{encode_value(value)}" for kind, value in values) or GLOBAL


def encode_value(value: str | None) -> str:
    """A value as ASCII; a lone dash stands for no value, and is escaped as a value."""
    if not value:
        return NO_VALUE
    if value == NO_VALUE:
        return "%2D"
    from urllib.parse import quote

    return quote(value, safe="", errors="surrogatepass")
