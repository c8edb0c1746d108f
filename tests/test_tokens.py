"""Upper bounds of a text's tokens: what is counted, what is not, and where counting stops."""

from __future__ import annotations

import json
import unicodedata
from collections import ChainMap, OrderedDict, UserDict, UserList, UserString, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, RootModel, SecretStr

from agent_airlock.tokens import BASE_TOKENS, ITEM_TOKENS, MAX_DEPTH, MAX_ITEMS, arguments_bound, text_bound

_ANY_TEXT = st.text(st.characters())  # lone surrogates too
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_ANY_TEXT, inner),
    max_leaves=20,
)


def bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def counted(value: object) -> int:
    """Tokens of one argument, without what every request has."""
    return arguments_bound({"a": value}) - BASE_TOKENS


# --- a text ----------------------------------------------------------------------------------------------


@given(_ANY_TEXT)
def test_a_text_is_at_most_its_longest_spelling_in_bytes(text: str) -> None:
    spellings = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFKC", text))
    assert text_bound(text) == max(map(bytes_of, spellings))


@given(st.text(st.characters(codec="ascii")))
def test_an_ascii_text_is_at_most_its_length(text: str) -> None:
    assert text_bound(text) == len(text)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("", 0),
        ("a", 1),
        ("é", 2),
        ("\ufdfa", 33),  # NFKC spells it out: 3 bytes become 33
        ("\u3316", 18),  # 6 times
        ("\u0344", 4),  # NFC makes two of it
        ("\u0344１", 7),  # and NFKC too, but it shortens the digit
        ("\ud800", 3),
        ("\U0001f600", 4),
    ],
)
def test_normalisation_that_lengthens_a_text_is_counted(text: str, bound: int) -> None:
    assert text_bound(text) == bound


# --- what is counted -------------------------------------------------------------------------------------


def test_a_call_without_arguments_is_never_zero() -> None:
    assert arguments_bound({}) == BASE_TOKENS > 0


def test_a_text_argument_counts_as_it_is_and_its_framing() -> None:
    assert arguments_bound({"q": "hello"}) == BASE_TOKENS + ITEM_TOKENS + 5
    assert counted('"\n') == ITEM_TOKENS + 2
    assert counted("\ufdfa") == ITEM_TOKENS + 33


def test_arguments_by_position_count_as_those_by_name_do() -> None:
    assert arguments_bound({"b": 3}, ("é\n", None)) == arguments_bound({"a": "é\n", "b": 3})


def test_bytes_count_as_many_tokens() -> None:
    for value in (b"12345", bytearray(b"12345"), memoryview(b"12345"), memoryview(b"1234567890")[::2]):
        assert counted(value) == ITEM_TOKENS + 5


def test_an_argument_that_was_left_out_counts_nothing() -> None:
    assert counted(None) == 0
    assert counted([None]) > ITEM_TOKENS


def test_several_arguments_add_up() -> None:
    assert arguments_bound({"a": "xy", "b": "z", "c": ["pq"]}) == BASE_TOKENS + 4 * ITEM_TOKENS + 2 + 1 + 4


@given(_JSON)
def test_a_value_is_at_least_what_any_way_to_render_it_has_in_bytes(value: object) -> None:
    bound = arguments_bound({"a": [value]})
    for ascii_only in (True, False):
        rendered = json.dumps(value, ensure_ascii=ascii_only)
        assert bound >= bytes_of(rendered)
        assert bound >= bytes_of(unicodedata.normalize("NFKC", rendered))
    assert bound >= bytes_of(str(value))


class Colour(Enum):
    RED = "red" * 10


class Size(IntEnum):
    EXTRAORDINARILY_LARGE = 3


class Mode(StrEnum):
    FAST_AND_FURIOUS_AT_ANY_PRICE = "fast"


@dataclass
class Node:
    text: str
    children: list[Node] = field(default_factory=list)
    _note: str = "private"


@dataclass(frozen=True, slots=True)
class Slotted:
    text: str


class Message(BaseModel):
    model_config = ConfigDict(extra="allow")

    role: str
    content: list[str]


MORE: dict[str, Any] = {"more": {"x": "w" * 100}}


class Texts(RootModel[list[str]]):
    pass


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("its code was run")

    __repr__ = __len__ = isascii = encode = __str__  # type: ignore[assignment]


class Items(list[str]):
    def __iter__(self) -> Iterator[str]:
        return iter(())


MOMENT = datetime(2026, 11, 24, 12, 34, 56, 789, tzinfo=ZoneInfo("America/Argentina/ComodRivadavia"))


