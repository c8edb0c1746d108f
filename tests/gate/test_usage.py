"""What a result reports as its usage, as the vendors' SDKs spell it, is what is booked; what means nothing is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    Budget,
    Cost,
    CostTracker,
    EventKind,
    MemoryLedger,
    SecurityPolicy,
    TokenUsage,
    set_global_tracker,
)
from agent_airlock.dialects.usage import MalformedUsage, reported_usage
from tests.gate.rig import Events, balances

OBJECTS = [dict, SimpleNamespace]
"""Every shape comes as a mapping and as an object."""

# openai 3.54.0, `CompletionUsage`: what is cached and what is reasoning are parts.
CHAT: dict[str, Any] = {
    "completion_tokens": 300,
    "prompt_tokens": 2000,
    "total_tokens": 2300,
    "completion_tokens_details": {
        "accepted_prediction_tokens": 0,
        "audio_tokens": 0,
        "reasoning_tokens": 100,
        "rejected_prediction_tokens": 0,
    },
    "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 1500},
}
# openai 3.54.0, `ResponseUsage`.
RESPONSES: dict[str, Any] = {
    "input_tokens": 2000,
    "input_tokens_details": {"cached_tokens": 1500},
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 100},
    "total_tokens": 2300,
}
# anthropic 2.12.0, `Usage`: its three input counts are disjoint.
ANTHROPIC: dict[str, Any] = {
    "cache_creation": {"ephemeral_1h_input_tokens": 60, "ephemeral_5m_input_tokens": 40},
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1500,
    "input_tokens": 400,
    "output_tokens": 300,
    "server_tool_use": None,
    "service_tier": "standard",
}
# litellm spells Anthropic's counts beside OpenAI's, which contain them.
LITELLM: dict[str, Any] = {**CHAT, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 1500}


def shaped(value: Any, kind: Any) -> Any:
    """``value`` with its mappings as ``kind``."""
    if isinstance(value, dict):
        return kind(**{name: shaped(item, kind) for name, item in value.items()})
    return value


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (CHAT, TokenUsage(2000, 300, cache_read_tokens=1500, reasoning_tokens=100)),
        (RESPONSES, TokenUsage(2000, 300, cache_read_tokens=1500, reasoning_tokens=100)),
        (
            ANTHROPIC,
            TokenUsage(2000, 300, cache_read_tokens=1500, cache_write_tokens=100, cache_write_1h_tokens=60),
        ),
        (LITELLM, TokenUsage(2000, 300, cache_read_tokens=1500, cache_write_tokens=100, reasoning_tokens=100)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}, TokenUsage(5, 2)),
        ({"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": None}, TokenUsage(5, 2)),
        ({"input_tokens": 5}, TokenUsage(5)),
        ({"output_tokens": 5}, TokenUsage(0, 5)),
        ({"input_tokens": 0, "output_tokens": 0}, TokenUsage()),
        ({"input_tokens": 5, "output_tokens": 2, "total_tokens": 9}, TokenUsage(5, 2, 9)),
        ({"input_tokens": 9, "output_tokens": 0, "cache_read_tokens": 4}, TokenUsage(9, cache_read_tokens=4)),
    ],
)
@pytest.mark.parametrize("name", ["usage", "token_usage"])
def test_a_usage_is_read_as_the_sdks_spell_it(name: str, usage: Any, expected: TokenUsage, kind: Any) -> None:
    read = reported_usage(shaped({name: usage}, kind))
    assert read is not None
    for field in TokenUsage.__slots__:
        assert getattr(read, field) == getattr(expected, field), field


def test_a_token_usage_is_read_and_comes_before_usage() -> None:
    mine = TokenUsage(9, 5, 17, 3, 2, 1, 4)
    assert reported_usage({"token_usage": mine, "usage": CHAT}) == mine
    assert reported_usage(SimpleNamespace(token_usage=None, usage=mine)) == mine


@pytest.mark.parametrize(("field", "value"), [("output_tokens", -1000), ("total_tokens", -5), ("input_tokens", 1.5)])
def test_a_token_usage_that_was_changed_after_it_was_made_is_not_believed(field: str, value: Any) -> None:
    usage = TokenUsage(1000, 1000)
    setattr(usage, field, value)
    with pytest.raises(MalformedUsage):
        reported_usage({"usage": usage})


def test_a_total_below_input_and_output_is_refused() -> None:
    with pytest.raises(ValueError, match="at least input_tokens"):
        TokenUsage(100, 100, total_tokens=1)


@pytest.mark.parametrize("result", [None, "text", 5, 1.5, True, b"", [1], (1,), {}, {"usage": None}, object(), Airlock])
def test_a_result_without_a_usage_has_none(result: Any) -> None:
    assert reported_usage(result) is None


BAD: list[Any] = [
    {"input_tokens": -1, "output_tokens": 1},
    {"input_tokens": True, "output_tokens": 1},
    {"input_tokens": 1.0, "output_tokens": 1},
    {"input_tokens": float("nan"), "output_tokens": 1},
    {"input_tokens": "many", "output_tokens": 1},
    {"input_tokens": 1, "output_tokens": None, "cache_read_input_tokens": -4},
    {"input_tokens": 2**60, "output_tokens": 1},
    {"input_tokens": 1, "output_tokens": 1, "total_tokens": "2"},
    {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 9}},
    {"prompt_tokens": 5, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 3}},
    {"total_tokens": 5},
    {"tokens": 5},
    {},
    "5 tokens",
    12,
    [3, 4],
]


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("usage", BAD, ids=repr)
def test_a_usage_that_means_nothing_is_malformed(usage: Any, kind: Any) -> None:
    with pytest.raises(MalformedUsage):
        reported_usage(shaped({"usage": usage}, kind))


class Hostile(Mapping[str, Any]):
    """Somebody else's object: everything that is asked of it raises."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("lazy and detached")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


