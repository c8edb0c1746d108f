"""``CostTracker``: prices exactly, books what it is told, and reads it back."""

from __future__ import annotations

import decimal
import logging
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import (
    BudgetConfig,
    BudgetExceededError,
    CostRecord,
    CostTracker,
    EventKind,
    LedgerError,
    MemoryLedger,
    Reach,
    TokenUsage,
    UnknownModelError,
    UnpricedCall,
    get_global_tracker,
    set_global_tracker,
)
from agent_airlock.cost_tracking import Pricing
from agent_airlock.events import counts
from agent_airlock.ledger.commands import Charge, Command, Forgotten, Stamp
from tests.gate.rig import PRICING, AsyncBook, Recording, Scripted, priced
from tests.ledger.crowd import at_once

TOKENS = st.integers(0, 10**7)
PRICES = st.decimals("0", "100", places=9, allow_nan=False, allow_infinity=False)


# --- prices ----------------------------------------------------------------------------------------------


@given(PRICES, PRICES, TOKENS, TOKENS, st.integers(1, 28))
def test_money_8_a_cost_is_exact_and_unrounded_whatever_the_caller_s_decimal_context(
    entry: Decimal, output: Decimal, tokens_in: int, tokens_out: int, precision: int
) -> None:
    tracker = CostTracker(pricing={"default": {"input": entry, "output": output}})
    with decimal.localcontext(prec=precision):
        cost = tracker.calculate_cost(TokenUsage(tokens_in, tokens_out))
    with decimal.localcontext(prec=80):
        assert cost * 1000 == tokens_in * entry + tokens_out * output


@given(TOKENS, TOKENS, st.data())
def test_money_9_with_reach_a_cost_bounds_every_usage_within_it(
    most_in: int, most_out: int, data: st.DataObject
) -> None:
    tracker = CostTracker(pricing={"default": {"input": "0.003", "output": "0.015", "cache_write": "0.00375"}})
    whole = data.draw(st.integers(0, most_in))
    written = data.draw(st.integers(0, whole))
    usage = TokenUsage(whole, data.draw(st.integers(0, most_out)), cache_write_tokens=written)
    worst = tracker.calculate_cost(TokenUsage(most_in, most_out), reach=Reach())
    assert tracker.calculate_cost(usage) <= worst


def test_a_model_without_a_price_is_an_error_and_a_default_row_prices_the_rest() -> None:
    pricing: Pricing = {"big": {"input": 1, "output": 1}}
    with pytest.raises(UnknownModelError):
        CostTracker(pricing=pricing).calculate_cost(TokenUsage(1, 1), "small")
    assert priced().calculate_cost(TokenUsage(1000, 500), "any") == Decimal("0.002")
    with pytest.raises(UnknownModelError):
        CostTracker().calculate_cost(TokenUsage(1, 1))


@pytest.mark.parametrize("price", ["0.003", Decimal("0.003"), 0.003])
def test_prices_are_exact_however_they_are_written(price: Any) -> None:
    tracker = CostTracker(pricing={"default": {"input": price, "output": 0}})
    assert tracker.calculate_cost(TokenUsage(1_000)) == Decimal("0.003")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"model": ""}, r"CostTracker\.model"),
        ({"model": None}, r"CostTracker\.model"),
        ({"budget": {"max_cost_per_session": 1}}, r"CostTracker\.budget"),
        ({"ledger": "sqlite:///x.db"}, r"CostTracker\.ledger"),
        ({"ledger": AsyncBook()}, r"CostTracker\.ledger"),
        ({"pricing": {}}, "pricing"),
        ({"pricing": {"default": {"input": 1}}}, "pricing"),
        ({"pricing": {"default": {"input": -1, "output": 1}}}, "pricing"),
        ({"pricing": {"default": {"input": True, "output": 1}}}, "pricing"),
    ],
)
def test_a_wrong_tracker_names_its_field(options: dict[str, Any], match: str) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        CostTracker(**options)


def test_caps_do_not_change_under_a_tracker() -> None:
    with pytest.raises(AttributeError):
        CostTracker().budget = BudgetConfig(max_cost_per_session=1)


# --- booking ---------------------------------------------------------------------------------------------


