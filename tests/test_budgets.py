"""Budgets: how they are written, and which accounts a call counts in."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import AirlockContext, Budget, BudgetConfig, UnpricedCall
from agent_airlock.budgets import BudgetSet, Slot, holds, parse_limit
from agent_airlock.call import Call, Estimate
from agent_airlock.exceptions import AirlockBudgetExceeded, ValidationBlocked
from agent_airlock.ledger.accounts import Unit
from agent_airlock.money import MAX_AMOUNT

NOW = 1_800_000_000_000


def slots(budgets: list[Budget], *, tool: str = "search", tier: str | None = None, **who: Any) -> tuple[Slot, ...]:
    """The slots of a call by ``who``."""
    made = BudgetSet(budgets)
    return made.slots(made.values(_call(tool, **who), tier, None), NOW)


def accounts(budgets: list[Budget], **options: Any) -> dict[str, int | None]:
    return {slot.account.scope: slot.limit for slot in slots(budgets, **options)}


def _call(tool: str = "search", **who: Any) -> Call:
    return Call(tool, (), {}, (), (AirlockContext(**who),))


# --- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "meaning"),
    [
        ("5 USD", (Unit.USD, 5 * 10**9)),
        ("0.000000001 USD", (Unit.USD, 1)),
        (Decimal("0.5"), (Unit.USD, 5 * 10**8)),
        ("200_000 tokens", (Unit.TOKENS, 200_000)),
        ("1 token", (Unit.TOKENS, 1)),
        ("100 calls", (Unit.CALLS, 100)),
        ("1 call", (Unit.CALLS, 1)),
        ("0 calls", (Unit.CALLS, 0)),
        ("0 USD", (Unit.USD, 0)),
    ],
)
def test_a_limit_is_read_exactly(limit: str | Decimal, meaning: tuple[Unit, int]) -> None:
    assert parse_limit(limit) == meaning


@pytest.mark.parametrize(
    "limit",
    [
        *("", "5", "5USD", "5 EUR", "-5 USD", "nan USD", "inf USD", "0.0000000001 USD", "10000000 USD"),
        *("1.5 calls", "-1 calls", "nan calls", "x tokens", "9007199254740992 tokens"),
        *(5, 5.0, True, None, Decimal(-1), Decimal("NaN")),
    ],
)
def test_a_limit_that_is_none_is_refused_with_its_field_and_value(limit: Any) -> None:
    with pytest.raises(ValueError, match=r"Budget\.limit"):
        Budget("global", limit)


@given(st.integers(0, MAX_AMOUNT))
def test_money_8_a_limit_in_nanodollars_comes_back_whole(nano: int) -> None:
    assert Budget("global", f"{Decimal(nano).scaleb(-9):f} USD").amount == nano
    assert Budget("global", f"{nano} tokens").amount == nano


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"window": "week"}, "window"),
        ({"window": None}, "window"),
        ({"window": ["day"]}, "window"),
        ({"zone": "Europe/Berlin"}, "zone"),
        ({"mode": "warn"}, "mode"),
        ({"warn_at": 0}, "warn_at"),
        ({"warn_at": 1.01}, "warn_at"),
        ({"warn_at": -0.5}, "warn_at"),
        ({"warn_at": float("nan")}, "warn_at"),
        ({"warn_at": float("inf")}, "warn_at"),
        ({"warn_at": "0.8"}, "warn_at"),
        ({"warn_at": True}, "warn_at"),
        ({"warn_at": 0.8, "window": "call"}, "warn_at"),
    ],
)
def test_a_wrong_budget_names_its_field_its_value_and_what_is_allowed(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"Budget\.{field} must be") as error:
        Budget("agent:*", "5 USD", **options)
    assert repr(options[field]) in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_cost_per_call", -1),
        ("max_cost_per_call", "much"),
        ("max_cost_per_session", True),
        ("max_cost_per_session", float("nan")),
        ("max_cost_per_session", Decimal("Infinity")),
        ("max_tokens_per_call", 1.5),
        ("max_tokens_per_call", True),
        ("max_tokens_per_session", -1),
        ("max_tokens_per_session", "100"),
        ("warn_at_percentage", 0),
        ("warn_at_percentage", 101),
        ("warn_at_percentage", Decimal("NaN")),
        ("warn_at_percentage", Decimal("sNaN")),
        ("warn_at_percentage", "80"),
    ],
)
def test_a_wrong_tracker_cap_names_its_field_and_value(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"BudgetConfig\.{field} must") as error:
        BudgetConfig(**{field: value})
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("usd", [Decimal("0.1"), "0.1", "0.1 USD", 0.1])
def test_money_8_a_tracker_cap_is_exact_however_it_is_written(usd: Any) -> None:
    assert BudgetConfig(max_cost_per_session=usd).max_nano_per_session == 10**8


# --- which accounts --------------------------------------------------------------------------------------


def test_all_budgets_that_apply_count() -> None:
    budgets = [
        Budget("global", "50 USD", window="day"),
        Budget("agent:*", "5 USD", window="day"),
        Budget("agent:*+tier:frontier", "40 calls", window="hour"),
        Budget("team:red", "9 USD"),
        Budget("tool:search", "3 USD"),
        Budget("tool:fetch", "3 USD"),
    ]
    found = accounts(budgets, agent_id="crawler", team_id="red", tier="frontier")
    assert list(found) == ["global", "agent:crawler", "agent:crawler+tier:frontier", "team:red", "tool:search"]
    assert list(accounts(budgets, tier="mid")) == ["global", "agent:-", "tool:search"]


def test_a_named_budget_replaces_the_wildcard_s() -> None:
    budgets = [Budget("agent:*", "5 USD", window="day"), Budget("agent:crawler", "20 USD", window="day")]
    for order in (budgets, budgets[::-1]):
        assert accounts(order, agent_id="crawler") == {"agent:crawler": 20 * 10**9}
        assert accounts(order, agent_id="other") == {"agent:other": 5 * 10**9}


def test_the_dash_names_the_calls_without_a_value_and_replaces_the_wildcard_too() -> None:
    budgets = [Budget("session:*", "1 USD"), Budget("session:-", "5 USD")]
    assert accounts(budgets) == {"session:-": 5 * 10**9}
    assert accounts(budgets, session_id="-") == {"session:%2D": 10**9}, "a session cannot call itself nobody"


def test_another_window_or_unit_replaces_nothing() -> None:
    budgets = [Budget("agent:*", "5 USD", window="day"), Budget("agent:a", "20 USD"), Budget("agent:a", "3 calls")]
    assert [slot.limit for slot in slots(budgets, agent_id="a")] == [5 * 10**9, 20 * 10**9, 3]


def test_of_two_that_name_as_much_the_lower_limit_holds() -> None:
    budgets = [Budget("agent:*+tier:big", "2 USD"), Budget("agent:a+tier:*", "1 USD")]
    assert accounts(budgets, agent_id="a", tier="big") == {"agent:a+tier:big": 10**9}


@pytest.mark.parametrize("window", ["total", "day", "call"])
def test_two_budgets_of_one_name_count_once_at_the_lower_limit_and_warn(window: str) -> None:
    budgets = [Budget("agent:*+tier:x", "1 USD", window=window), Budget("tier:x+agent:*", "0.50 USD", window=window)]
    with pytest.warns(UserWarning, match="the lower limit holds"):
        made = BudgetSet(budgets)
    values = made.values(_call(agent_id="a"), "x", None)
    if window == "call":
        with pytest.raises(AirlockBudgetExceeded) as error:
            made.check_call(values, Estimate(Decimal("0.6"), 600_000_000))
        assert error.value.refusal is not None
        assert error.value.refusal.limit == 5 * 10**8
    else:
        (slot,) = made.slots(values, NOW)
        assert slot.limit == 5 * 10**8


def test_observing_and_enforcing_never_share_an_account() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = accounts([Budget("agent:*", "5 USD"), Budget("agent:*", "1 USD", mode="observe")], agent_id="a")
    assert found == {"agent:a": 5 * 10**9, "observed:agent:a": None}


def test_a_value_longer_than_256_bytes_is_a_block_without_the_value() -> None:
    budgets = [Budget("user:*", "1 USD")]
    assert slots(budgets, user_id="é" * 128)
    with pytest.raises(ValidationBlocked) as error:
        slots(budgets, user_id="é" * 128 + "a")
    assert "é" not in str(error.value)


def test_a_new_period_is_a_new_account_and_an_old_now_gets_the_old_one() -> None:
    made = BudgetSet([Budget("agent:*", "1 USD", window="day"), Budget("agent:*", "9 USD")])
    values = made.values(_call(agent_id="a"), None, None)
    today, total = made.slots(values, NOW)
    tomorrow, _ = made.slots(values, NOW + 86_400_000)
    assert today.account.line == tomorrow.account.line
    assert today.account.id != tomorrow.account.id
    assert made.slots(values, NOW) == (today, total), "the ledger's time is behind what was seen"


# --- from slots to holds ---------------------------------------------------------------------------------


def test_a_hold_of_nothing_is_kept_where_the_real_cost_may_be_more() -> None:
    found = slots([Budget("global", "1 USD"), Budget("global", "10 tokens"), Budget("global", "3 calls")])
    free = Estimate(Decimal(0), 0)
    kept = {hold.account.unit: hold.amount for hold in holds(found, free, exact=False)[0]}
    assert kept == {Unit.USD: 0, Unit.TOKENS: 0, Unit.CALLS: 1}
    exact = {hold.account.unit for hold in holds(found, free, exact=True)[0]}
    assert exact == {Unit.TOKENS, Unit.CALLS}, "a free call costs no USD, whatever tokens it reports"


def test_money_10_a_limit_of_usd_refuses_a_call_whose_cost_is_not_known() -> None:
    with pytest.raises(UnpricedCall):
        holds(slots([Budget("global", "1 USD")]), Estimate(None, None, 5, 5), exact=False)


def test_money_9_a_limit_of_tokens_refuses_a_call_whose_output_has_no_bound() -> None:
    boundless = Estimate(None, None, 5, 0, bound="input_only")
    with pytest.raises(UnpricedCall, match="largest output is not known"):
        holds(slots([Budget("global", "10 tokens")]), boundless, exact=False)


def test_an_observing_budget_stops_no_call_not_even_one_of_unknown_cost() -> None:
    found = slots([Budget("global", "1 USD", mode="observe"), Budget("global", "9 tokens", mode="observe")])
    boundless = Estimate(None, None, 5, 0, bound="input_only")
    made, _ = holds(found, boundless, exact=False)
    assert [(hold.amount, hold.limit) for hold in made] == [(0, None), (5, None)]
    assert [slot.would_block(boundless, 0) for slot in found] == [True, True]


def test_the_call_window_is_checked_without_a_ledger_and_exactly() -> None:
    made = BudgetSet([Budget("agent:a", "0.02 USD", window="call"), Budget("global", "10 tokens", window="call")])
    values = made.values(_call(agent_id="a"), None, None)
    assert made.slots(values, NOW) == ()
    made.check_call(values, Estimate(Decimal("0.02"), 20_000_000, 4, 6))
    with pytest.raises(AirlockBudgetExceeded) as cost:
        made.check_call(values, Estimate(Decimal("0.020000001"), 20_000_001))
    assert cost.value.budget_type == "cost"
    with pytest.raises(AirlockBudgetExceeded) as tokens:
        made.check_call(values, Estimate(Decimal(0), 0, 4, 7))
    assert tokens.value.budget_type == "tokens"
    made.check_call(made.values(_call(agent_id="b"), None, None), Estimate(Decimal(1), 10**9))
