"""A plan's monthly credit for an agent SDK: what is allowed, what is booked, and when a month begins anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest

from agent_airlock import MemoryLedger
from agent_airlock.call import TokenUsage
from agent_airlock.exceptions import LedgerError, LedgerUnavailable
from agent_airlock.ledger import default_ledger
from agent_airlock.ledger.accounts import Unit
from agent_airlock.ledger.commands import Balances, Check, Entries, Forgotten, Reserve, Settle, Stamp, WrongPeriod
from agent_airlock.money import usd_from_femto
from agent_airlock.prices import PriceBook
from agent_airlock.sdk_credit import (
    AGENT_SDK_TIER_USD,
    AgentSDKCreditBudget,
    AgentSDKCreditDecision,
    AgentSDKCreditVerdict,
)
from tests.gate.rig import Recording, Scripted
from tests.ledger.clock import Clock
from tests.ledger.faulty import FaultyLedger
from tests.ledger.ledgers import AsyncMemoryLedger

ALLOW: Final = AgentSDKCreditVerdict.ALLOW
NEAR: Final = AgentSDKCreditVerdict.NEAR_LIMIT
EXHAUSTED: Final = AgentSDKCreditVerdict.EXHAUSTED

PRICES: Final = {"even": {"input": Decimal("0.001"), "output": Decimal("0.002")}}
"""A thousand tokens of input cost 0.001 USD, of output 0.002 USD."""
CENT: Final = 10_000
"""Tokens of input that cost one US cent."""


@pytest.fixture
def easy_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_airlock.prices._SHIPPED", PriceBook.from_pricing(PRICES))


@pytest.fixture
def clock() -> Clock:
    return Clock(int(datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp()) * 1_000)


@pytest.fixture
def ledger(clock: Clock) -> MemoryLedger:
    return MemoryLedger(clock=clock)


def spend(budget: AgentSDKCreditBudget, cents: int) -> AgentSDKCreditDecision:
    return budget.register_call("even", cents * CENT, 0)


def booked(ledger: MemoryLedger) -> int:
    """Nanodollars on all accounts, after an audit."""
    assert ledger.apply(Check()).problems == ()
    return sum(balance.total for balance in ledger.apply(Balances()))


def test_the_credits_of_the_plans_are_exact_and_cannot_be_changed() -> None:
    assert dict(AGENT_SDK_TIER_USD) == {"pro": 20, "max5x": 100, "max20x": 200}
    assert all(type(usd) is Decimal for usd in AGENT_SDK_TIER_USD.values())
    with pytest.raises(TypeError):
        AGENT_SDK_TIER_USD["pro"] = Decimal(1)  # type: ignore[index]


@pytest.mark.usefixtures("easy_prices")
def test_a_call_that_fits_is_booked_at_what_it_costs(ledger: MemoryLedger) -> None:
    budget = AgentSDKCreditBudget(1, ledger=ledger)
    decision = budget.register_call("even", 3_000, 1_000)
    assert decision == AgentSDKCreditDecision(
        True, ALLOW, Decimal("0.005"), Decimal("0.995"), Decimal("0.005"), "0.005 USD of 1 USD are spent this month"
    )
    assert booked(ledger) == 5_000_000
    [entry] = ledger.apply(Entries()).entries
    assert (entry.labels.tool, entry.labels.model, entry.amounts) == ("agent_sdk", "even", {Unit.USD: 5_000_000})


def test_shipped_prices_price_it_exactly_and_half_even(ledger: MemoryLedger) -> None:
    card = PriceBook.shipped().card("claude-haiku-5-5")
    assert card is not None
    usage = TokenUsage(123_457, 891)
    cost = usd_from_femto(card.cost(usage)).quantize(Decimal("1e-9"))
    decision = AgentSDKCreditBudget(20, ledger=ledger).register_call("claude-haiku-5-5", 123_457, 891)
    assert decision.last_call_usd == decision.spent_usd == cost > 0
    assert decision.remaining_usd == 20 - cost


@pytest.mark.usefixtures("easy_prices")
@pytest.mark.parametrize(
    ("cents", "verdicts"),
    [
        ([89, 1, 10], [ALLOW, NEAR, NEAR]),
        ([89, 11, 1], [ALLOW, NEAR, EXHAUSTED]),
        ([100, 0], [NEAR, NEAR]),
        ([101, 90], [EXHAUSTED, NEAR]),
        ([50, 51, 40, 10, 1], [ALLOW, EXHAUSTED, NEAR, NEAR, EXHAUSTED]),
    ],
)
def test_from_ninety_percent_on_it_warns_and_past_the_credit_it_refuses(
    ledger: MemoryLedger, cents: list[int], verdicts: list[AgentSDKCreditVerdict]
) -> None:
    budget = AgentSDKCreditBudget(1, ledger=ledger)
    decisions = [spend(budget, each) for each in cents]
    assert [decision.verdict for decision in decisions] == verdicts
    assert [decision.allowed for decision in decisions] == [verdict is not EXHAUSTED for verdict in verdicts]
    allowed = sum(each for each, decision in zip(cents, decisions, strict=True) if decision.allowed)
    assert decisions[-1].spent_usd == Decimal(allowed) / 100
    assert decisions[-1].remaining_usd == 1 - Decimal(allowed) / 100
    assert booked(ledger) == allowed * 10_000_000


@pytest.mark.usefixtures("easy_prices")
def test_ninety_percent_is_compared_exactly(ledger: MemoryLedger) -> None:
    budget = AgentSDKCreditBudget("0.00001", ledger=ledger)
    assert budget.register_call("even", 8, 0).verdict is ALLOW
    assert budget.register_call("even", 1, 0).verdict is NEAR


@pytest.mark.usefixtures("easy_prices")
def test_a_call_that_does_not_fit_is_told_what_it_costs_and_what_is_left(ledger: MemoryLedger) -> None:
    budget = AgentSDKCreditBudget(AGENT_SDK_TIER_USD["pro"], "pro", ledger)
    spend(budget, 1_950)
    decision = spend(budget, 51)
    assert decision == AgentSDKCreditDecision(
        False,
        EXHAUSTED,
        Decimal("19.5"),
        Decimal("0.5"),
        Decimal("0.51"),
        "the call costs 0.51 USD, and 0.5 USD of 20 USD (pro) are left this month",
    )
    assert booked(ledger) == 19_500_000_000


@pytest.mark.usefixtures("easy_prices")
def test_a_credit_of_nothing_allows_nothing(ledger: MemoryLedger) -> None:
    decision = AgentSDKCreditBudget(0, ledger=ledger).register_call("even", 1, 0)
    assert (decision.allowed, decision.verdict, booked(ledger)) == (False, EXHAUSTED, 0)


@pytest.mark.usefixtures("easy_prices")
def test_a_model_without_a_known_price_is_not_allowed_and_not_booked(ledger: MemoryLedger) -> None:
    budget = AgentSDKCreditBudget(1, ledger=ledger)
    spend(budget, 30)
    assert budget.register_call("nobody-knows", 1, 1) == AgentSDKCreditDecision(
        False,
        EXHAUSTED,
        Decimal("0.3"),
        Decimal("0.7"),
        Decimal(0),
        "no price is known for the model 'nobody-knows': it is not allowed",
    )
    assert booked(ledger) == 300_000_000


# --- months ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("easy_prices")
def test_the_credit_begins_anew_with_each_calendar_month_in_utc(ledger: MemoryLedger, clock: Clock) -> None:
    budget = AgentSDKCreditBudget(1, ledger=ledger)
    assert spend(budget, 100).allowed
    clock.ms = int(datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC).timestamp()) * 1_000 + 999
    assert not spend(budget, 1).allowed
    clock.ms += 1
    decision = spend(budget, 60)
    assert (decision.allowed, decision.spent_usd) == (True, Decimal("0.6"))
    assert budget.register_call("nobody-knows", 1, 1).spent_usd == Decimal("0.6")


@pytest.mark.usefixtures("easy_prices")
def test_a_month_that_turned_on_the_way_is_asked_for_again(clock: Clock) -> None:
    clock.ms = int(datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC).timestamp()) * 1_000
    inner = MemoryLedger(clock=clock)
    spend(AgentSDKCreditBudget(1, ledger=inner), 100)
    turning = Scripted(Reserve, before=lambda: clock.tick(1), inner=inner)
    decision = spend(AgentSDKCreditBudget(1, ledger=turning), 10)
    assert (decision.allowed, decision.spent_usd) == (True, Decimal("0.1"))
    assert turning.verbs == ["Reserve", "Reserve", "Settle"]


class Answering(Recording):
    """A ledger that answers the first of its reserves so."""

    def __init__(self, inner: MemoryLedger, *answers: Callable[[Any], Any]) -> None:
        super().__init__(inner)
        self.answers = list(answers)

    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Reserve) and self.answers:
            self.asked.append(command)
            return self.answers.pop(0)(command)
        return super().apply(command)


def _at(now_ms: int) -> Stamp:
    return Stamp("elsewhere", 0, 0, now_ms)


def forgotten(command: Reserve) -> Forgotten:
    return Forgotten(_at(command.holds[0].account.period.start_ms + 5))


def wrong_period(command: Reserve) -> WrongPeriod:
    return WrongPeriod(command.holds[0].account, _at(command.holds[0].account.period.start_ms + 5))


@pytest.mark.usefixtures("easy_prices")
def test_a_forgotten_id_is_asked_for_again_under_a_new_one(ledger: MemoryLedger) -> None:
    answering = Answering(ledger, forgotten)
    assert spend(AgentSDKCreditBudget(1, ledger=answering), 10).allowed
    first, second = (command.id for command in answering.asked if isinstance(command, Reserve))
    assert first != second
    assert booked(ledger) == 100_000_000


@pytest.mark.usefixtures("easy_prices")
@pytest.mark.parametrize("again", [forgotten, wrong_period])
def test_it_is_asked_again_once_and_no_more(ledger: MemoryLedger, again: Callable[[Any], Any]) -> None:
    answering = Answering(ledger, again, again)
    with pytest.raises(LedgerError, match=r"it answered (Forgotten|WrongPeriod)"):
        spend(AgentSDKCreditBudget(1, ledger=answering), 10)
    assert booked(ledger) == 0


# --- accounts --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("easy_prices")
def test_budgets_of_one_account_count_together_and_others_apart(ledger: MemoryLedger) -> None:
    spend(AgentSDKCreditBudget(1, ledger=ledger, account="ada"), 60)
    assert not spend(AgentSDKCreditBudget(1, ledger=ledger, account="ada"), 60).allowed
    assert spend(AgentSDKCreditBudget(1, ledger=ledger, account="bob"), 60).allowed
    assert spend(AgentSDKCreditBudget(1, ledger=ledger), 60).allowed


@pytest.mark.usefixtures("easy_prices")
def test_no_two_names_share_an_account_by_their_spelling(ledger: MemoryLedger) -> None:
    names = [None, "-", "%2D", "%252D", "a/b", "a%2Fb", "a+b", "a b", "A b", "global", "\ud800", "é", "e\u0301"]
    for name in names:
        assert spend(AgentSDKCreditBudget(1, ledger=ledger, account=name), 60).allowed
    assert len({balance.account.scope for balance in ledger.apply(Balances())}) == len(names)


@pytest.mark.usefixtures("easy_prices")
def test_without_a_ledger_it_counts_in_the_process() -> None:
    account = "test_without_a_ledger_it_counts_in_the_process"
    spend(AgentSDKCreditBudget(1, account=account), 60)
    assert not spend(AgentSDKCreditBudget(1, account=account), 60).allowed
    assert default_ledger().apply(Balances(f"sdk_credit:{account}")).balances[0].settled == 600_000_000


@pytest.mark.usefixtures("easy_prices")
def test_of_calls_that_race_no_more_are_allowed_than_the_credit_pays_for(ledger: MemoryLedger) -> None:
    budget = AgentSDKCreditBudget(1, ledger=ledger)
    decisions: list[AgentSDKCreditDecision] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        decisions.extend([spend(budget, 3) for _ in range(10)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(decision.allowed for decision in decisions) == 33
    assert booked(ledger) == 990_000_000


# --- ledgers that fail -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("easy_prices")
@pytest.mark.parametrize("fault", ["before", "after", "late"])
def test_a_reserve_whose_answer_is_lost_fails_and_books_nothing(ledger: MemoryLedger, fault: Any) -> None:
    budget = AgentSDKCreditBudget(1, ledger=FaultyLedger(ledger, 1, fault))
    with pytest.raises(LedgerUnavailable):
        spend(budget, 10)
    assert booked(ledger) == 0
    assert spend(budget, 100).allowed


@pytest.mark.usefixtures("easy_prices")
@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_settle_that_is_lost_loses_no_money(ledger: MemoryLedger, clock: Clock, fault: Any) -> None:
    decision = spend(AgentSDKCreditBudget(1, ledger=FaultyLedger(ledger, 2, fault)), 60)
    assert decision.allowed
    assert not spend(AgentSDKCreditBudget(1, ledger=ledger), 60).allowed
    clock.tick(601)
    assert not spend(AgentSDKCreditBudget(1, ledger=ledger), 60).allowed
    assert booked(ledger) == 600_000_000


@pytest.mark.usefixtures("easy_prices")
def test_an_error_that_is_not_the_ledgers_own_becomes_one(ledger: MemoryLedger) -> None:
    def broken() -> None:
        raise OSError("disk")

    for kind, call in ((Reserve, "even"), (Balances, "nobody-knows")):
        budget = AgentSDKCreditBudget(1, ledger=Scripted(kind, before=broken, inner=ledger))
        with pytest.raises(LedgerUnavailable, match=r"the ledger did not answer \(OSError\)"):
            budget.register_call(call, 1, 1)
    assert booked(ledger) == 0


@pytest.mark.usefixtures("easy_prices")
def test_an_interrupt_books_nothing(ledger: MemoryLedger) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spend(AgentSDKCreditBudget(1, ledger=Scripted(Reserve, after=interrupted, inner=ledger)), 10)
    assert booked(ledger) == 0


@pytest.mark.usefixtures("easy_prices")
def test_a_settle_that_fails_is_told(ledger: MemoryLedger, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise OSError("disk")

    spend(AgentSDKCreditBudget(1, ledger=Scripted(Settle, before=broken, inner=ledger)), 10)
    [record] = [item for item in caplog.records if getattr(item, "airlock_event", "") == "settle_failed"]
    assert (record.__dict__["airlock_verb"], record.__dict__["airlock_error"]) == ("settle", "OSError")


# --- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"monthly_credit_usd": -1}, ValueError, "AgentSDKCreditBudget.monthly_credit_usd must be"),
        ({"monthly_credit_usd": "a lot"}, ValueError, "AgentSDKCreditBudget.monthly_credit_usd must be"),
        ({"monthly_credit_usd": 10**8}, ValueError, "AgentSDKCreditBudget.monthly_credit_usd must be at most"),
        ({"tier_label": ""}, ValueError, "AgentSDKCreditBudget.tier_label must be a text"),
        ({"tier_label": 5}, ValueError, "AgentSDKCreditBudget.tier_label must be a text"),
        ({"account": ""}, ValueError, "AgentSDKCreditBudget.account must be a text"),
        ({"account": "x" * 257}, ValueError, "AgentSDKCreditBudget.account must be a text of at most 256 bytes"),
        ({"ledger": object()}, TypeError, "AgentSDKCreditBudget.ledger must be a sync ledger or None, not object"),
        ({"ledger": AsyncMemoryLedger(MemoryLedger())}, TypeError, "must be a sync ledger or None, not AsyncMemory"),
    ],
)
def test_wrong_settings_are_refused_by_name(options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        AgentSDKCreditBudget(**{"monthly_credit_usd": 1, **options})


@pytest.mark.usefixtures("easy_prices")
@pytest.mark.parametrize("arguments", [("", 1, 1), (None, 1, 1), ("even", -1, 1), ("even", 1.5, 1), ("even", 1, True)])
def test_wrong_calls_are_refused_and_not_booked(ledger: MemoryLedger, arguments: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be a non-negative whole number|takes a model's id"):
        AgentSDKCreditBudget(1, ledger=ledger).register_call(*arguments)
    assert booked(ledger) == 0


@pytest.mark.parametrize("credit", [20, "20 USD", "$20", Decimal("20.00"), 20.0])
def test_a_credit_is_read_exactly_however_it_is_written(credit: Any) -> None:
    assert AgentSDKCreditBudget(credit).monthly_credit_usd == 20
