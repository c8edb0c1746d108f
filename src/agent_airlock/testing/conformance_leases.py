"""Rule 7: a hold whose lease has ended is presumed spent, until somebody puts it right; and time never runs back."""

from __future__ import annotations

from typing import Final

from ..ledger.commands import Reserved
from ..money import MAX_AMOUNT
from .conformance_bench import fail
from .conformance_periods import DAY, daily
from .conformance_suite import Suite, needs
from .conformance_words import MINUTE, charge, hold, release, reserve, resolve, settle

A: Final = hold(5, 10)
MILLISECOND: Final = 0.001


class LeaseTests(Suite):
    def test_money_7_a_hold_is_presumed_at_its_leases_end_and_not_before(self) -> None:
        with self.opened() as bench:
            asked = reserve("r1", A)
            bench.says(asked, "held")
            bench.tick(MINUTE - MILLISECOND)
            bench.says(asked, "held")
            bench.stands(A, "held 5")
            bench.tick(MILLISECOND)
            bench.stands(A, "presumed 5")
            bench.says(asked, "presumed")

    def test_money_7_every_command_sees_that_a_lease_has_ended(self) -> None:
        with self.opened() as bench:
            for id, command, answer in (
                ("r1", reserve("r1", hold(5, 10, "r1")), "presumed"),
                ("r2", reserve("r2", hold(5, 10, "r2"), nonce="other"), "in use"),
                ("r3", release("r3", "other"), "no effect presumed"),
                ("r4", reserve("r4 new", hold(6, 10, "r4")), "refused r4 spent fits 5"),
            ):
                bench.apply(reserve(id, hold(5, 10, id)))
                bench.tick(MINUTE)
                bench.says_at_once(command, answer)
                bench.stands(hold(5, 10, id), "presumed 5")

    def test_money_7_many_leases_that_end_at_once_are_all_presumed(self) -> None:
        with self.opened() as bench:
            for number in range(200):
                bench.apply(reserve(f"r{number}", hold(1, 200)))
            bench.tick(MINUTE)
            bench.stands(A, "presumed 200")
            bench.says(reserve("r200", hold(1, 200)), "refused agent:a spent fits 0")

    def test_money_7_a_crash_loop_does_not_spend_without_limit(self) -> None:
        with self.opened() as bench:
            for crash in range(5):
                bench.says(reserve(f"r{crash}", A), "held" if crash < 2 else "refused agent:a spent fits 0")
                bench.tick(10 * MINUTE)
            bench.stands(A, "presumed 10")

    def test_money_7_a_settle_takes_the_place_of_the_presumption(self) -> None:
        with self.opened() as bench:
            for actual, left in ((3, "settled 3"), (5, "settled 5"), (7, "settled 7 above_hold 2")):
                where = hold(5, 10, f"agent:{actual}")
                bench.says(reserve(f"r{actual}", where), "held")
                bench.tick(MINUTE)
                bench.says(settle(f"r{actual}", where, actual=actual), "settled")
                bench.stands(where, left)

    def test_money_7_its_caller_releases_what_was_presumed_and_no_other_does(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.tick(MINUTE)
            bench.says(release("r1", "other"), "no effect presumed")
            bench.stands(A, "presumed 5")
            bench.says(release("r1"), "released")
            bench.stands(A, "nothing")

    @needs("resolve")
    def test_money_7_an_operator_puts_right_what_was_presumed_and_its_caller_has_the_last_word(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.tick(MINUTE)
            bench.says(resolve("r1", 2), "resolved")
            bench.stands(A, "settled 2")
            bench.says(release("r1"), "no effect resolved")
            bench.says(settle("r1", actual=4), "settled")
            bench.stands(A, "settled 4 late 2")
            bench.says(resolve("r1", 1), "no effect settled")

    @needs("lapse")
    def test_money_7_a_lease_that_lapses_gives_its_hold_back(self) -> None:
        with self.opened() as bench:
            asked = reserve("r1", A, on_expiry="release")
            bench.says(asked, "held")
            bench.tick(MINUTE - MILLISECOND)
            bench.stands(A, "held 5")
            bench.tick(MILLISECOND)
            bench.stands(A, "nothing")
            bench.says(asked, "lapsed")
            bench.says(reserve("r2", hold(10, 10)), "held")

    @needs("lapse")
    def test_money_7_a_hold_that_has_lapsed_stands_in_nobodys_way(self) -> None:
        """The refusal must not come before the sweep."""
        with self.opened() as bench:
            for number in range(100):
                bench.apply(reserve(f"r{number}", hold(1, 100), on_expiry="release"))
            bench.tick(MINUTE)
            bench.says_at_once(reserve("r100", hold(100, 100)), "held")

    def test_money_7_a_clock_that_runs_back_reopens_nothing(self) -> None:
        with self.opened() as bench:
            today = daily(bench)
            bench.says(reserve("r1", A), "held")
            bench.tick(DAY)
            bench.stands(A, "presumed 5")
            bench.tick(-DAY)
            bench.stands(A, "presumed 5")
            bench.says(reserve("r1", A), "presumed")
            bench.says(reserve("r2", hold(1, 10, today)), "wrong period agent:a")

    def test_money_7_a_lease_is_counted_from_the_ledgers_time_and_not_from_a_clock_that_ran_back(self) -> None:
        with self.opened() as bench:
            bench.tick(100)
            bench.stamp()
            bench.tick(-50)
            bench.says(reserve("r1", A), "held")
            bench.tick(50 + MINUTE - MILLISECOND)
            bench.stands(A, "held 5")
            bench.tick(MILLISECOND)
            bench.stands(A, "presumed 5")

    def test_money_7_the_ledgers_time_follows_its_clock_and_never_falls(self) -> None:
        with self.opened() as bench:
            highest = 0
            for seconds in (0, 1, -1, 100, -50, 49, 2):
                bench.tick(seconds)
                highest = max(highest, bench.now_ms())
                for name, found in (("a stamp's now_ms", bench.stamp().now_ms), ("now_ms()", bench.ledger.now_ms())):
                    if found != highest:
                        fail(f"{name} is {found}; the highest that the clock has shown is {highest}")

    def test_money_7_a_lease_of_no_time_has_ended_at_once(self) -> None:
        with self.opened() as bench:
            answer = bench.apply(reserve("r1", A, lease=0))
            if not isinstance(answer, Reserved):
                fail(f"a hold of 5 of 10 must be granted, and is answered {answer!r}")
            bench.stands(A, "presumed 5")


class SaturationTests(Suite):
    """No account counts above 2⁵³ − 1: it stays there, and takes no new hold."""

    def test_money_5_what_would_pass_the_most_that_an_account_counts_saturates_and_freezes_it(self) -> None:
        with self.opened() as bench:
            counted = hold(0, None)
            bench.says(charge("r1", counted, actual=MAX_AMOUNT), "charged")
            bench.stands(counted, f"settled {MAX_AMOUNT}")
            bench.says(reserve("r2", counted), "held")
            bench.says(charge("r3", counted, actual=1), "charged")
            bench.stands(counted, f"settled {MAX_AMOUNT}")
            bench.says(reserve("r4", counted), "frozen agent:a saturated")

    def test_money_5_a_frozen_account_books_real_money_and_lets_open_holds_end(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.says(reserve("r2", A), "held")
            for number, amount in enumerate((MAX_AMOUNT - 10, 1)):
                bench.says(charge(f"c{number}", hold(0, 10), actual=amount), "charged")
            bench.says(settle("r1", actual=4), "settled")
            bench.says(release("r2"), "released")
            bench.says(charge("r3", hold(0, 10), actual=1), "charged")
            if bench.balance(A.account).held:
                fail("open holds of a frozen account must end, and one is held still")

    def test_money_1_no_limit_lets_an_account_hold_more_than_it_can_count(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(MAX_AMOUNT + 1, 2**60)), f"refused agent:a spent fits {MAX_AMOUNT}")
