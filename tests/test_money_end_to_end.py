"""Money through the whole gate, reckoned apart from it: random tools, tiers, prices and usages under a session cap."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import (
    Airlock,
    AirlockBlocked,
    AirlockConfig,
    Budget,
    BudgetConfig,
    Cost,
    CostTracker,
    Event,
    EventKind,
    MemoryLedger,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    set_global_tracker,
)
from agent_airlock.ledger.accounts import Balance
from agent_airlock.ledger.commands import Balances, Check, Command
from tests.ledger.crowd import at_once

PRICE = st.integers(0, 20_000_000).map(lambda micro: Decimal(micro).scaleb(-9))
"""USD per 1,000 tokens, to the nanodollar: so a token may cost a fraction of one."""
ROWS = st.fixed_dictionaries(
    {"input": PRICE, "output": PRICE}, optional={"cache_read": PRICE, "cache_write": PRICE, "cache_write_1h": PRICE}
)
TIERS = ("frontier", "mid", "small")
MODELS = ("big", "other", None)


@dataclass
class Asked:
    """One call: its limits, and what it really uses of them (in thousandths)."""

    tier: str
    model: str | None
    input_tokens: int
    most_output: int | None
    input_used: int
    output_used: int
    cached: tuple[int, int, int]
    ending: str

    def usage(self, output_limit: int) -> TokenUsage:
        """A usage within the limits, with caches within its input."""
        whole = self.input_tokens * self.input_used // 1000
        read = whole * self.cached[0] // 1000
        written = (whole - read) * self.cached[1] // 1000
        return TokenUsage(
            whole,
            output_limit * self.output_used // 1000,
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=written * self.cached[2] // 1000,
        )


PARTS = st.integers(0, 1000) | st.sampled_from([0, 1000])
CALLS = st.builds(
    Asked,
    st.sampled_from(TIERS),
    st.sampled_from(MODELS),
    st.integers(0, 20_000),
    st.none() | st.integers(0, 1000),
    PARTS,
    PARTS,
    st.tuples(PARTS, PARTS, PARTS),
    st.sampled_from(["returns", "streams", "raises", "async"]),
)
CAPS = st.integers(0, 10**9)


def exactly(row: dict[str, Decimal], usage: TokenUsage) -> Fraction:
    """What a usage costs in nanodollars, unrounded, by the table's own words."""
    price = {key: Fraction(value) for key, value in row.items()}
    read, written, long = usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    usd = (usage.input_tokens - read - written) * price["input"] + usage.output_tokens * price["output"]
    usd += read * price.get("cache_read", price["input"])
    usd += (written - long) * price.get("cache_write", price["input"])
    usd += long * price.get("cache_write_1h", price["input"])
    return usd * 10**9 / 1000


class Reported(Exception):
    def __init__(self, usage: TokenUsage) -> None:
        self.token_usage = usage


def returns(answer: dict[str, Any]) -> Any:
    return answer


def raises(answer: dict[str, Any]) -> Any:
    raise Reported(answer["token_usage"])


def streams(answer: dict[str, Any]) -> Iterator[Any]:
    yield {"token_usage": None}
    yield answer


async def awaited(answer: dict[str, Any]) -> Any:
    return answer


FUNCTIONS = {"returns": returns, "raises": raises, "streams": streams, "async": awaited}