class HostileObject:
    @property
    def usage(self) -> Any:
        raise RuntimeError("lazy and detached")


@pytest.mark.parametrize("result", [Hostile(), HostileObject(), {"usage": Hostile()}])
def test_an_object_that_raises_when_it_is_looked_at_fails_no_call(result: Any, ledger: MemoryLedger) -> None:
    ask = asking(ledger, result)
    assert ask() is result
    assert booked(ledger) == (ESTIMATE, 20)


# --- through the gate ------------------------------------------------------------------------------------

ESTIMATE = 10 * 1_000 + 10 * 2_000


def asking(ledger: MemoryLedger, result: Any, **options: Any) -> Any:
    policy = SecurityPolicy(
        budgets=[Budget("global", "1 USD"), Budget("global", "1_000_000 tokens")],
        on_unknown_usage=options.pop("on_unknown_usage", "estimate"),
    )

    @Airlock(policy=policy, ledger=ledger, **{"cost": Cost.model(), **options})
    def ask() -> Any:
        return result

    return lambda: ask(_airlock_input_tokens=10, _airlock_max_output_tokens=10)


def booked(ledger: MemoryLedger) -> tuple[int, int]:
    """Nanodollars and tokens."""
    found = balances(ledger)
    assert not any(balance.held for balance in found.values())
    return found["global/usd"].settled, found["global/tokens"].settled


@pytest.mark.parametrize("kind", OBJECTS)
def test_money_5_what_is_booked_is_the_real_cost_below_the_estimate_and_above_it(
    kind: Any, ledger: MemoryLedger
) -> None:
    asking(ledger, shaped({"usage": {"input_tokens": 4, "output_tokens": 3}}, kind))()
    assert booked(ledger) == (10_000, 7)
    asking(ledger, shaped({"usage": {"input_tokens": 400, "output_tokens": 300}}, kind))()
    assert booked(ledger) == (1_010_000, 707)


def test_money_9_a_breach_of_the_bound_is_booked_counted_and_logged_as_an_error(
    ledger: MemoryLedger, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "agent_airlock"):
        asking(ledger, {"usage": {"input_tokens": 10, "output_tokens": 11}}, config=events.config)()
    (event,) = events.of(EventKind.BOUND_BROKEN)
    assert event.fields == {"estimate_nano": ESTIMATE, "actual_nano": ESTIMATE + 2_000}
    assert [getattr(record, "airlock_event", None) for record in caplog.records] == ["bound_broken"]
    assert balances(ledger)["global/usd"].overrun == 2_000


def test_cached_tokens_are_priced_as_cached(ledger: MemoryLedger) -> None:
    pricing = {"default": {"input": "0.01", "output": "0.02", "cache_read": "0.001", "cache_write": "0.0125"}}
    set_global_tracker(CostTracker(pricing=pricing))
    asking(ledger, {"usage": ANTHROPIC})()
    expected = 400 * Decimal("0.01") + 1500 * Decimal("0.001") + 100 * Decimal("0.0125") + 300 * Decimal("0.02")
    # What is written for longer costs the input price here: the table names no other.
    expected += 60 * (Decimal("0.01") - Decimal("0.0125"))
    assert booked(ledger) == (int(expected / 1000 * 10**9), 2300)


@pytest.mark.parametrize("usage", BAD, ids=repr)
@pytest.mark.parametrize("unknown", ["estimate", "release"])
def test_malformed_usage_is_booked_at_the_estimate_or_released_as_the_policy_says(
    unknown: str, usage: Any, ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    result = {"usage": usage}
    with caplog.at_level(logging.WARNING, "agent_airlock"):
        assert asking(ledger, result, on_unknown_usage=unknown)() is result
    assert booked(ledger) == ((ESTIMATE, 20) if unknown == "estimate" else (0, 0))
    assert "booked as if it had reported none" in caplog.text


@pytest.mark.parametrize("unknown", ["estimate", "release"])
def test_missing_usage_too_and_quietly(unknown: str, ledger: MemoryLedger, caplog: pytest.LogCaptureFixture) -> None:
    asking(ledger, "text", on_unknown_usage=unknown)()
    assert booked(ledger) == ((ESTIMATE, 20) if unknown == "estimate" else (0, 0))
    assert caplog.text == ""


@pytest.mark.parametrize("cost", [Cost("0.02 USD"), Cost(lambda arguments: "0.02")])
def test_a_declared_price_settles_at_itself_and_reported_usage_counts_for_token_budgets_only(
    cost: Cost, ledger: MemoryLedger
) -> None:
    asking(ledger, {"usage": {"input_tokens": 400, "output_tokens": 300}}, cost=cost, on_unknown_usage="release")()
    assert booked(ledger) == (20_000_000, 700)
    asking(ledger, "text", cost=cost, on_unknown_usage="release")()
    assert booked(ledger)[0] == 40_000_000, "a declared price is known, whatever the usage"


@dataclass
class Answer:
    text: str
    token_usage: TokenUsage


def test_the_package_s_own_shape(ledger: MemoryLedger) -> None:
    answer = Answer("hello", TokenUsage(4, 3))
    assert asking(ledger, answer)() is answer
    assert booked(ledger) == (10_000, 7)


def test_money_5_a_settle_books_a_call_once_on_the_tracker_too(ledger: MemoryLedger, tracker: CostTracker) -> None:
    asking(ledger, Answer("hello", TokenUsage(4, 3)))()
    (record,) = tracker.get_records()
    assert (record.tool, record.tokens, record.cost) == ("ask", 7, Decimal("0.00001"))
