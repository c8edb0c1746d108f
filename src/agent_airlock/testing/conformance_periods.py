"""Rules 1 and 4 in time: a hold is made in a period that holds the ledger's now; those of a line do not overlap."""

from __future__ import annotations

from typing import Final

from ..ledger.accounts import Account, Period
from ..ledger.commands import WrongPeriod
from .conformance_bench import Bench, fail
from .conformance_suite import Suite, needs
from .conformance_words import account, charge, hold, reserve, settle

DAY: Final = 86_400
_DAY_MS: Final = DAY * 1000


def day(bench: Bench, shift_ms: int = 0, days: int = 0) -> Period:
    """Days as UTC has them, counted from the ledger's now, or moved by some milliseconds."""
    start = bench.now_ms() // _DAY_MS * _DAY_MS + days * _DAY_MS + shift_ms
    return Period(start, start + _DAY_MS)


def daily(bench: Bench, scope: str = "agent:a", *, shift_ms: int = 0, days: int = 0) -> Account:
    return account(scope, "day", day(bench, shift_ms, days))


class PeriodTests(Suite):
    """The suite's clock starts at a day's first moment."""

    def test_money_1_a_period_holds_its_first_millisecond_and_not_its_end(self) -> None:
        with self.opened() as bench:
            bench.tick(10 * DAY)
            now = bench.now_ms()
            for name, period, answer in (
                ("starts now", Period(now, now + 10), "held"),
                ("starts later", Period(now + 1, now + 10), "wrong period starts later"),
                ("ends after now", Period(now - 10, now + 1), "held"),
                ("ends now", Period(now - 10, now), "wrong period ends now"),
            ):
                bench.says(reserve(name, hold(1, 10, account(name, "hour", period))), answer)

    def test_money_1_a_wrong_period_tells_the_time_and_writes_nothing(self) -> None:
        with self.opened() as bench:
            bench.tick(DAY)
            asked = reserve("r1", hold(1, 10, "global"), hold(1, 10, daily(bench, days=-1)))
            answer = bench.says(asked, "wrong period agent:a")
            if not isinstance(answer, WrongPeriod) or answer.stamp.now_ms != bench.now_ms():
                fail(f"a wrong period is answered with the ledger's time, {bench.now_ms()}, and not with {answer!r}")
            bench.says(reserve("r1", hold(1, 10, "global"), hold(1, 10, daily(bench))), "held")

    def test_money_1_periods_of_a_line_may_not_overlap(self) -> None:
        with self.opened() as bench:
            bench.tick(3_600)
            bench.says(reserve("r1", hold(10, 10, daily(bench))), "held")
            for number, shift in enumerate((-1, 1, 3_600_000, -3_600_000)):
                asked = reserve(f"r2 {number}", hold(1, 10, "global"), hold(1, 10, daily(bench, shift_ms=shift)))
                bench.says(asked, "period overlap agent:a")

    def test_money_1_a_period_may_begin_where_the_last_one_ended(self) -> None:
        with self.opened() as bench:
            for number in range(3):
                bench.says(reserve(f"r{number}", hold(10, 10, daily(bench)), lease=1), "held")
                bench.tick(DAY)

    def test_money_1_lines_are_apart(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(1, 10, daily(bench))), "held")
            for scope, window in (("agent:b", "day"), ("agent:a", "hour")):
                there = account(scope, window, day(bench, shift_ms=-1))
                bench.says(reserve(f"r2 {scope}", hold(1, 10, there)), "held")

    def test_money_1_money_booked_without_a_grant_opens_no_overlapping_period(self) -> None:
        with self.opened() as bench:
            bench.tick(3_600)
            bench.says(reserve("r1", hold(10, 10, daily(bench))), "held")
            there = hold(1, 10, daily(bench, shift_ms=1_000))
            bench.says(charge("r2", there, actual=1), "charged")
            bench.says(reserve("r3", there), "period overlap agent:a")

    @needs("compact")
    def test_money_1_no_period_reaches_back_into_one_that_was_forgotten(self) -> None:
        """Two machines with different data of a zone would have the limit twice."""
        with self.opened() as bench:
            bench.says(reserve("r1", hold(10, 10, daily(bench))), "held")
            bench.says(settle("r1", actual=10), "settled")
            bench.forget()
            reaching = Period(bench.now_ms() - 1_000 * _DAY_MS, bench.now_ms() + 1_000)
            bench.says(reserve("r2", hold(1, 10, account("agent:a", "day", reaching))), "period overlap agent:a")
            bench.says(reserve("r3", hold(1, 10, daily(bench))), "held")

    def test_money_4_a_call_is_booked_in_the_period_of_its_reserve(self) -> None:
        with self.opened() as bench:
            bench.tick(DAY - 1)
            first = daily(bench)
            bench.says(reserve("r1", hold(5, 10, first), lease=DAY), "held")
            bench.tick(1)
            second = daily(bench)
            bench.says(settle("r1", hold(5, 10, second), actual=4), "settled")
            bench.stands(first, "settled 4")
            bench.stands(second, "nothing")
            bench.says(reserve("r2", hold(10, 10, second)), "held")
