"""A policy's own prices and names of models: exact, before the tracker's, and a bound."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import (
    Airlock,
    AirlockContext,
    Budget,
    Cost,
    CostTracker,
    MemoryLedger,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    UnpricedCall,
    set_global_tracker,
)
from agent_airlock.cost import model_estimate
from agent_airlock.exceptions import PolicyMutationError, UnknownModelError
from agent_airlock.ledger.commands import Balances
from agent_airlock.policy_prices import PolicyPrices
from agent_airlock.rates import Rates, Reach
from tests.gate.rig import PRICING, priced

ROW: dict[str, Any] = {"input": 3, "output": 12, "context_window": 128_000, "max_output": 16_000}
OWN = PolicyPrices({"my-finetune": ROW}, {"gateway/fast": "claude-haiku-5-5", "house": "my-finetune"})
HAIKU = "claude-haiku-5-5"


def rates_of(row: dict[str, Any]) -> Rates:
    card = PolicyPrices({"m": row}, {}).card("m")
    assert card is not None
    ((threshold, rates),) = card.steps
    assert threshold == 0
    return rates


# --- rows ------------------------------------------------------------------------------------------------


def test_prices_are_usd_per_million_tokens_and_limits_are_tokens() -> None:
    card = OWN.card("my-finetune")
    assert card is not None
    assert card.usd(TokenUsage(1_000_000, 500_000)) == 9
    assert (card.model, card.provider, card.source) == ("my-finetune", None, "SecurityPolicy.prices")
    assert (card.context_window, card.max_output_tokens) == (128_000, 16_000)
    assert OWN.card("other") is None


@pytest.mark.parametrize("price", [Decimal("0.1"), "0.1", 0.1, "0.1 USD", "$0.10"])
def test_money_8_a_price_is_exact_however_it_is_written(price: Any) -> None:
    assert rates_of({"input": price, "output": 0}).input == 100_000_000


def test_cache_prices_that_are_missing_are_the_input_s_and_a_long_write_is_twice_a_short_one() -> None:
    assert rates_of({"input": 3, "output": 12}) == Rates(*(usd * 10**9 for usd in (3, 12, 3, 3, 3)))
    given_write = rates_of({"input": 3, "output": 12, "cache_write": 4})
    assert given_write == Rates(*(usd * 10**9 for usd in (3, 12, 3, 4, 8)))
    whole = {"input": 3, "output": 12, "cache_read": 1, "cache_write": 4, "cache_write_1h": 5}
    assert rates_of(whole) == Rates(*(usd * 10**9 for usd in (3, 12, 1, 4, 5)))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"input": 3}, r"\['m'\] must be a mapping with 'input' and 'output'.*'context_window'.*not \{'input': 3\}"),
        (5, r"\['m'\] must be a mapping with .*not 5"),
        ({**ROW, "ouput": 7}, r"\['m'\] has the key 'ouput' \(value 7\); allowed are 'input'.*Did you mean 'output'\?"),
        ({**ROW, 4: 7}, r"\['m'\] has the key 4 \(value 7\)"),
        ({**ROW, "input": -1}, r"\['m'\]\['input'\] .*non-negative.*not -1"),
        ({**ROW, "output": "dear"}, r"\['m'\]\['output'\] .*'dear'"),
        ({**ROW, "input": True}, r"\['m'\]\['input'\] .*True"),
        ({**ROW, "input": float("nan")}, r"\['m'\]\['input'\] .*nan"),
        ({**ROW, "input": "1e-12"}, "whole number of nanodollars per million tokens"),
        ({**ROW, "max_output": -1}, r"\['m'\]\['max_output'\] must be a whole number of tokens from 0 .*not -1"),
        ({**ROW, "max_output": 1e4}, r"\['m'\]\['max_output'\] .*not 10000\.0"),
        ({**ROW, "max_output": True}, r"\['m'\]\['max_output'\] .*not True"),
        ({**ROW, "context_window": 0}, r"\['m'\]\['context_window'\] .* from 1 .*not 0"),
        ({**ROW, "context_window": 2**53}, r"\['m'\]\['context_window'\]"),
    ],
)
def test_a_wrong_row_is_refused_with_the_model_the_key_the_value_and_what_is_allowed(row: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r"SecurityPolicy\.prices" + said if said.startswith(r"\[") else said):
        PolicyPrices({"m": row}, {})


@pytest.mark.parametrize("name", ["", "x" * 257, 3, None])
def test_a_name_is_a_text_of_1_to_256_characters(name: Any) -> None:
    with pytest.raises(ValueError, match=r"SecurityPolicy\.prices must name models"):
        PolicyPrices({name: ROW}, {})
    with pytest.raises(ValueError, match=r"SecurityPolicy\.model_aliases must have names"):
        PolicyPrices({}, {name: "m"})
    with pytest.raises(ValueError, match=r"SecurityPolicy\.model_aliases\['a'\] must be a model's id"):
        PolicyPrices({}, {"a": name})


@pytest.mark.parametrize(("prices", "aliases"), [([], {}), ({}, [("a", "b")]), (None, {})])
def test_what_is_no_mapping_is_refused(prices: Any, aliases: Any) -> None:
    with pytest.raises(TypeError, match=r"SecurityPolicy\.(prices|model_aliases) must be a mapping"):
        PolicyPrices(prices, aliases)


# --- names -----------------------------------------------------------------------------------------------


def test_an_alias_means_its_model_and_any_other_name_itself() -> None:
    assert [OWN.resolve(name) for name in ("gateway/fast", "house", HAIKU)] == [HAIKU, "my-finetune", HAIKU]


@pytest.mark.parametrize("aliases", [{"a": "b", "b": "m"}, {"a": "b", "b": "a"}, {"a": "a"}])
def test_an_alias_of_an_alias_is_refused(aliases: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"SecurityPolicy\.model_aliases\['a'\].*'(a|b)', which is an alias itself"):
        PolicyPrices({}, aliases)


def test_a_name_with_prices_of_its_own_is_no_alias() -> None:
    with pytest.raises(ValueError, match=r"model_aliases\['m'\] .*a name means one model"):
        PolicyPrices({"m": ROW}, {"m": HAIKU})


@given(st.dictionaries(st.sampled_from("abcde"), st.sampled_from("abcde"), max_size=5))
def test_resolving_twice_is_resolving_once(aliases: dict[str, str]) -> None:
    try:
        prices = PolicyPrices({}, aliases)
    except ValueError:
        assert set(aliases) & set(aliases.values())
        return
    assert [prices.resolve(prices.resolve(name)) for name in "abcde"] == [prices.resolve(name) for name in "abcde"]


# --- values ----------------------------------------------------------------------------------------------


def test_it_is_a_copy_and_does_not_change() -> None:
    rows, aliases = {"m": dict(ROW)}, {"a": "m"}
    prices = PolicyPrices(rows, aliases)
    before = prices.canonical()
    rows["m"]["input"] = 100
    aliases["a"] = "n"
    assert (prices.canonical(), prices.resolve("a")) == (before, "m")
    with pytest.raises(PolicyMutationError):
        prices.aliases["a"] = "n"
    with pytest.raises(AttributeError):
        prices.cards = {}
    for other in (copy.copy(prices), copy.deepcopy(prices), pickle.loads(pickle.dumps(prices))):
        assert (other.canonical(), other.resolve("a")) == (before, "m")


def test_the_canonical_form_is_plain_and_the_same_for_every_way_to_write_a_row() -> None:
    plain = {"input": 3 * 10**9, "output": 12 * 10**9, "cache_read": 3 * 10**9, "cache_write": 3 * 10**9,
             "cache_write_1h": 3 * 10**9, "context_window": 128_000, "max_output": 16_000}  # fmt: skip
    assert OWN.canonical() == {"my-finetune": plain}
    for row in ({**ROW, "input": "3.00"}, {**ROW, "input": 3.0, "cache_read": Decimal(3)}):
        assert PolicyPrices({"my-finetune": row}, {}).canonical() == OWN.canonical()
    assert PolicyPrices({"my-finetune": {**ROW, "input": "3.01"}}, {}).canonical() != OWN.canonical()


# --- over a tracker --------------------------------------------------------------------------------------


def test_the_policy_s_card_goes_before_the_tracker_s_and_aliases_before_both() -> None:
    over = PolicyPrices({"big": {"input": 7, "output": 7}, HAIKU: {"input": 5, "output": 5}}, {"a": "big"}).over(
        CostTracker(HAIKU)
    )
    million = TokenUsage(1_000_000)
    assert [over.calculate_cost(million, model) for model in ("big", "a", HAIKU, None)] == [7, 7, 5, 5]
    assert over.calculate_cost(million, "claude-opus-5-5") == 4
    assert over.card("a") == over.card("big")
    with pytest.raises(UnknownModelError):
        over.calculate_cost(million, "no-such-model")


def test_the_tracker_s_own_model_may_be_an_alias() -> None:
    over = OWN.over(CostTracker("house"))
    assert over.model == "my-finetune"
    assert over.calculate_cost(TokenUsage(1_000_000)) == 3


def test_a_table_of_the_tracker_s_prices_what_the_policy_does_not() -> None:
    over = OWN.over(priced())
    assert over.calculate_cost(TokenUsage(1_000), "anything") == Decimal("0.001")
    assert over.calculate_cost(TokenUsage(1_000), "house") == Decimal("0.003")


_TOKENS = st.integers(0, 10**6)


@given(st.builds(dict, input=st.integers(0, 99), output=st.integers(0, 99), cache_write=st.integers(0, 99)),
       _TOKENS, _TOKENS, st.data())  # fmt: skip
def test_money_9_an_estimate_at_a_policy_s_prices_bounds_every_usage_within_it(
    row: dict[str, Any], most_in: int, most_out: int, data: st.DataObject
) -> None:
    over = PolicyPrices({"m": row}, {}).over(CostTracker())
    whole = data.draw(st.integers(0, most_in))
    written = data.draw(st.integers(0, whole))
    used = TokenUsage(
        whole,
        data.draw(st.integers(0, most_out)),
        cache_write_tokens=written,
        cache_write_1h_tokens=data.draw(st.integers(0, written)),
    )
    made = model_estimate(over, model_id="m", tier=None, input_tokens=most_in, output_tokens=most_out, reach=Reach())
    assert made.usd is not None
    assert over.calculate_cost(used, "m") <= made.usd
    assert made.usd == over.calculate_cost(TokenUsage(most_in, most_out), "m", reach=Reach())


def estimate(over: Any, model_id: str) -> Any:
    return model_estimate(over, model_id=model_id, tier="t", input_tokens=10, output_tokens=None, reach=Reach())


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"context_window": 128_000, "max_output": 16_000}, 16_000),
        ({"max_output": 5}, 5),
        ({"max_output": 0}, 0),
        ({"context_window": 9}, 9),
    ],
)
@pytest.mark.parametrize("tracker", [CostTracker(), priced()], ids=["shipped prices", "a table of its own"])
def test_money_9_without_an_output_limit_the_row_s_own_makes_it_a_bound(
    limits: dict[str, int], most: int, tracker: CostTracker
) -> None:
    made = estimate(PolicyPrices({"m": {"input": 3, "output": 12, **limits}}, {"a": "m"}).over(tracker), "a")
    assert (made.bound, made.output_tokens) == ("worst_case", most)
    assert made.usd == Decimal(10 * 3 + most * 12) / 10**6


@pytest.mark.parametrize("tracker", [CostTracker(), priced()], ids=["shipped prices", "a table of its own"])
def test_money_9_where_nobody_names_an_output_limit_the_call_is_refused(tracker: CostTracker) -> None:
    over = PolicyPrices({"m": {"input": 3, "output": 12}}, {}).over(tracker)
    with pytest.raises(UnpricedCall, match="the largest output of the model 'm' is not known") as refused:
        estimate(over, "m")
    assert "max_output in SecurityPolicy.prices" in refused.value.hints[0]


def test_what_the_tracker_s_table_prices_is_still_input_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert estimate(OWN.over(priced()), "anything").bound == "input_only"


def test_a_tracker_that_prices_its_own_way_is_asked_for_what_the_policy_does_not_price() -> None:
    class Flat(CostTracker):
        def calculate_cost(self, *_: Any, **__: Any) -> Decimal:
            return Decimal("0.013")

    over = OWN.over(Flat())
    assert model_estimate(over, model_id="x", tier=None, input_tokens=1, output_tokens=1, reach=Reach()).usd == Decimal(
        "0.013"
    )
    assert model_estimate(
        over, model_id="house", tier=None, input_tokens=1, output_tokens=1, reach=Reach()
    ).usd == Decimal("0.000015")


# --- through the gate ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def tracker() -> Iterator[CostTracker]:
    tracker = CostTracker()
    set_global_tracker(tracker)
    yield tracker
    set_global_tracker(None)


def policy(**options: Any) -> SecurityPolicy:
    return SecurityPolicy(
        prices={"my-finetune": ROW},
        model_aliases={"gateway/fast": HAIKU, "house": "my-finetune"},
        **options,
    )


def gated(policy: SecurityPolicy, *, used: TokenUsage | None = None, **options: Any) -> Any:
    @Airlock(policy=policy, cost=Cost.model("house"), **options)
    def ask(prompt: str) -> dict[str, Any]:
        return {"token_usage": used or TokenUsage(1_000, 100)}

    return ask


def test_a_call_is_estimated_and_booked_at_the_policy_s_prices(tracker: CostTracker) -> None:
    tiers = ModelTierBudget({"only": TierBudget(19)}, "only")
    answer = gated(policy(model_tier_budget=tiers))("hi", _airlock_input_tokens=0)
    assert answer["metadata"]["estimated_cost_usd"] == "0.192", "16,000 tokens of output at 12 USD a million"
    assert answer["metadata"]["model_id"] == "my-finetune"
    gated(policy(model_tier_budget=tiers))("hi", _airlock_input_tokens=1_000, _airlock_max_output_tokens=100)
    summary = tracker.get_summary()
    assert summary.total_cost == Decimal("0.0042")
    assert summary.by_model == {"my-finetune": Decimal("0.0042")}


def test_money_9_a_gated_call_without_an_output_limit_anywhere_is_refused() -> None:
    bare = SecurityPolicy(
        prices={"m": {"input": 3, "output": 12}}, model_tier_budget=ModelTierBudget({"t": TierBudget(99)}, "t")
    )
    ask = gated(bare, on_block="raise")
    with pytest.raises(UnpricedCall, match="largest output"):
        ask("hi", _airlock_model_id="m")
    assert ask("hi", _airlock_model_id="m", _airlock_max_output_tokens=1)


def test_labels_scopes_and_the_resolver_see_the_model_that_an_alias_means(tracker: CostTracker) -> None:
    seen: list[str] = []

    def resolver(model_id: str) -> str:
        seen.append(model_id)
        return "only"

    ledger = MemoryLedger()
    budgets = [Budget("model:*", "1 USD")]
    tiers = ModelTierBudget({"only": TierBudget(None, 100)}, "only", resolver)
    ask = gated(policy(budgets=budgets, model_tier_budget=tiers), ledger=ledger)
    with AirlockContext(metadata={"model_id": "gateway/fast"}):
        assert "error" not in ask("hi")
    assert seen == [HAIKU]
    assert {balance.account.scope for balance in ledger.apply(Balances())} == {f"model:{HAIKU}"}
    assert list(tracker.get_summary().by_model) == [HAIKU]


def test_the_policy_s_prices_go_before_a_tracker_s_table() -> None:
    set_global_tracker(CostTracker(pricing=PRICING))
    tiers = ModelTierBudget({"only": TierBudget(0, 0)}, "only")
    ask = gated(policy(model_tier_budget=tiers))
    assert ask("hi", _airlock_input_tokens=1_000)["metadata"]["estimated_cost_usd"] == "0.003"
    assert ask("hi", _airlock_model_id="x", _airlock_input_tokens=1_000)["metadata"]["estimated_cost_usd"] == "0.001"
