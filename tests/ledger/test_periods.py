"""Periods of one account's line never overlap, or a limit would stand twice (`PeriodOverlap`)."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.ledger import store
from agent_airlock.ledger.accounts import TOTAL, Account, Period, Unit
from agent_airlock.ledger.commands import Refused
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.ledgers import Bench, open_bench
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, hold, reserve, settle

HERE: Final = Period(START_MS, START_MS + DAY_MS)
ELSEWHERE: Final = Period(START_MS - 1_000, START_MS + DAY_MS - 1_000)
YESTERDAY: Final = Period(START_MS - DAY_MS, START_MS)
TOMORROW: Final = Period(START_MS + DAY_MS, START_MS + 2 * DAY_MS)


def _day(period: Period) -> Account:
    return account("agent:a", "day", period)


some_periods = st.builds(
    lambda start, length: Period(start, None if length is None else start + length),
    st.integers(0, 20),
    st.none() | st.integers(1, 20),
)


@given(some_periods, some_periods)
def test_periods_overlap_where_they_share_a_millisecond(one: Period, other: Period) -> None:
    def milliseconds(period: Period) -> set[int]:
        return set(range(period.start_ms, 50 if period.end_ms is None else period.end_ms))

    shared = milliseconds(one) & milliseconds(other)
    assert one.overlaps(other) == other.overlaps(one) == bool(shared)
    assert all(one.contains(now) and other.contains(now) for now in shared)


@given(some_periods, st.integers(-1, 45))
def test_a_period_holds_its_start_and_not_its_end(period: Period, now: int) -> None:
    assert period.contains(now) == (period.start_ms <= now < (now + 1 if period.end_ms is None else period.end_ms))


def test_an_account_is_named_by_scope_window_unit_and_period() -> None:
    one = Account("agent:a", "day", Unit.USD, HERE)
    assert one == Account("agent:a", "day", Unit.USD, Period(HERE.start_ms, HERE.end_ms))
    others = [
        Account("agent:b", "day", Unit.USD, HERE),
        Account("agent:a", "hour", Unit.USD, HERE),
        Account("agent:a", "day", Unit.TOKENS, HERE),
        Account("agent:a", "day", Unit.USD, TOMORROW),
        Account("agent:a", "day", Unit.USD, TOTAL),
    ]
    assert len({one, *others}) == len({one.id, *[other.id for other in others]}) == 6
    assert [other.line == one.line for other in others] == [False, False, False, True, True]


def test_fixed_windows_allow_twice_the_limit_across_a_boundary_and_never_more(bench: Bench) -> None:
    bench.clock.tick(86_399)
    granted = []
    for n in range(30):
        now = bench.book.now_ms()
        today = HERE if HERE.contains(now) else TOMORROW
        answer = bench.apply(reserve(f"r{n:02}", hold(1, 10, _day(today)), lease_ms=DAY_MS))
        granted.append(not isinstance(answer, Refused))
        if n == 14:
            bench.clock.tick(1)
    assert sum(granted) == 20
    assert granted[:10] + granted[15:25] == [True] * 20


def test_a_period_that_overlaps_the_accounts_other_is_refused(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(10, 10, _day(HERE))))
    assert say(bench.apply(reserve("r2", hold(10, 10, _day(ELSEWHERE))))) == "period overlap agent:a"


@pytest.mark.parametrize(("other", "shift"), [(YESTERDAY, 1_000), (TOMORROW, -1_000)], ids=["yesterday", "tomorrow"])
def test_rule_1_money_booked_in_another_period_does_not_open_the_line_to_an_overlapping_one(
    other: Period, shift: int, bench: Bench
) -> None:
    """A settle or charge books in its own period, which need not be the latest."""
    bench.clock.tick(3_600)
    elsewhere = Period(START_MS + shift, START_MS + DAY_MS + shift)
    assert elsewhere.overlaps(HERE)
    assert not elsewhere.overlaps(other)
    bench.apply(reserve("r1", hold(10, 10, _day(HERE))))
    bench.apply(charge("r2", hold(1, 10, _day(other)), actual=1))
    assert say(bench.apply(reserve("r3", hold(10, 10, _day(elsewhere))))) == "period overlap agent:a"


def test_rule_1_an_overlapping_period_stays_refused_when_money_was_booked_in_it(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(10, 10, _day(HERE))))
    bench.apply(settle("r2", hold(1, 10, _day(ELSEWHERE)), actual=1))
    assert say(bench.apply(reserve("r3", hold(9, 10, _day(ELSEWHERE))))) == "period overlap agent:a"


def test_rule_1_the_mark_of_a_line_outlives_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/ledger.md: it outlives pruning, or two machines with different zones' data have the limit twice."""
    monkeypatch.setattr(store, "MAX_OVER_ACCOUNTS", 10)
    with open_bench("memory", max_ended=4) as bench:
        reaching_back = Period(START_MS + DAY_MS - 1_000, START_MS + 2 * DAY_MS - 1_000)
        ended_earlier = account("agent:b", "day", Period(START_MS - 2_000, START_MS + DAY_MS - 2_000))
        bench.apply(reserve("r1", hold(10, 10, _day(HERE)), hold(1, 10, ended_earlier)))
        bench.apply(settle("r1", actual=10))
        bench.clock.tick(86_400)
        _open_many(bench)
        known = {balance.account.scope for balance in bench.balances().values()}
        assert known.isdisjoint({"agent:a", "agent:b"}), "both are pruned"
        assert say(bench.apply(reserve("s1", hold(10, 10, _day(reaching_back))))) == "period overlap agent:a"
        assert say(bench.apply(reserve("s2", hold(10, 10, _day(TOMORROW))))) == "held"
        assert say(bench.apply(reserve("s3", hold(10, 10, account("new", "day", TOMORROW))))) == "held"


def _open_many(bench: Bench) -> None:
    """Enough accounts to have those that are over dropped."""
    for n in range(40):
        bench.apply(charge(f"r2{n:03}", hold(1, None, account(f"b:{n}", "day", TOMORROW)), actual=1))
