"""Scopes: what users write, and accounts' ids that no two values share."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_airlock import Budget
from agent_airlock.scopes import KINDS, ScopePart, encode_scope, parse_scope

ODD = (
    "-",
    "+",
    ":",
    "*",
    "%",
    "%2D",
    "%2d",
    "--",
    "-+",
    "/",
    "a",
    "A",
    "é",
    "e\u0301",
    "\ud800",
    "\udfff",
    " ",
    "~",
    "\0",
)
VALUES = st.text(alphabet=st.characters(codec=None, categories=None), min_size=1, max_size=12) | st.sampled_from(ODD)
SCOPES = st.dictionaries(st.sampled_from(KINDS), VALUES | st.none(), min_size=1, max_size=3)


def _encoded(values: dict[str, str | None]) -> str:
    return encode_scope([(kind, values[kind]) for kind in KINDS if kind in values])


@given(SCOPES, SCOPES)
@example({"agent": "-"}, {"agent": None})
@example({"agent": "a+tier:b"}, {"agent": "a", "tier": "b"})
@example({"agent": "%2D"}, {"agent": "-"})
@example({"agent": "é"}, {"agent": "e\u0301"})
@example({"agent": "Crawler"}, {"agent": "crawler"})
def test_two_callers_never_share_an_account_by_their_spelling(
    one: dict[str, str | None], other: dict[str, str | None]
) -> None:
    assert (_encoded(one) == _encoded(other)) == (one == other)


@given(SCOPES)
def test_an_account_is_plain_text_and_names_its_scope_back(values: dict[str, str | None]) -> None:
    scope = _encoded(values)
    assert scope.isascii()
    assert "/" not in scope, "the account's id joins its parts with it"
    parts = parse_scope(scope)
    assert {part.kind: part.value for part in parts} == values
    assert not any(part.wildcard for part in parts)


@given(st.text(alphabet=st.characters(codec=None, categories=None), min_size=1, max_size=12))
def test_a_value_that_is_a_lone_dash_or_a_star_is_neither_nothing_nor_everything(value: str) -> None:
    (part,) = parse_scope(_encoded({"agent": value}))
    assert part == ScopePart("agent", False, value)
    assert part.matches(value)
    assert not part.matches(None)


def test_nfc_and_nfd_and_case_are_different_values() -> None:
    spellings = ["é", unicodedata.normalize("NFD", "é"), "É", "e"]
    assert len({_encoded({"user": spelling}) for spelling in spellings}) == 4


def test_kinds_have_one_order_however_they_are_written() -> None:
    assert parse_scope("tier:frontier+agent:*") == parse_scope("agent:*+tier:frontier")


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "agent",
        "agent:",
        "agents:*",
        "Agent:*",
        "global:*",
        "global+agent:*",
        "agent:*+",
        "agent:a+agent:b",
        " agent:*",
        "tracker:x",
        "child:x",
    ],
)
def test_a_scope_that_is_none_is_refused_with_its_field_and_value(scope: str) -> None:
    with pytest.raises(ValueError, match=r"Budget\.scope") as error:
        Budget(scope, "1 USD")
    assert repr(scope) in str(error.value)


@pytest.mark.parametrize("scope", [None, 5, b"agent:*", ["agent:*"]])
def test_a_scope_that_is_no_text_is_refused(scope: object) -> None:
    with pytest.raises(ValueError, match=r"Budget\.scope must be text"):
        Budget(scope, "1 USD")


@pytest.mark.parametrize("scope", ["agent:crawler-*", "tool:search_*", "agent:**", "agent:50%", "agent:%zz"])
def test_a_pattern_is_refused_because_it_would_match_nothing(scope: str) -> None:
    with pytest.raises(ValueError, match="not patterns: write %2"):
        Budget(scope, "1 USD")


def test_an_escape_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Budget\.scope must escape whole UTF-8"):
        Budget("agent:%FF", "1 USD")


def test_a_value_may_have_256_bytes_and_no_more() -> None:
    Budget("agent:" + "é" * 128, "1 USD")
    with pytest.raises(ValueError, match="longer than 256 bytes"):
        Budget("agent:" + "é" * 128 + "a", "1 USD")


def test_a_colon_in_a_value_is_the_value_s() -> None:
    assert parse_scope("model:openai/gpt:free") == (ScopePart("model", False, "openai/gpt:free"),)
