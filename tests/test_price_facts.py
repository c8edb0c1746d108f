"""What is known of a model's price, as plain data: the card as it is, its sources, and what is not in it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agent_airlock.policy_prices import PolicyPrices
from agent_airlock.price_facts import STALE_DAYS, UNKNOWN, card_of, describe, is_stale, snapshot_date
from agent_airlock.prices import PriceBook, limits_file

OWN = PolicyPrices({"mine": {"input": 3, "output": "12.5", "max_output": 7}}, {"a": "mine", "fast": "claude-haiku-5-5"})


def test_a_shipped_card_is_told_with_its_steps_limits_sources_and_date() -> None:
    facts = describe("claude-haiku-5-5")
    assert (facts["known"], facts["model"], facts["provider"]) == (True, "claude-haiku-5-5", "anthropic")
    assert [(step["above_input_tokens"], step["usd_per_million_tokens"]) for step in facts["steps"]] == [
        (0, {"input": "0.1", "output": "0.5", "cache_read": "0.01", "cache_write": "0.125", "cache_write_1h": "0.2"}),
        (100_000, {"input": "0.5", "output": "2.5", "cache_read": "0.05", "cache_write": "0.625",
                   "cache_write_1h": "1"}),
    ]  # fmt: skip
    assert (facts["context_window"], facts["max_output_tokens"]) == (1_000_000, 128_000)
    assert facts["source"].startswith("genai-prices ")
    assert "litellm" in (facts["limits_source"] or "")
    assert facts["date"] == snapshot_date().isoformat() == limits_file()["date"]


def test_what_the_price_data_has_beyond_the_card_is_named() -> None:
    assert {"processing=batch", "web_searches_kcount"} <= set(describe("claude-haiku-5-5")["left_out"])
    openai = describe("gpt-6.1-sol")["left_out"]
    assert {"service_tier=flex", "service_tier=priority"} <= set(openai)
    assert "service_tier=default" not in openai, "that is the card's own"


def test_a_price_that_starts_later_is_named_until_it_counts() -> None:
    """Gemini 4 Argon doubles on 2026-12-01, which counts two days before."""
    start = snapshot_date().replace(year=2026, month=12, day=1)
    for day, later in ((start - timedelta(days=3), True), (start - timedelta(days=2), False)):
        book = PriceBook.shipped(day)
        card = book.card("gemini-4-argon")
        assert card is not None
        assert (f"prices from {start}" in book.left_out(card)) is later


def test_a_policy_s_own_card_has_no_date_and_says_that_it_is_the_policy_s() -> None:
    facts = describe("a", OWN)
    assert (facts["asked"], facts["model"], facts["provider"]) == ("a", "mine", None)
    assert (facts["source"], facts["date"], facts["left_out"]) == ("SecurityPolicy.prices", None, [])
    assert facts["steps"][0]["usd_per_million_tokens"]["output"] == "12.5"
    assert (facts["max_output_tokens"], facts["limits_source"]) == (7, "SecurityPolicy.prices")


def test_an_alias_of_a_shipped_model_is_that_model() -> None:
    assert card_of("fast", OWN) == card_of("claude-haiku-5-5")
    assert describe("fast", OWN)["model"] == "claude-haiku-5-5"


def test_limits_have_the_source_that_their_table_names() -> None:
    assert describe("claude-fable-5-2")["limits_source"] == limits_file()["added"]["claude-fable-5-2"]
    assert describe("google/claude-opus-5-5")["limits_source"] is None, "a reseller's limits are not known"


@pytest.mark.parametrize(("name", "other"), [("deepseek/deepseek-v4-pro", "deepseek-v4-pro"), ("no-such-model", None)])
def test_a_model_without_a_card_is_not_known_and_other_names_are_told(name: str, other: str | None) -> None:
    facts = describe(name)
    assert not facts["known"]
    assert "steps" not in facts
    assert facts["names"] == [] if other is None else other in facts["names"]


@pytest.mark.parametrize("name", ["claude-haiku-5-5", "text-embedding-3-small", "a", "no-such-model"])
def test_the_facts_are_plain_and_name_what_no_card_prices(name: str) -> None:
    facts = describe(name, OWN)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["unknown"] == list(UNKNOWN)


def test_prices_are_stale_after_sixty_days() -> None:
    last = snapshot_date() + timedelta(days=STALE_DAYS)
    assert not is_stale(last)
    assert is_stale(last + timedelta(days=1))
