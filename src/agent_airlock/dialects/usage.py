"""Reads the token usage that a result reports, as the vendors' SDKs spell it.

Sources: openai 3.54.0 ``CompletionUsage`` and ``ResponseUsage``, anthropic 2.12.0 ``Usage``. What includes what
differs: OpenAI's input counts contain the cached and the cache-written tokens; Anthropic's ``input_tokens`` does
not, its three input counts are disjoint and are summed here. (litellm spells Anthropic's cache counts beside OpenAI's
``prompt_tokens``, which contains them.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from ..call import TokenUsage

_ABSENT: Final = object()


class MalformedUsage(ValueError):
    """A result reports a usage that means nothing: negative, boolean, fractional, NaN or text counts."""


def reported_usage(result: object) -> TokenUsage | None:
    """The usage of ``result.token_usage`` or ``result.usage`` (attribute or key); None where there is none.

    Raises:
        MalformedUsage: there is one, and it means nothing.
    """
    if result is None or type(result) in (str, int, float, bool, bytes, list, tuple):
        return None
    for name in ("token_usage", "usage"):
        usage = _get(result, name)
        if usage is not None and usage is not _ABSENT:
            return _read(usage)
    return None


def _read(usage: object) -> TokenUsage:
    input_tokens = _first(usage, "input_tokens", "prompt_tokens")
    output_tokens = _first(usage, "output_tokens", "completion_tokens")
    if input_tokens is None and output_tokens is None:
        raise MalformedUsage("a reported usage has neither input nor output tokens")
    read = _first(usage, "cache_read_input_tokens", "cache_read_tokens") or 0
    written = _first(usage, "cache_creation_input_tokens", "cache_write_tokens") or 0
    whole = input_tokens or 0
    disjoint = _first(usage, "prompt_tokens") is None
    if disjoint and _first(usage, "cache_read_input_tokens", "cache_creation_input_tokens") is not None:
        whole += read + written  # Anthropic's counts
    inside = _detail(usage, "input_tokens_details", "prompt_tokens_details")
    outside = _detail(usage, "output_tokens_details", "completion_tokens_details")
    reasoning = _first(outside, "reasoning_tokens", "thinking_tokens") or _first(usage, "reasoning_tokens") or 0
    try:
        return TokenUsage(
            input_tokens=whole,
            output_tokens=output_tokens or 0,
            total_tokens=max(whole + (output_tokens or 0), _first(usage, "total_tokens") or 0),
            cache_read_tokens=read or _first(inside, "cached_tokens") or 0,
            cache_write_tokens=written or _first(inside, "cache_write_tokens") or 0,
            cache_write_1h_tokens=_first(usage, "cache_write_1h_tokens")
            or _first(_detail(usage, "cache_creation"), "ephemeral_1h_input_tokens")
            or 0,
            reasoning_tokens=reasoning,
        )
    except ValueError as error:
        raise MalformedUsage(str(error)) from None


def _first(usage: object, *names: str) -> int | None:
    """The first of these counts that is there; None where none is."""
    for name in names:
        count = _get(usage, name)
        if count is _ABSENT or count is None:
            continue
        if type(count) is not int or count < 0:
            raise MalformedUsage(f"a reported usage has {name} of type {type(count).__name__}, or negative")
        return count
    return None


def _detail(usage: object, *names: str) -> object:
    for name in names:
        detail = _get(usage, name)
        if detail is not _ABSENT and detail is not None:
            return detail
    return None


def _get(holder: object, name: str) -> object:
    """An attribute, or a mapping's key."""
    try:
        if isinstance(holder, Mapping):
            mapping: Mapping[object, object] = cast("Mapping[object, object]", holder)
            return mapping.get(name, _ABSENT)
        return getattr(holder, name, _ABSENT)
    except Exception:  # somebody else's object
        return _ABSENT
