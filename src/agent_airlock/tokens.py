"""Upper bounds of the tokens that text can be, without a tokenizer.

**Why bytes bound tokens.** Every token of a byte-level vocabulary covers at least one byte, so a text has at most
as many tokens as UTF-8 bytes: a proof for OpenAI's vocabularies, and for Claude's and Gemini's under the stated
assumption that theirs are byte-level (or fall back to bytes) too. Some normalise a text before they split it, and
that can make it longer (NFKC turns U+FDFA from 3 bytes into 33; Anthropic's published tokenizer does NFKC). So the
bound is the longest of the text, its NFC and its NFKC. On ordinary text it is 3 to 5 times the truth.
Source: npm ``@anthropic-ai/tokenizer`` 0.0.4, and 20,000 random strings on three
vocabularies, where the ratio reached 1.0 and never passed it.

**What is not seen.** What a function adds to its arguments (a system prompt, tools, a history, retrieved text), what
it makes of them (base64, repetitions), and images and audio, whose tokens are not proportional to their bytes. A
caller who does that says so with ``_airlock_input_tokens``.
"""

from __future__ import annotations

import dataclasses
from collections import UserString, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from json.encoder import encode_basestring, encode_basestring_ascii
from pathlib import PurePath
from typing import Any, Final, cast
from uuid import UUID

BASE_TOKENS: Final = 64
"""For what surrounds the text of a whole request: its priming, and special tokens."""
ITEM_TOKENS: Final = 16
"""For what frames one text: role, name, separators, the dummy prefix of SentencePiece."""
MAX_DEPTH: Final = 32
MAX_ITEMS: Final = 1_000_000

_FLOAT: Final = 24  # -1.7976931348623157e+308
_MOMENT: Final = 128  # the longest repr of a datetime with a timezone of the standard library
_UUID: Final = 44  # UUID('12345678-1234-1234-1234-123456789abc')
_NOTHING: Final = 5  # False, None, null


def text_bound(text: str) -> int:
    """The most tokens that ``text`` can be."""
    if text.isascii():
        return len(text)  # normalisation leaves ASCII as it is
    from unicodedata import is_normalized, normalize

    longest = len(text.encode("utf-8", "surrogatepass"))  # a lone surrogate is sent as 3 bytes, or as less
    if not is_normalized("NFC", text):
        longest = max(longest, len(normalize("NFC", text).encode("utf-8", "surrogatepass")))
    if not is_normalized("NFKC", text):
        longest = max(longest, len(normalize("NFKC", text).encode("utf-8", "surrogatepass")))
    return longest


def arguments_bound(arguments: Mapping[str, object], positional: Iterable[object] = ()) -> int:
    """The most tokens that the text in a call's arguments can be, by name and by position; never 0.

    A text argument counts as it is. (Hand it over as an argument, not in a list or a mapping: see below.)

    Counted: text, bytes, numbers, dates, enums, UUIDs, paths, and what mappings (keys too), lists, tuples, sets,
    queues, dataclasses and pydantic models hold of them. Text inside of these is counted as JSON would write it,
    escapes and all, because a function can only send it rendered. Anything else is opaque and counts nothing: its
    text could only be had by running its code.

    Raises:
        ValueError: more than 32 levels, more than 1,000,000 items, a value that contains itself, or one that fails
            when it is read.
    """
    total = BASE_TOKENS
    deep: list[object] = []
    for values in (positional, arguments.values()):
        for value in values:
            if type(value) is str:
                total += ITEM_TOKENS + (len(value) if value.isascii() else text_bound(value))
            elif value is not None:  # None is an argument that was left out
                deep.append(value)
    if deep:
        counter = _Counter()
        for value in deep:
            total += counter.count_argument(value)
    return total


class _Counter:
    """Counts one call's arguments: how many items it has seen, and the containers that it is inside of."""

    __slots__ = ("inside", "items")

    def __init__(self) -> None:
        self.items = 0
        self.inside: list[object] = []

    def count_argument(self, value: object) -> int:
        if issubclass(type(value), str) and not issubclass(type(value), Enum):
            # As it is, not as JSON would write it: it is the argument itself.
            return ITEM_TOKENS + text_bound(str.__str__(cast("str", value)))
        return self.count(value)

    def count(self, value: object) -> int:
        self.items += 1
        if self.items > MAX_ITEMS:
            raise ValueError(f"the arguments hold more than {MAX_ITEMS:,} items, too many to count their text")
        leaf = _LEAVES.get(type(value))
        if leaf is not None:
            return leaf(value)
        cls = type(value)
        for kind, bound in _SUBCLASSES:
            if issubclass(cls, kind) and not issubclass(cls, Enum):
                return bound(value)
        if (hasattr(cls, "__next__") or hasattr(cls, "__anext__")) and cls.__name__ != "ValidatorIterator":
            # (pydantic makes a ValidatorIterator of what was passed, and that is counted.)
            raise ValueError(f"a {cls.__name__} in the arguments can be read only once, so its text is not known")
        parts = _reading(value)
        return 0 if parts is None else self._count_parts(value, parts)

    def _count_parts(self, value: object, parts: Iterator[object]) -> int:
        if any(value is outer for outer in self.inside):
            raise ValueError(f"the arguments hold a {type(value).__name__} that contains itself")
        if len(self.inside) == MAX_DEPTH:
            raise ValueError(f"the arguments are nested more than {MAX_DEPTH} levels deep")
        self.inside.append(value)
        total = ITEM_TOKENS
        for part in parts:
            total += self.count(part)
        self.inside.pop()
        return total