@pytest.mark.parametrize(
    "value",
    [
        b"12345", bytearray(b"12345"), 0, -1, 10**30, True, 1.5, -1.7976931348623157e308,
        float("nan"), 1e-320, complex(1.5, -2), Decimal("1.50"), Decimal("-1e-300"), Fraction(-10**20, 3),
        MOMENT, MOMENT.date(), MOMENT.timetz(), datetime.max.replace(tzinfo=UTC), date.max, time.max,
        timedelta.max, timedelta.min, UUID(int=7), Path("/tmp/é\n"), Colour.RED,
        Size.EXTRAORDINARILY_LARGE, Mode.FAST_AND_FURIOUS_AT_ANY_PRICE,
        Node("a" * 50, [Node("é\n")]), Slotted("a" * 50), Message(role="user", content=["é" * 9], **MORE),
        Texts(["a" * 50]), ("a", "b"), {"a" * 30, "b"}, frozenset({"a" * 30}), deque(["a" * 30]),
        {"key" * 9: {"deeper" * 9: ["text"]}}, OrderedDict(a="b"), UserDict({"a" * 30: "b"}), ChainMap({"a" * 30: "b"}),
        MappingProxyType({"a" * 30: "b"}), {"a" * 30: 1}.keys(), {1: "a" * 30}.values(), {1: "a" * 30}.items(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_the_text_of_every_plain_value_is_counted(value: object) -> None:
    assert counted(value) >= max(map(bytes_of, (str(value), repr(value), f"{value}")))


@pytest.mark.parametrize("value", [-1.7976931348623157e308, 5e-324, -(2**64), 10**30, complex(-1e-300, -1e-300)])
def test_a_number_is_counted_without_using_up_its_framing(value: complex) -> None:
    assert counted(value) - ITEM_TOKENS >= len(str(value))


def test_text_inside_a_container_is_counted_as_it_grows() -> None:
    assert counted(["\ufdfa"]) == 2 * ITEM_TOKENS + 33 + len('""')
    assert counted(["é"]) == 2 * ITEM_TOKENS + len('"\\u00e9"')


def test_dataclasses_and_models_count_the_names_of_their_fields_as_json_does() -> None:
    node = Node("x" * 100, [Node("y" * 100)])
    assert counted(node) >= bytes_of(json.dumps(asdict(node)))
    message = Message(role="user", content=["z" * 100, "é" * 10], **MORE)
    assert counted(message) >= bytes_of(message.model_dump_json())


def test_a_whole_number_is_counted_without_making_its_text() -> None:
    huge = 10**50_000  # Python refuses to make its text
    assert counted(huge) >= 50_001


def test_subclasses_are_read_without_running_their_code() -> None:
    assert counted(Text("secret")) == ITEM_TOKENS + 6
    assert counted([Text("secret")]) == counted(["secret"])
    assert counted(Items(["secret"])) == counted(["secret"])


# --- what is not -----------------------------------------------------------------------------------------


class Opaque:
    def __init__(self) -> None:
        self.text = "x" * 100

    def __repr__(self) -> str:
        raise AssertionError("its code was run")

    __str__ = __iter__ = __len__ = __repr__

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"its code was run: {name}")


class Proxy:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise AssertionError("its code was run")


@pytest.mark.parametrize(
    "value",
    [Opaque(), MagicMock(spec=dict), object(), len, Message, Node, json],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_opaque_values_count_nothing_and_their_code_is_not_run(value: object) -> None:
    assert counted(value) == 0
    assert counted([value]) == ITEM_TOKENS


def test_a_proxy_is_not_asked_what_it_is() -> None:
    assert counted([Proxy()]) == ITEM_TOKENS


def test_what_can_be_read_only_once_is_refused_and_not_consumed() -> None:
    for texts in (iter(["a", "b"]), (text for text in ("a", "b"))):
        with pytest.raises(ValueError, match="read only once"):
            arguments_bound({"a": texts})
        assert list(texts) == ["a", "b"]


def test_a_range_is_counted_by_its_text_and_not_by_its_length() -> None:
    assert 0 < counted(range(10**12)) < 100


def test_text_in_wrappers_of_the_standard_library_and_of_pydantic_is_counted() -> None:
    for wrapped in (UserString("x" * 1_000), UserList(["x" * 1_000]), SecretStr("x" * 1_000)):
        assert counted(wrapped) >= 1_000


# --- where counting stops --------------------------------------------------------------------------------


def nested(depth: int) -> object:
    value: object = "text"
    for _ in range(depth):
        value = [value]
    return value


def test_the_deepest_nesting_that_is_allowed_is_counted() -> None:
    assert counted(nested(MAX_DEPTH)) == (MAX_DEPTH + 1) * ITEM_TOKENS + len('"text"')


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 10_000])
def test_deeper_nesting_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="nested more than 32 levels deep"):
        arguments_bound({"a": nested(depth)})


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append({"back": loop})
    with pytest.raises(ValueError, match="a list that contains itself"):
        arguments_bound({"a": loop})
    parent = Node("a")
    parent.children.append(parent)
    with pytest.raises(ValueError, match="a Node that contains itself"):
        arguments_bound({"a": parent})


def test_a_value_that_is_held_twice_is_counted_twice() -> None:
    text = ["abc"]
    assert counted([text, text]) == counted([["abc"], ["abc"]])


def test_more_items_than_a_million_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1,000,000 items"):
        arguments_bound({"a": [0] * MAX_ITEMS})
    wide: list[object] = ["x"]
    for _ in range(25):  # 25 levels deep, 2²⁵ texts long
        wide = [wide, wide]
    with pytest.raises(ValueError, match="more than 1,000,000 items"):
        arguments_bound({"a": wide})


def test_the_items_of_all_arguments_count_together() -> None:
    half = [0] * (MAX_ITEMS // 2)
    with pytest.raises(ValueError, match="more than 1,000,000 items"):
        arguments_bound({"a": half, "b": half})


class Broken(Mapping[str, str]):
    def __getitem__(self, key: str) -> str:
        raise LookupError("gone")

    def __iter__(self) -> Iterator[str]:
        return iter(["key"])

    def __len__(self) -> int:
        return 1


def test_a_value_that_cannot_be_read_is_refused_and_its_content_is_not_shown() -> None:
    with pytest.raises(ValueError, match=r"^a Broken in the arguments cannot be read \(LookupError\)$"):
        arguments_bound({"a": [Broken()]})
