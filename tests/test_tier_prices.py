"""The tier budget at the shipped prices: which model, its limits, and calls that nobody can price."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockContext,
    Cost,
    CostTracker,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    UnpricedCall,
    set_global_tracker,
    strict_tier_budget_policy,
)

HAIKU, OPUS = "claude-haiku-5-5", "claude-opus-5-5"


@pytest.fixture(autouse=True)
def tracker() -> Iterator[CostTracker]:
    tracker = CostTracker()
    set_global_tracker(tracker)
    yield tracker
    set_global_tracker(None)


def gated(policy: SecurityPolicy | None = None, **options: Any) -> Any:
    @Airlock(policy=policy or strict_tier_budget_policy(), **options)
    def ask(prompt: str) -> dict[str, Any]:
        return {"token_usage": TokenUsage(100, 100)}

    return ask


def usd(answer: Any) -> Decimal:
    return Decimal(answer["metadata"]["estimated_cost_usd"])


def test_the_worst_case_writes_all_input_to_the_cache_at_its_dearest() -> None:
    answer = gated()("hi", _airlock_model_id=OPUS, _airlock_input_tokens=1000)
    assert usd(answer) == Decimal(1000 * 8 + 1000 * 20) / 10**6, "8 and 20 USD per million tokens"


def test_a_caller_who_never_writes_to_a_cache_gets_a_tighter_estimate() -> None:
    ask = gated(cost=Cost.model(OPUS, cache_writes=False))
    assert "error" not in ask("hi", _airlock_input_tokens=0)
    assert usd(ask("hi", _airlock_input_tokens=1000)) == Decimal("0.024")


def test_a_model_in_the_keyword_comes_before_the_contexts_and_both_before_the_costs() -> None:
    ask = gated(cost=Cost.model(HAIKU))
    with AirlockContext(metadata={"model_id": OPUS, "input_tokens": 10_000}):
        assert ask("hi")["metadata"]["model_id"] == OPUS
        assert "error" not in ask("hi", _airlock_model_id=HAIKU)
    assert "error" not in ask("hi", _airlock_input_tokens=1000)


def test_the_trackers_model_is_the_last_that_prices() -> None:
    set_global_tracker(CostTracker(model=OPUS))
    assert gated()("hi", _airlock_input_tokens=5000)["metadata"]["model_id"] == OPUS


def test_no_model_is_refused_by_a_cost_cap_and_the_hint_names_the_ways() -> None:
    answer = gated()("hi")
    assert answer["block_reason"] == "budget_exceeded"
    for way in ("_airlock_model_id", "metadata['model_id']", "Cost.model(", "CostTracker(model=", "pricing="):
        assert way in " ".join(answer["fix_hints"])


def test_no_model_is_no_matter_where_nothing_limits_cost() -> None:
    budget = ModelTierBudget({"only": TierBudget(max_output_tokens=10)}, "only")
    assert "error" not in gated(SecurityPolicy(model_tier_budget=budget))("hi")


@pytest.mark.parametrize("model_id", ["no-such-model", "claude-haiku-5-5-made-up", "x" * 10_000])
def test_a_model_without_a_known_price_is_refused_not_guessed(model_id: str) -> None:
    answer = gated()("hi", _airlock_model_id=model_id)
    assert answer["block_reason"] == "budget_exceeded"
    assert "no price is known" in answer["error"]
    with pytest.raises(UnpricedCall):
        gated(on_block="raise")("hi", _airlock_model_id=model_id)


def test_a_tier_without_an_output_cap_holds_the_models_largest_output() -> None:
    budget = ModelTierBudget({"only": TierBudget(10)}, "only")
    answer = gated(SecurityPolicy(model_tier_budget=budget))("hi", _airlock_model_id=OPUS, _airlock_input_tokens=0)
    assert answer["metadata"]["estimated_output_tokens"] == 128_000
    assert usd(answer) == Decimal("2.56")


def test_a_model_whose_largest_output_nobody_knows_is_refused_with_the_hint_to_set_one() -> None:
    class NoLimits(CostTracker):
        def card(self, model: str | None = None) -> Any:
            from dataclasses import replace

            card = super().card(model)
            return card and replace(card, context_window=None, max_output_tokens=None)

    set_global_tracker(NoLimits())
    ask = gated(SecurityPolicy(model_tier_budget=ModelTierBudget({"only": TierBudget(10)}, "only")))
    answer = ask("hi", _airlock_model_id=OPUS)
    assert answer["block_reason"] == "budget_exceeded"
    assert "max_output_tokens" in answer["fix_hints"][0]
    assert "error" not in ask("hi", _airlock_model_id=OPUS, _airlock_max_output_tokens=100)


def test_a_callers_own_table_prices_the_models_it_lacks_with_its_default() -> None:
    set_global_tracker(CostTracker(pricing={"default": {"input": "0.001", "output": "0.001"}}))
    ask = gated()
    assert "error" not in ask("hi", _airlock_model_id="no-such-model")
    assert usd(ask("hi", _airlock_model_id=OPUS, _airlock_input_tokens=100_000)) == Decimal("0.101")


def test_a_call_is_booked_at_what_it_really_cost(tracker: CostTracker) -> None:
    gated()("hi", _airlock_model_id=OPUS, _airlock_input_tokens=100, _airlock_tier="mid")
    assert tracker.get_summary().total_cost == Decimal(100 * 4 + 100 * 20) / 10**6