def _reading(value: object) -> Iterator[object] | None:
    """What a container holds; where reading it fails (a property, a lazy mapping), a ValueError says so."""
    try:
        parts = _parts(value)
    except Exception as error:
        raise _unreadable(value, error) from None
    return None if parts is None else _guarded(value, parts)


def _guarded(value: object, parts: Iterable[object]) -> Iterator[object]:
    try:
        yield from parts
    except Exception as error:
        raise _unreadable(value, error) from None


def _unreadable(value: object, error: Exception) -> ValueError:
    return ValueError(f"a {type(value).__name__} in the arguments cannot be read ({type(error).__name__})")


def _parts(value: object) -> Iterable[object] | None:
    """What a container holds, names and keys too; None for anything else.

    Its type is asked, not ``isinstance``, which proxies answer with code of their own; and containers of the
    standard library are read by their own classes' code, not by a subclass's.
    """
    cls = type(value)
    for kind, read in _CONTAINERS:
        if issubclass(cls, kind):
            return read(value)
    if dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls)]
        return (cls.__name__, *_pairs((name, getattr(value, name, None)) for name in names))
    if hasattr(cls, "get_secret_value"):  # pydantic's SecretStr, SecretBytes, Secret
        return (cast("Any", value).get_secret_value(),)
    if hasattr(cls, "__pydantic_fields__"):
        extra: dict[str, object] | None = getattr(value, "__pydantic_extra__", None)
        return (cls.__name__, *_pairs([*vars(value).items(), *(extra or {}).items()]))
    return None


def _iterator(kind: Any) -> Callable[[object], Iterable[object]]:
    read: Callable[[object], Iterable[object]] = kind.__iter__
    return read


def _dict(value: object) -> Iterable[object]:
    items: Iterable[tuple[object, object]] = cast("Any", dict).items(value)
    return _pairs(items)


def _items(value: object) -> Iterable[object]:
    return _pairs(cast("Mapping[object, object]", value).items())


def _members(value: object) -> Iterable[object]:
    return cast("Iterable[object]", value)


def _enum(value: object) -> Iterable[object]:
    member = cast("Enum", value)
    return (type(member).__name__, member._name_, member._value_)  # "Colour.RED", or "red"


def _pairs(items: Iterable[tuple[object, object]]) -> Iterable[object]:
    return (part for item in items for part in item)


def _nested_text(value: object) -> int:
    """Text inside a container, as JSON would write it: ``é`` may be sent as ``\\u00e9``, a line's end as ``\\n``."""
    text = str.__str__(cast("str", value))
    escaped = len(encode_basestring_ascii(text))
    return ITEM_TOKENS + (escaped if text.isascii() else max(escaped, text_bound(encode_basestring(text))))


def _bytes(value: object) -> int:
    view = memoryview(cast("bytes | bytearray | memoryview", value))
    return ITEM_TOKENS + view.nbytes


def _whole(value: object) -> int:
    """Digits of a whole number: log₁₀ 2 < 1/3. (Its text is not made: Python refuses to, above 4,300 digits.)"""
    return ITEM_TOKENS + int.bit_length(cast("int", value)) // 3 + 2


def _constant(tokens: int) -> Callable[[object], int]:
    return lambda _: ITEM_TOKENS + tokens


def _decimal(value: object) -> int:
    return ITEM_TOKENS + len("Decimal('')") + len(Decimal.__str__(cast("Decimal", value)))


def _fraction(value: object) -> int:
    fraction = cast("Fraction", value)
    return _whole(fraction.numerator) + _whole(fraction.denominator)


def _path(value: object) -> int:
    return ITEM_TOKENS + _nested_text(PurePath.__str__(cast("PurePath", value)))


_SUBCLASSES: Final[tuple[tuple[type, Callable[[object], int]], ...]] = (
    (str, _nested_text),
    (bytes, _bytes),
    (bytearray, _bytes),
    (memoryview, _bytes),
    (int, _whole),
    (float, _constant(_FLOAT)),
    (complex, _constant(2 * _FLOAT + 4)),
    (Decimal, _decimal),
    (Fraction, _fraction),
    (date, _constant(_MOMENT)),  # datetime too
    (time, _constant(_MOMENT)),
    (timedelta, _constant(_MOMENT)),
    (tzinfo, _constant(_MOMENT)),
    (UUID, _constant(_UUID)),
    (PurePath, _path),
)
_LEAVES: Final[dict[type, Callable[[object], int]]] = {
    **dict(_SUBCLASSES),
    bool: _constant(_NOTHING),
    type(None): _constant(_NOTHING),
}
_CONTAINERS: Final[tuple[tuple[type, Callable[[object], Iterable[object]]], ...]] = (
    (dict, _dict),
    *((kind, _iterator(kind)) for kind in (list, tuple, set, frozenset, deque)),
    (Enum, _enum),
    (UserString, lambda value: (cast("UserString", value).data,)),
    (range, lambda value: (repr(value),)),
    (Sequence, _members),
    (Mapping, _items),
    (AbstractSet, _members),
    (ValuesView, _members),
)
