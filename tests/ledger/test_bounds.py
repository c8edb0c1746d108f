"""A memory ledger is bounded: accounts whose period is over, leases, refusals; and one command's work is."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from agent_airlock.ledger import memory, store
from agent_airlock.ledger.accounts import Account, Period
from agent_airlock.ledger.commands import Balances, Check, Refused
from tests.ledger.clock import START_MS
from tests.ledger.ledgers import Bench, open_bench
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, hold, release, reserve, settle

HOUR_MS = 3_600_000


def _hour(scope: str, ago: int = 0) -> Account:
    start = START_MS - ago * HOUR_MS
    return account(scope, "hour", Period(start, start + HOUR_MS))


def _accounts(bench: Bench) -> int:
    return bench.apply(Check()).accounts


def test_refusals_leave_nothing_behind(bench: Bench) -> None:
    for n in range(500):
        assert isinstance(bench.apply(reserve(f"r{n}", hold(2, 1, f"user:{n}"))), Refused)
    report = bench.apply(Check())
    assert (report.accounts, report.reservations) == (0, 0)


def test_accounts_whose_period_is_over_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_OVER_ACCOUNTS", 50)
    with open_bench("memory", max_ended=10) as bench:
        for n in range(1_000):
            start = START_MS + n * HOUR_MS
            holds = hold(1, 5, account("agent:a", "hour", Period(start, start + HOUR_MS))), hold(1, None, "all")
            assert say(bench.apply(reserve(f"r{n:04}", *holds))) == "held"
            bench.apply(settle(f"r{n:04}"))
            bench.clock.tick(3_600)
        assert _accounts(bench) <= 2 * 50 + 10 + 2
        assert bench.balance("all").settled == 1_000, "an account without an end is never dropped"


def test_an_account_that_something_remembered_points_to_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_OVER_ACCOUNTS", 10)
    with open_bench("memory", max_ended=50) as bench:
        bench.apply(reserve("r0", hold(5, 10, _hour("open")), lease_ms=1000 * HOUR_MS))
        bench.apply(reserve("r1", hold(5, 10, _hour("ended"))))
        bench.apply(release("r1"))
        bench.clock.tick(3_600)
        for n in range(40):
            bench.apply(charge(f"r2{n:03}", hold(1, None, _hour(f"old:{n}", ago=1)), actual=1))
        assert say(bench.apply(settle("r1", actual=4))) == "late"
        assert say(bench.apply(settle("r0", actual=4))) == "settled"
        assert bench.balance("open").settled == bench.balance("ended").settled == 4


def test_rule_1_an_account_whose_period_is_not_over_is_kept_when_all_its_ids_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dropped, it would start at nothing, and its limit would stand twice in one period."""
    monkeypatch.setattr(store, "MAX_OVER_ACCOUNTS", 10)
    day = account("agent:a", "day", Period(START_MS, START_MS + 24 * HOUR_MS))
    with open_bench("memory", max_ended=4) as bench:
        bench.apply(reserve("r0", hold(9, 10, day), hold(9, 10, "total:a")))
        bench.apply(settle("r0"))
        for n in range(100):
            bench.apply(charge(f"r1{n:03}", hold(1, None, _hour(f"old:{n}", ago=1)), actual=1))
        assert say(bench.apply(settle("r0"))) == "forgotten"
        assert _accounts(bench) < 50
        assert say(bench.apply(reserve("s0", hold(2, 10, day)))) == "refused agent:a spent fits 1"
        assert say(bench.apply(reserve("s0", hold(2, 10, "total:a")))) == "refused total:a spent fits 1"


def test_a_settle_of_two_accounts_whose_period_is_over_keeps_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_OVER_ACCOUNTS", 10)
    for opened in range(12):
        with open_bench("memory") as bench:
            for n in range(opened):
                bench.apply(charge(f"r{n:03}", hold(1, None, _hour(f"now:{n}")), actual=1))
            over = hold(5, 10, _hour("a", ago=5)), hold(5, 10, _hour("b", ago=5))
            bench.apply(settle("s1", *over, actual=4))
            settled = {balance.account.scope: balance.settled for balance in bench.apply(Balances())}
            assert (settled.get("a"), settled.get("b")) == (4, 4)


