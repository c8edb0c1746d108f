"""`Close` ends an account, such as a session's: it takes no new hold, and lets open ones end."""

from __future__ import annotations

from typing import Final

from agent_airlock.ledger.accounts import Period
from agent_airlock.ledger.commands import Frozen
from agent_airlock.ledger.operations import Close
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.ledgers import Bench
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, hold, release, reserve, settle

SESSION: Final = account("session:s1")


def test_a_closed_account_takes_no_new_hold_and_its_open_ones_end(bench: Bench) -> None:
    for n in range(4):
        bench.apply(reserve(f"r{n}", hold(1, 10, SESSION)))
    assert say(bench.apply(Close(SESSION))) == "closed"
    for amount, limit in ((1, 10), (0, 10), (0, None)):
        answer = bench.apply(reserve("r9", hold(amount, limit, SESSION)))
        assert isinstance(answer, Frozen)
        assert answer.cause == "closed"
    assert say(bench.apply(reserve("r0", hold(1, 10, SESSION)))) == "held"
    assert say(bench.apply(settle("r0", actual=3))) == "settled"
    assert say(bench.apply(release("r1"))) == "released"
    assert say(bench.apply(charge("c1", hold(1, 10, SESSION), actual=1))) == "charged"
    bench.clock.tick(60)
    balance = bench.balance("session:s1")
    assert (balance.settled, balance.presumed, balance.held, balance.shut) == (4, 2, 0, "closed")


def test_closing_twice_is_closing_once(bench: Bench) -> None:
    assert say(bench.apply(Close(SESSION))) == "closed"
    before = bench.balances()
    assert say(bench.apply(Close(SESSION))) == "no effect closed"
    assert bench.balances() == before


def test_an_account_that_was_never_seen_can_be_closed(bench: Bench) -> None:
    """Its first call may still be under way."""
    bench.apply(Close(SESSION))
    assert say(bench.apply(reserve("r1", hold(1, 10, SESSION)))) == "frozen session:s1"
    assert bench.balance("session:s1").total == 0


def test_rule_2_a_reservation_with_one_closed_account_holds_on_none(bench: Bench) -> None:
    bench.apply(Close(SESSION))
    assert say(bench.apply(reserve("r1", hold(1, 10), hold(1, 10, SESSION)))) == "frozen session:s1"
    assert "agent:a" not in {balance.account.scope for balance in bench.balances().values()}


def test_the_next_period_of_a_closed_account_is_another_account(bench: Bench) -> None:
    today = account("session:s1", "day", Period(START_MS, START_MS + DAY_MS))
    tomorrow = account("session:s1", "day", Period(START_MS + DAY_MS, START_MS + 2 * DAY_MS))
    bench.apply(Close(today))
    bench.clock.ms = START_MS + DAY_MS
    assert say(bench.apply(reserve("r1", hold(1, 10, tomorrow)))) == "held"


def test_closing_an_account_opens_its_line_to_no_overlapping_period(bench: Bench) -> None:
    today = account("session:s1", "day", Period(START_MS, START_MS + DAY_MS))
    shifted = account("session:s1", "day", Period(START_MS - 1, START_MS + DAY_MS - 1))
    bench.apply(reserve("r1", hold(10, 10, today)))
    bench.apply(Close(shifted))
    other = account("session:s1", "day", Period(START_MS - 2, START_MS + DAY_MS - 2))
    assert say(bench.apply(reserve("r2", hold(1, 10, other)))) == "period overlap session:s1"
