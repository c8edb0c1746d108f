"""A wildcard opens so many accounts in a period; calls beyond share one overflow account, under one limit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from agent_airlock.ledger.accounts import Account, Crowd, Hold, Period, Unit
from agent_airlock.ledger.commands import Check
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.crowd import at_once
from tests.ledger.ledgers import SYNC_LEDGERS, Bench, open_bench
from tests.ledger.scenario import say
from tests.ledger.words import charge, hold, lapsing, release, reserve, settle


def _agent(name: str, amount: int = 1, limit: int | None = 10, *, most: int = 2, day: int = 0) -> Hold:
    """A hold on the agent's account of the day, in the crowd of `agent:*`."""
    start = START_MS + day * DAY_MS
    period = Period(start, start + DAY_MS)
    overflow = Account("agent:+", "day", Unit.USD, period)
    return Hold(Account(f"agent:{name}", "day", Unit.USD, period), amount, limit, Crowd(overflow, most))


def _scopes(bench: Bench) -> dict[str, int]:
    """What each account has in all."""
    return {balance.account.scope: balance.total for balance in bench.balances().values()}


def test_calls_beyond_the_most_accounts_share_the_overflow(bench: Bench) -> None:
    for n in range(5):
        assert say(bench.apply(reserve(f"r{n}", _agent(f"a{n}")))) == "held"
    assert _scopes(bench) == {"agent:a0": 1, "agent:a1": 1, "agent:+": 3}


def test_rule_1_the_overflow_is_under_one_limit(bench: Bench) -> None:
    for n in range(12):
        bench.apply(reserve(f"r{n:02}", _agent(f"a{n}", 2)))
    assert _scopes(bench) == {"agent:a0": 2, "agent:a1": 2, "agent:+": 10}
    assert say(bench.apply(reserve("r99", _agent("a99", 1)))) == "refused agent:+ held fits 0"


def test_an_account_that_is_open_stays_itself_when_the_crowd_is_full(bench: Bench) -> None:
    for n in range(3):
        bench.apply(reserve(f"r{n}", _agent(f"a{n}")))
    bench.apply(reserve("r4", _agent("a0", 4)))
    assert _scopes(bench) == {"agent:a0": 5, "agent:a1": 1, "agent:+": 1}


def test_a_refusal_opens_no_account(bench: Bench) -> None:
    for n in range(5):
        assert say(bench.apply(reserve(f"r{n}", _agent(f"a{n}", 11)))).startswith("refused")
    for n in range(5, 8):
        bench.apply(reserve(f"r{n}", _agent(f"a{n}")))
    assert _scopes(bench) == {"agent:a5": 1, "agent:a6": 1, "agent:+": 1}


def test_a_new_period_opens_as_many_again(bench: Bench) -> None:
    for n in range(3):
        bench.apply(reserve(f"r{n}", _agent(f"a{n}")))
    bench.clock.ms = START_MS + DAY_MS
    for n in range(3, 6):
        bench.apply(reserve(f"r{n}", _agent(f"a{n}", day=1)))
    tomorrow = {b.account.scope for b in bench.balances().values() if b.account.period.start_ms > START_MS}
    assert tomorrow == {"agent:a3", "agent:a4", "agent:+"}


def test_rule_3_a_reserve_that_was_seated_in_the_overflow_is_the_same_when_it_is_sent_again(bench: Bench) -> None:
    for n in range(3):
        bench.apply(reserve(f"r{n}", _agent(f"a{n}")))
    assert say(bench.apply(reserve("r2", _agent("a2")))) == "held"
    assert say(bench.apply(reserve("r2", _agent("a2", 2)))) == "conflict amounts"
    assert say(bench.apply(reserve("r2", hold(1, 10, "elsewhere")))) == "conflict accounts"
    assert say(bench.apply(reserve("r0", _agent("a1")))) == "conflict accounts"
    assert say(bench.apply(settle("r2", _agent("a2"), actual=4))) == "settled"
    assert _scopes(bench)["agent:+"] == 4


@pytest.mark.parametrize("make", [reserve, lapsing], ids=["presumed", "lapsed"])
def test_a_hold_in_the_overflow_ends_there(make: Callable[..., object], bench: Bench) -> None:
    for n in range(3):
        bench.apply(make(f"r{n}", _agent(f"a{n}", 5)))  # type: ignore[arg-type]
    bench.clock.tick(60)
    assert _scopes(bench)["agent:+"] == (5 if make is reserve else 0)
    bench.apply(release("r2"))
    assert _scopes(bench)["agent:+"] == 0


def test_real_money_of_an_unknown_id_opens_no_account_beyond_the_most(bench: Bench) -> None:
    bench.apply(charge("c0", _agent("a0"), actual=1))
    bench.apply(settle("c1", _agent("a1"), actual=1))
    bench.apply(charge("c2", _agent("a2"), actual=1))
    bench.apply(settle("c3", _agent("a3"), actual=1))
    assert _scopes(bench) == {"agent:a0": 1, "agent:a1": 1, "agent:+": 2}


def test_rule_2_the_other_holds_of_a_reservation_are_made_where_they_say(bench: Bench) -> None:
    for n in range(3):
        bench.apply(reserve(f"r{n}", hold(1, 100, "global"), _agent(f"a{n}"), hold(1, None, f"tool:{n}")))
    scopes = {"global": 3, "agent:a0": 1, "agent:a1": 1, "agent:+": 1, "tool:0": 1, "tool:1": 1, "tool:2": 1}
    assert _scopes(bench) == scopes


def test_a_crowd_of_none_has_its_overflow_alone(bench: Bench) -> None:
    for n in range(3):
        bench.apply(reserve(f"r{n}", _agent(f"a{n}", most=0)))
    assert _scopes(bench) == {"agent:+": 3}


def test_a_reservation_does_not_name_two_of_a_full_crowd(bench: Bench) -> None:
    """They would be made on one account, twice against the same room."""
    with pytest.raises(ValueError, match="each account once"):
        bench.apply(reserve("r1", _agent("a0", most=0), _agent("a1", most=0)))
    assert bench.balances() == {}


@pytest.mark.parametrize("ledger", SYNC_LEDGERS)
def test_the_first_calls_of_many_agents_at_once_open_as_many_accounts_as_may_be(ledger: str) -> None:
    with open_bench(ledger) as bench:
        at_once([partial(bench.apply, reserve(f"r{n:02}", _agent(f"a{n}", 1, 100, most=5))) for n in range(32)])
        scopes = _scopes(bench)
        assert len(scopes) == 6
        assert scopes.pop("agent:+") == 27
        assert set(scopes.values()) == {1}
        assert bench.apply(Check()).problems == ()