def _bytes_after(bench: Bench, leases: list[int], prefix: str) -> int:
    """What stays allocated when a call of each lease has come and gone."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for n, lease in enumerate(leases):
        bench.apply(reserve(f"{prefix}{n:05}", hold(1, None), lease_ms=lease))
        bench.apply(release(f"{prefix}{n:05}"))
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before


def test_leases_of_many_lengths_leave_no_more_behind_than_one() -> None:
    with open_bench("memory", max_ended=10) as bench:
        tracemalloc.start()
        try:
            _bytes_after(bench, [60_000] * 100, "a")
            one = _bytes_after(bench, [60_000] * 2_000, "b")
            many = _bytes_after(bench, list(range(60_000, 62_000)), "c")
        finally:
            tracemalloc.stop()
        assert many - one < 50_000


def test_scopes_without_end_leave_nothing_behind_when_their_period_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions come and go: no account, line or sum of theirs stays for ever."""
    monkeypatch.setattr(store, "MAX_OVER_ACCOUNTS", 100)

    def sessions(bench: Bench, first: int, count: int) -> int:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for n in range(first, first + count):
            start = START_MS + n * HOUR_MS
            session = account(f"session:{n:06}", "hour", Period(start, start + HOUR_MS))
            bench.apply(reserve(f"r{n:06}", hold(1, 5, session)))
            bench.apply(settle(f"r{n:06}"))
            bench.clock.tick(3_600)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    with open_bench("memory", max_ended=10) as bench:
        tracemalloc.start()
        try:
            sessions(bench, 0, 1_000)
            grown = sessions(bench, 1_000, 2_000)
        finally:
            tracemalloc.stop()
    assert grown < 150_000, f"{grown / 2_000:.0f} bytes for each session that is long over"


def test_rule_7_more_leases_end_at_once_than_one_command_sweeps_and_all_are_counted() -> None:
    calls = 10 * memory.SWEEP + 1
    with open_bench("memory") as bench:
        for n in range(calls):
            bench.apply(reserve(f"r{n:04}", hold(1, calls)))
        bench.clock.tick(60)
        # No sweep stands between an ended lease and its own id; each command sees the state of now.
        assert say(bench.apply(reserve(f"r{calls - 1:04}", hold(1, calls)))) == "presumed"
        assert say(bench.apply(settle(f"r{calls - 2:04}", actual=2))) == "settled"
        assert say(bench.apply(release(f"r{calls - 3:04}"))) == "released"
        assert say(bench.apply(release(f"r{calls - 4:04}", "other"))) == "no effect presumed"
        # Swept or not, an ended lease leaves no room: settled 2, presumed the rest less two.
        assert say(bench.apply(reserve("s0", hold(1, calls)))).startswith("refused")
        balance = bench.balance()
        assert (balance.settled, balance.presumed, balance.held) == (2, calls - 2, 0)


def test_presumed_money_is_spent_to_a_refusal_however_many_leases_end_at_once() -> None:
    calls = memory.SWEEP + 1
    with open_bench("memory") as bench:
        for n in range(calls):
            bench.apply(reserve(f"r{n:04}", hold(1, calls)))
        bench.clock.tick(60)
        assert say(bench.apply(reserve("s0", hold(1, calls)))) == "refused agent:a spent fits 0"


def test_rule_7_leases_of_many_lengths_end_each_in_its_own_time(bench: Bench) -> None:
    for n in range(200):
        lease = n * 37 % 200 + 1
        bench.apply(reserve(f"r{n:03}", hold(1, 200), lease_ms=lease * 1_000))
    for second in range(1, 201):
        bench.clock.tick(1)
        if second % 20 == 0:
            assert (bench.balance().presumed, bench.balance().held) == (second, 200 - second)
