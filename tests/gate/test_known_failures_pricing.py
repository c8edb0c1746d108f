"""How estimates failed elsewhere: what a call may cost was priced too low, or not at all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    Budget,
    BudgetConfig,
    Cost,
    CostTracker,
    MemoryLedger,
    SecurityPolicy,
    TokenUsage,
    set_global_tracker,
)
from agent_airlock.prices import PriceBook
from tests.gate.rig import balances, priced

DOLLAR = "1.00 USD"


def test_money_10_an_unknown_model_is_priced_at_0(ledger: MemoryLedger) -> None:
    set_global_tracker(CostTracker())
    policy = SecurityPolicy(budgets=[Budget("global", DOLLAR)])
    ask = Airlock(policy=policy, ledger=ledger, cost=Cost.model("no-such-model-9"))(lambda: "ran")
    answers = [ask() for _ in range(200)]
    assert "ran" not in answers
    assert "no-such-model-9" in answers[0]["error"]


def test_money_9_no_output_limit_in_the_request_the_model_s_own_maximum_is_held(ledger: MemoryLedger) -> None:
    set_global_tracker(CostTracker())
    model = "claude-haiku-5-5"
    card = PriceBook.shipped().card(model)
    assert card is not None
    assert card.max_output_tokens
    policy = SecurityPolicy(budgets=[Budget("global", "100 USD"), Budget("global", "900_000 tokens")])

    @Airlock(policy=policy, ledger=ledger, cost=Cost.model(model))
    def ask(prompt: str) -> int:
        return balances(ledger)["global/tokens"].held

    assert ask("hello", _airlock_input_tokens=5) == 5 + card.max_output_tokens


def test_money_9_the_dearest_tier_of_a_long_context_is_priced(ledger: MemoryLedger) -> None:
    """Five prompts of 300,000 tokens, priced at the base rate, passed a cap that they cost more than."""
    set_global_tracker(CostTracker())
    book, model = PriceBook.shipped(), "claude-haiku-5-5"
    card = book.card(model)
    assert card is not None
    threshold, rates = card.steps[-1]
    assert threshold > 0, "this model's price no longer depends on the context: name another"
    tokens = threshold + 1
    real = TokenUsage(tokens, 100, cache_write_tokens=tokens, cache_write_1h_tokens=tokens)
    policy = SecurityPolicy(budgets=[Budget("global", "100 USD")])

    @Airlock(policy=policy, ledger=ledger, cost=Cost.model(model))
    def ask() -> Any:
        held.append(balances(ledger)["global/usd"].held)
        return {"token_usage": real}

    held: list[int] = []
    ask(_airlock_input_tokens=tokens, _airlock_max_output_tokens=100)
    dearest = math.ceil((tokens * rates.cache_write_1h + 100 * rates.output) / 10**6)
    assert held == [dearest]
    assert balances(ledger)["global/usd"].settled <= dearest


@pytest.mark.parametrize("text", ["水" * 10_000, "x" * 10_000, "🦦" * 2_000, "\u0301" * 5_000])
def test_money_9_input_sized_by_its_characters_is_held_too_low(text: str, ledger: MemoryLedger) -> None:
    set_global_tracker(priced())

    @Airlock(policy=SecurityPolicy(budgets=[Budget("global", "9_000_000 tokens")]), ledger=ledger, cost=Cost.model())
    def ask(prompt: str) -> int:
        return balances(ledger)["global/tokens"].held

    assert ask(text, _airlock_max_output_tokens=0) >= len(text.encode()) // 4
    assert ask("水" * 10_000, _airlock_max_output_tokens=0) >= 20_000


def test_a_session_s_spend_counts_at_list_price_whatever_the_invoice_says() -> None:
    tracker = priced(budget=BudgetConfig(max_cost_per_session="0.01"))
    set_global_tracker(tracker)
    ask = Airlock(cost=Cost.model())(lambda: {"usage": {"input_tokens": 1000, "output_tokens": 0}, "cost": 0})
    answers: list[Any] = [ask(_airlock_input_tokens=1000, _airlock_max_output_tokens=0) for _ in range(20)]
    assert sum("usage" in answer for answer in answers) == 10


@pytest.mark.parametrize("limit", [-1, True, 1.5, "5"])
def test_an_output_limit_that_means_nothing_is_refused(limit: Any, ledger: MemoryLedger) -> None:
    ask = Airlock(policy=SecurityPolicy(), ledger=ledger, cost=Cost.model())(lambda: "ran")
    block: Any = ask(_airlock_max_output_tokens=limit)
    assert block["block_reason"] == "validation_error"