def test_a_record_is_booked_and_reads_back() -> None:
    tracker = priced(model="house")
    made = tracker.record("ask", TokenUsage(1000, 500), tier="mid")
    assert (made.tool, made.model, made.tier, made.tokens, made.cost) == ("ask", "house", "mid", 1500, Decimal("0.002"))
    assert tracker.get_records() == [made]
    tracker.record("search", TokenUsage(), cost="0.05 USD")
    summary = tracker.get_summary()
    assert (summary.total_calls, summary.total_cost, summary.total_tokens) == (2, Decimal("0.052"), 1500)
    assert summary.by_tool == {"ask": Decimal("0.002"), "search": Decimal("0.05")}
    assert summary.by_model == {"house": Decimal("0.052")}
    assert summary.by_tier == {"mid": Decimal("0.002")}
    assert summary.in_flight == 0


@pytest.mark.parametrize(
    ("cost", "nano"),
    [
        (Decimal("0.0000000005"), 0),
        (Decimal("0.0000000015"), 2),
        (1.23456789e-05, 12_346),
        ("0.02 USD", 20_000_000),
        (2, 2 * 10**9),
        (0, 0),
    ],
)
def test_money_8_a_stated_cost_is_rounded_once_half_even(cost: Any, nano: int) -> None:
    record = priced().record("search", TokenUsage(), cost=cost)
    assert record.cost == Decimal(nano).scaleb(-9)


@pytest.mark.parametrize("cost", [-1, float("nan"), Decimal("Infinity"), True, "much", Decimal("-0.1"), 10**9, 1e300])
def test_a_stated_cost_that_is_none_is_refused_and_books_nothing(cost: Any) -> None:
    tracker = priced()
    with pytest.raises(ValueError, match="cost"):
        tracker.record("search", TokenUsage(), cost=cost)
    assert tracker.get_summary().total_calls == 0


@pytest.mark.parametrize(("tool", "tokens"), [("ask", 5), (None, TokenUsage()), ("ask", {"input_tokens": 1})])
def test_a_record_of_something_else_is_refused(tool: Any, tokens: Any) -> None:
    with pytest.raises(TypeError, match=r"CostTracker\.record"):
        priced().record(tool, tokens)


def test_an_unknown_model_books_its_tokens_and_no_cost_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    tracker = CostTracker()
    with caplog.at_level(logging.WARNING, "agent_airlock"):
        record = tracker.record("ask", TokenUsage(3, 4), "no-such-model")
    assert record.cost is None
    assert "no-such-model" in caplog.text
    assert tracker.get_records() == [record]
    assert (tracker.get_summary().total_tokens, tracker.get_summary().total_cost) == (7, 0)


def test_recording_never_blocks() -> None:
    tracker = priced(budget=BudgetConfig(max_cost_per_session="0.001", max_tokens_per_call=1))
    for _ in range(3):
        tracker.record("ask", TokenUsage(1000, 1000))
    assert tracker.get_summary().total_cost == Decimal("0.009")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=30))
def test_a_summary_is_the_sum_of_what_was_recorded(calls: list[tuple[str, int, int]]) -> None:
    tracker = CostTracker(pricing=PRICING, ledger=MemoryLedger(max_ended=5))
    for tool, tokens_in, tokens_out in calls:
        tracker.record(tool, TokenUsage(tokens_in, tokens_out))
    costs = [tokens_in * 1_000 + tokens_out * 2_000 for _, tokens_in, tokens_out in calls]
    summary = tracker.get_summary()
    assert summary.total_calls == len(calls)
    assert summary.total_cost == Decimal(sum(costs)).scaleb(-9)
    assert sum(summary.by_tool.values()) == summary.total_cost, "entries that are folded away count too"
    assert set(summary.by_tool) == {tool for tool, _, _ in calls}


def test_threads_that_record_lose_nothing() -> None:
    tracker = priced()

    def work() -> list[CostRecord]:
        return [tracker.record("ask", TokenUsage(1)) for _ in range(50)]

    records = [record for many in at_once([work] * 8) for record in many]
    assert len({record.id for record in records}) == 400
    assert tracker.get_summary().total_cost == Decimal("0.0004")


def test_a_ledger_that_does_not_book_is_an_error_of_record_and_an_event_of_track() -> None:
    def fail() -> None:
        raise LedgerError("down")

    tracker = priced(ledger=Scripted(Charge, before=fail))
    with pytest.raises(LedgerError):
        tracker.record("ask", TokenUsage(1))
    before = counts().get(EventKind.SETTLE_FAILED, 0)
    with pytest.raises(KeyError, match="the tool's own"), tracker.track("ask"):
        raise KeyError("the tool's own")
    assert counts()[EventKind.SETTLE_FAILED] == before + 1