class Capped(MemoryLedger):
    """A ledger that looks, at each command, whether a cap is passed."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[Balance] = []

    def apply(self, command: Command[Any], /) -> Any:
        answer = super().apply(command)
        if not isinstance(command, Balances):
            for balance in super().apply(Balances()):
                if balance.last_limit is not None and balance.total > balance.last_limit + balance.overrun:
                    self.passed.append(balance)
        return answer


@given(
    st.fixed_dictionaries({"default": ROWS, "big": ROWS}),
    st.tuples(CAPS, CAPS, st.sampled_from([None, 1, 50])),
    st.booleans(),
    st.lists(CALLS, max_size=12),
)
def test_booked_is_the_sum_of_the_real_costs_estimates_bound_them_and_no_cap_is_passed(
    pricing: dict[str, dict[str, Decimal]],
    caps: tuple[int, int, int | None],
    shared: bool,
    calls: list[Asked],
) -> None:
    """Rules 1, 2, 5, 8 and 9."""
    session, budget, cents = caps
    gate_ledger = Capped()
    tracker_ledger = gate_ledger if shared else Capped()
    cap = BudgetConfig(max_cost_per_session=Decimal(session).scaleb(-9))
    set_global_tracker(CostTracker(pricing=pricing, budget=cap, ledger=tracker_ledger))
    heard: list[Event] = []
    policy = SecurityPolicy(
        budgets=[Budget("global", Decimal(budget).scaleb(-9)), Budget("tier:*", "1_000_000 tokens")],
        model_tier_budget=ModelTierBudget({tier: TierBudget(cents, 1000) for tier in TIERS}, "small"),
    )
    expected = tokens = ran = 0
    for asked in calls:
        usage = asked.usage(1000 if asked.most_output is None else asked.most_output)
        function = FUNCTIONS[asked.ending]
        gated: Any = Airlock(
            policy=policy, ledger=gate_ledger, config=AirlockConfig(on_event=heard.append), on_block="return"
        )(function)
        tags = {"_airlock_tier": asked.tier, "_airlock_input_tokens": asked.input_tokens}
        tags |= {} if asked.model is None else {"_airlock_model_id": asked.model}
        tags |= {} if asked.most_output is None else {"_airlock_max_output_tokens": asked.most_output}
        before = sum(event.kind is EventKind.ADMITTED for event in heard)
        _run(gated, {"token_usage": usage}, tags)
        if sum(event.kind is EventKind.ADMITTED for event in heard) > before:
            ran += 1
            expected += round(exactly(pricing.get(asked.model or "default", pricing["default"]), usage))
            tokens += usage.total_tokens
    set_global_tracker(None)

    assert not [event for event in heard if event.kind is EventKind.BOUND_BROKEN], "an estimate was below a real cost"
    settled = [event.fields for event in heard if event.kind is EventKind.SETTLED]
    assert len(settled) == ran
    assert all(fields["actual_nano"] <= fields["estimate_nano"] for fields in settled)
    for ledger, scopes, limit in ((gate_ledger, "global", budget), (tracker_ledger, "tracker:", session)):
        found = [balance for balance in ledger.apply(Balances()) if balance.account.scope.startswith(scopes)]
        usd = [balance for balance in found if balance.account.unit.value == "usd"]
        assert sum(balance.settled for balance in usd) == expected
        assert expected <= limit or not ran
        assert not any(balance.overrun or balance.held or balance.presumed for balance in found)
        assert ledger.passed == []
        assert ledger.apply(Check()).problems == ()


def _run(gated: Any, answer: dict[str, Any], tags: dict[str, Any]) -> None:
    try:
        result = gated(answer, **tags)
        if inspect.iscoroutine(result):
            asyncio.run(result)
        elif isinstance(result, Iterator):
            list(result)
    except (Reported, AirlockBlocked):
        return


@pytest.mark.parametrize("cap", ["0.000001", "0.0333", "0.25"])
@pytest.mark.parametrize("shared", [True, False], ids=["one book", "two books"])
def test_money_1_no_cap_is_passed_by_threads_whose_calls_cost_less_than_they_hold(cap: str, shared: bool) -> None:
    ledger = Capped()
    tracker = CostTracker(
        pricing={"default": {"input": "0.001", "output": "0.003"}},
        budget=BudgetConfig(max_cost_per_session=cap),
        ledger=ledger if shared else None,
    )
    set_global_tracker(tracker)
    usages = [TokenUsage(number % 900, number * 7 % 500) for number in range(64)]

    @Airlock(policy=SecurityPolicy(budgets=[Budget("global", f"{cap} USD")]), ledger=ledger, cost=Cost.model())
    def ask(number: int) -> dict[str, Any]:
        return {"token_usage": usages[number]}

    def call(number: int) -> int | None:
        answer: Any = ask(number, _airlock_input_tokens=1000, _airlock_max_output_tokens=500)
        return number if "token_usage" in answer else None

    ran = [number for number in at_once([partial(call, number) for number in range(64)]) if number is not None]
    set_global_tracker(None)
    real = sum(usages[number].input_tokens * 1_000 + usages[number].output_tokens * 3_000 for number in ran)
    assert tracker.get_summary().total_cost == Decimal(real).scaleb(-9)
    assert real <= Decimal(cap) * 10**9
    assert ledger.passed == []
