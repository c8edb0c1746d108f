"""Calls that do not fit their tier: what the block says, and that whoever follows its hints is admitted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockBudgetExceeded,
    AirlockContext,
    Cost,
    CostTracker,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    set_global_tracker,
)

BUDGET = ModelTierBudget(
    {"frontier": TierBudget(50, 4000), "mid": TierBudget(10, 2000), "small": TierBudget(2, 1000)}, "small"
)


@pytest.fixture(autouse=True)
def _prices() -> Iterator[None]:
    set_global_tracker(CostTracker(pricing={"default": {"input": "0.01", "output": "0.03"}}))
    yield
    set_global_tracker(None)


def gated(budget: ModelTierBudget = BUDGET, **options: Any) -> Any:
    @Airlock(policy=SecurityPolicy(model_tier_budget=budget), **options)
    def ask(prompt: str) -> str:
        return "ran"

    return ask


def call(input_tokens: int, output: int | None = None, tier: str | None = None, ask: Any = None) -> Any:
    return (ask or gated())(
        "hi", _airlock_input_tokens=input_tokens, _airlock_max_output_tokens=output, _airlock_tier=tier
    )


def test_a_block_over_cost_says_what_why_and_what_would_pass() -> None:
    answer = call(1000)
    assert answer["error"].startswith("AIRLOCK_BLOCK: ask may not run: its worst case is 4 cents")
    assert "tier 'small' allows 2" in answer["error"]
    assert answer["fix_hints"][0] in answer["error"]
    assert answer["metadata"] == {
        "tool": "ask",
        "tier": "small",
        "cap": {"max_cost_cents": 2, "max_output_tokens": 1000},
        "estimated_cost_cents": 4,
        "estimated_cost_usd": "0.04",
        "estimated_output_tokens": 1000,
        "budget_type": "cost",
        "model_id": "default",
    }


@pytest.mark.parametrize(
    ("input_tokens", "output", "tier"),
    [
        (1000, None, None),
        (1999, None, None),
        (1, None, None),
        (10_000, None, None),
        (10_000, 5000, None),
        (10, 5000, None),
        (1500, 1001, None),
        (100_000, None, "mid"),
        (10**9, None, "frontier"),
        (2**52, 4000, "frontier"),
    ],
)
def test_whoever_follows_a_hint_is_admitted(input_tokens: int, output: int | None, tier: str | None) -> None:
    answer = call(input_tokens, output, tier)
    assert answer["status"] == "blocked"
    followed = 0
    for hint in answer["fix_hints"]:
        numbers = [int(number) for number in re.findall(r"\d+", hint)]
        if hint.startswith("With this input"):
            retries = [(input_tokens, numbers[0], tier)]
        elif hint.startswith("With an output limit"):
            retries = [(numbers[1], numbers[0], tier)]
        elif "together with" in hint:
            retries = [(numbers[0], numbers[1], tier)]
        else:
            retries = [(input_tokens, output, label) for label in re.findall(r"'(\w+)'", hint)]
        for retry in retries:
            assert call(*retry) == "ran", hint
            followed += 1
    assert followed


@pytest.mark.parametrize("more", [(0, 1), (1, 0)])
def test_the_hinted_number_is_the_largest_that_fits(more: tuple[int, int]) -> None:
    hint_output = int(re.findall(r"\d+", call(1000)["fix_hints"][0])[0])
    assert call(1000, hint_output) == "ran"
    assert call(1000 + 4 * more[0], hint_output + more[1])["status"] == "blocked"


def test_the_other_tiers_named_are_those_that_admit_the_call_as_it_is() -> None:
    assert call(1000)["fix_hints"][-1] == "As it is, it would fit tier 'frontier' or 'mid'."
    assert call(10_000)["fix_hints"][-1] == "As it is, it would fit tier 'frontier'."
    assert not any("it would fit" in hint for hint in call(10**6)["fix_hints"])


def test_a_cap_that_no_call_fits_says_so() -> None:
    ask = gated(ModelTierBudget({"none": TierBudget(0, 1000)}, "none"))
    assert call(10, ask=ask)["fix_hints"] == [
        "No call fits this tier at this model's prices: ask the operator for another tier or model."
    ]


# --- output tokens ---------------------------------------------------------------------------------------


def test_a_call_that_asks_for_more_output_than_its_tier_allows_is_a_block_of_tokens() -> None:
    answer = call(10, 1001)
    assert answer["metadata"]["budget_type"] == "tokens"
    assert "it asks for 1001 output tokens, and tier 'small' allows 1000" in answer["error"]


def test_the_context_can_ask_for_too_much_output_too() -> None:
    with AirlockContext(metadata={"max_output_tokens": 1001, "input_tokens": 10}):
        assert gated()("hi")["metadata"]["budget_type"] == "tokens"


def test_a_call_that_asks_for_less_is_estimated_with_what_it_asked_for() -> None:
    assert call(1000)["status"] == "blocked"
    assert call(1000, 333) == "ran"


def test_a_call_that_asks_for_exactly_its_tiers_output_is_not_blocked_for_it() -> None:
    ask = gated(ModelTierBudget({"only": TierBudget(max_output_tokens=1000)}, "only"))
    assert call(10, 1000, ask=ask) == "ran"
    assert call(10, 1001, ask=ask)["fix_hints"] == [
        "With this input, at most 1000 output tokens fit: set a lower output limit."
    ]


def test_a_tier_without_an_output_cap_takes_what_the_call_asks_for() -> None:
    ask = gated(ModelTierBudget({"only": TierBudget(2)}, "only"))
    assert call(1000, 333, ask=ask) == "ran"
    assert call(1000, 334, ask=ask)["status"] == "blocked"


# --- declared prices -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cost", [Cost("0.02 USD"), Cost(lambda _: Decimal("0.02")), Cost.free()])
def test_a_declared_price_within_its_tier_is_admitted(cost: Cost) -> None:
    assert gated(cost=cost)("hi") == "ran"


def test_a_declared_price_over_its_tier_is_blocked_and_names_the_tiers_that_allow_it() -> None:
    answer = gated(cost=Cost("0.021 USD"))("hi")
    assert "it costs 2.1 cents, and tier 'small' allows 2" in answer["error"]
    assert answer["metadata"]["estimated_cost_cents"] == 3
    assert answer["fix_hints"][-1] == "As it is, it would fit tier 'frontier' or 'mid'."


def test_a_declared_price_does_not_lift_the_tiers_output_cap() -> None:
    answer = gated(cost=Cost.free())("hi", _airlock_max_output_tokens=1001)
    assert answer["metadata"]["budget_type"] == "tokens"
    assert answer["fix_hints"][-1] == "As it is, it would fit tier 'frontier' or 'mid'."


# --- raised ----------------------------------------------------------------------------------------------


def test_a_raised_block_is_the_most_specific_exception_and_carries_its_response() -> None:
    with pytest.raises(AirlockBudgetExceeded) as caught:
        call(1000, ask=gated(on_block="raise"))
    answer = caught.value.response.to_dict()
    assert answer == call(1000)
    assert isinstance(caught.value, RuntimeError)