def test_a_charge_whose_id_is_forgotten_is_booked_under_a_new_one() -> None:
    class Forgetful(Recording):
        def apply(self, command: Command[Any], /) -> Any:
            if not self.asked:
                self.asked.append(command)
                return Forgotten(Stamp("ledger", 1, 0, self.now_ms()))
            return super().apply(command)

    tracker = priced(ledger=Forgetful())
    record = tracker.record("ask", TokenUsage(1))
    assert tracker.get_records() == [record]


# --- track, check, callbacks, reset ----------------------------------------------------------------------


def test_track_records_around_a_block_also_where_it_raises() -> None:
    tracker = priced()
    with tracker.track("ask", "m") as call:
        call.set_usage(TokenUsage(1000))
        call.tier = "mid"

    def fail() -> None:
        with tracker.track("ask") as call:
            call.set_usage(TokenUsage(0, 1000), "n")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [(record.model, record.tier, record.cost) for record in tracker.get_records()] == [
        ("m", "mid", Decimal("0.001")),
        ("n", None, Decimal("0.002")),
    ]


def test_check_says_whether_a_further_call_fits_and_holds_nothing() -> None:
    tracker = priced(budget=BudgetConfig(max_cost_per_session="0.003", max_tokens_per_session=2500))
    fits = TokenUsage(1000, 500)
    tracker.check(fits)
    tracker.check(fits)
    tracker.record("ask", fits)
    tracker.check()
    tracker.check(TokenUsage(1000))
    with pytest.raises(BudgetExceededError, match=r"cost at most 0\.003 USD"):
        tracker.check(TokenUsage(0, 501))
    with pytest.raises(BudgetExceededError, match="use at most 2500 tokens"):
        tracker.check(TokenUsage(total_tokens=1001))
    assert tracker.get_summary().total_calls == 1


def test_check_knows_the_caps_of_one_call_and_refuses_an_unknown_price() -> None:
    tracker = priced(budget=BudgetConfig(max_cost_per_call="0.001", max_tokens_per_call=1100))
    tracker.check(TokenUsage(1000))
    with pytest.raises(BudgetExceededError, match="a call may cost"):
        tracker.check(TokenUsage(1001))
    with pytest.raises(BudgetExceededError, match="a call may use"):
        tracker.check(TokenUsage(total_tokens=1101))
    with pytest.raises(UnpricedCall):
        CostTracker(budget=BudgetConfig(max_cost_per_session=1)).check(TokenUsage(1), "no-such-model")


def test_callbacks_get_each_record_after_it_is_booked_and_what_they_raise_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = priced()
    seen: list[tuple[CostRecord, int]] = []
    tracker.add_callback(lambda record: 1 / 0)
    tracker.add_callback(lambda record: seen.append((record, tracker.get_summary().total_calls)))
    record = tracker.record("ask", TokenUsage(1))
    assert seen == [(record, 1)]
    assert "ZeroDivisionError" in caplog.text


def test_the_newest_records_come_oldest_first() -> None:
    tracker = priced()
    made = [tracker.record("ask", TokenUsage(number)) for number in range(10)]
    assert tracker.get_records(3) == made[-3:]
    assert tracker.get_records() == made
    for limit in (0, -1, True, 1.0):
        with pytest.raises(ValueError, match="limit"):
            tracker.get_records(limit)


def test_reset_begins_at_zero() -> None:
    tracker = priced(budget=BudgetConfig(max_cost_per_session="0.001"))
    tracker.record("ask", TokenUsage(1000))
    tracker.reset()
    tracker.check(TokenUsage(1000))
    assert tracker.get_summary() == priced().get_summary()
    assert tracker.get_records() == []


def test_the_global_tracker_is_one_and_can_be_replaced() -> None:
    set_global_tracker(None)
    assert len({id(tracker) for tracker in at_once([get_global_tracker] * 16)}) == 1
    mine = priced()
    set_global_tracker(mine)
    assert get_global_tracker() is mine
    with pytest.raises(TypeError, match="set_global_tracker"):
        set_global_tracker("mine")
    set_global_tracker(None)
