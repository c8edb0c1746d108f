"""Rules 3 to 5: verbs are idempotent, other content is a conflict, ids are remembered; real money is always booked."""

from __future__ import annotations

from typing import Final

from ..ledger.accounts import Labels, Unit
from ..ledger.commands import Settled
from .conformance_bench import Bench, fail
from .conformance_suite import Suite, needs
from .conformance_words import MINUTE, account, charge, hold, release, reserve, settle

HOUR: Final = 60 * MINUTE
A: Final = hold(5, 10)
B: Final = hold(1, None, "team:t")


class IdentityTests(Suite):
    def test_money_3_a_verb_that_is_sent_again_moves_nothing(self) -> None:
        with self.opened() as bench:
            for verb, first, again in (
                (reserve("r1", A), "held", "held"),
                (settle("r1", actual=4), "settled", "settled repeated"),
                (settle("r2", B, actual=2), "forced", "forced repeated"),
                (charge("r3", B, actual=2), "charged", "charged repeated"),
                (release("r4"), "closed", "no effect closed"),
            ):
                bench.says(verb, first)
                for _ in range(2):
                    bench.says_again(verb, again)

    def test_money_3_a_release_that_is_sent_again_moves_nothing(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.says(reserve("r2", A), "held")
            bench.says(release("r1"), "released")
            bench.says(release("r1"), "no effect released")
            bench.stands(A, "held 5")

    def test_money_3_the_same_id_with_other_content_is_a_conflict_that_names_what_differs(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A, B), "held")
            for expected, asked in (
                ("accounts", reserve("r1", A, hold(1, None, "team:u"))),
                ("accounts", reserve("r1", A)),
                ("accounts", reserve("r1", B, A)),
                ("amounts", reserve("r1", A, hold(2, None, "team:t"))),
                ("limits", reserve("r1", hold(5, 11), B)),
                ("limits", reserve("r1", A, hold(1, 10, "team:t"))),
                ("lease", reserve("r1", A, B, lease=61)),
            ):
                bench.says(asked, f"conflict {expected}")

    def test_money_3_of_several_differences_the_first_is_named(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            for expected, asked in (
                ("accounts", reserve("r1", hold(6, 11, "agent:b"), lease=61)),
                ("amounts", reserve("r1", hold(6, 11), lease=61)),
                ("limits", reserve("r1", hold(5, 11), lease=61)),
            ):
                bench.says(asked, f"conflict {expected}")

    @needs("lapse")
    def test_money_3_how_a_lease_ends_is_a_part_of_it(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.says(reserve("r1", A, on_expiry="release"), "conflict lease")

    def test_money_3_labels_are_no_content(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.says_again(reserve("r1", A, labels=Labels("another tool")), "held")

    def test_money_3_a_settle_that_says_another_amount_is_a_conflict(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A, B), "held")
            bench.says(settle("r1", actual=4), "settled")
            for other in (3, 5, None):
                bench.says(settle("r1", actual=other), "conflict actual")
            bench.says(settle("r1", hold(9, 9, "elsewhere"), actual=4), "settled repeated")

    def test_money_3_another_caller_neither_gets_nor_ends_an_id(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.says(reserve("r1", A, nonce="other"), "in use")
            bench.says(release("r1", "other"), "no effect held")
            bench.stands(A, "held 5")
            bench.says(settle("r1", actual=4), "settled")

    def test_money_3_a_reserve_that_comes_after_its_release_holds_nothing(self) -> None:
        """A caller that gave up sends a release; an earlier copy of its reserve may still be under way."""
        with self.opened() as bench:
            for number, nonce in enumerate(("me", "other")):
                bench.says(release(f"r{number}"), "closed")
                bench.says(reserve(f"r{number}", A, nonce=nonce), "closed")
            bench.stands(A, "nothing")

    def test_money_3_a_repeated_reserve_answers_the_state_of_now(self) -> None:
        with self.opened() as bench:
            asked = [reserve(f"r{number}", hold(1, 10)) for number in range(3)]
            for command in asked:
                bench.says(command, "held")
            bench.says(settle("r0", actual=1), "settled")
            bench.says(release("r1"), "released")
            bench.tick(MINUTE)
            for command, now in zip(asked, ("settled", "released", "presumed"), strict=True):
                bench.says(command, now)

    def test_money_3_an_id_is_remembered_for_a_day_after_its_end(self) -> None:
        with self.opened() as bench:
            self._is_remembered(bench, MINUTE, 24 * HOUR - 1)

    def test_money_3_an_id_is_remembered_for_ten_leases_after_its_end(self) -> None:
        with self.opened() as bench:
            self._is_remembered(bench, 10 * HOUR, 100 * HOUR - 1)

    def _is_remembered(self, bench: Bench, lease: int, seconds: int) -> None:
        asked = reserve("r1", A, lease=lease)
        bench.says(asked, "held")
        bench.says(settle("r1", actual=4), "settled")
        bench.tick(seconds)
        for number in range(20):
            bench.says(charge(f"c{number}", B, actual=1), "charged")
        if "compact" in self.supports:
            bench.compact()
        bench.says(asked, "settled")
        bench.says(settle("r1", actual=4), "settled repeated")

    @needs("compact")
    def test_money_3_what_is_forgotten_stays_counted_and_an_open_id_is_never_forgotten(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("open", B, lease=10_000 * 24 * HOUR), "held")
            bench.says(reserve("r1", A), "held")
            bench.says(settle("r1", actual=7), "settled")
            bench.says(reserve("r2", hold(3, 10)), "held")
            bench.forget()
            bench.stands(A, "settled 7 presumed 3 above_hold 2")
            bench.says(settle("r1", actual=7), "forgotten")
            bench.says(settle("open", actual=1), "settled")

    @needs("compact")
    def test_money_3_an_id_that_is_made_after_others_were_forgotten_is_new(self) -> None:
        with self.opened() as bench:
            bench.says(charge("r1", A, actual=1), "charged")
            bench.forget()
            bench.says(reserve("r2", A), "held")


class RealCostTests(Suite):
    """Rules 4 and 5: real money is always booked, whole; what no grant allowed is overrun, by its cause."""

    def test_money_5_a_settle_books_the_real_cost_and_what_is_above_the_hold_is_overrun(self) -> None:
        with self.opened() as bench:
            for actual, left in (
                (0, "nothing"),
                (4, "settled 4"),
                (5, "settled 5"),
                (6, "settled 6 above_hold 1"),
                (500, "settled 500 above_hold 495"),
            ):
                where = hold(5, 10, f"agent:{actual}")
                bench.says(reserve(f"r{actual}", where), "held")
                bench.says(settle(f"r{actual}", where, actual=actual), "settled")
                bench.stands(where, left)

    def test_money_5_a_unit_of_which_nothing_is_said_is_booked_at_its_hold(self) -> None:
        with self.opened() as bench:
            tokens = hold(200, 1_000, account("agent:a", unit=Unit.TOKENS))
            for said, usd, other in ((None, 5, 200), (Unit.USD, 6, 400), (Unit.TOKENS, 11, 401)):
                bench.says(reserve(f"r {said}", hold(5, 100), tokens), "held")
                bench.says(settle(f"r {said}", actual={said: 1} if said else None), "settled")
                bench.stands(A, f"settled {usd}")
                bench.stands(tokens, f"settled {other}")

    def test_money_5_an_account_without_a_limit_has_no_overrun(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", B), "held")
            bench.says(settle("r1", actual=50), "settled")
            bench.says(charge("r2", B, actual=7), "charged")
            bench.says(settle("r3", B, actual=7), "forced")
            bench.stands(B, "settled 64")

    def test_money_5_overruns_are_kept_by_cause(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.says(settle("r1", actual=6), "settled")
            bench.says(settle("r2", A, actual=20), "forced")
            bench.says(charge("r3", A, actual=300), "charged")
            bench.says(reserve("r4", hold(1, 1_000)), "held")
            bench.says(release("r4"), "released")
            bench.says(settle("r4", actual=4_000), "late")
            bench.stands(A, "settled 4326 above_hold 1 late 4000 forced 20 charged 300")

    def test_money_4_real_money_is_booked_on_all_accounts_of_an_id_that_is_not_known(self) -> None:
        with self.opened() as bench:
            bench.says(settle("r1", A, B, actual=7), "forced")
            bench.says(charge("r2", A, B, actual=30), "charged")
            bench.stands(A, "settled 37 forced 7 charged 30")
            bench.stands(B, "settled 37")

    def test_money_4_a_settle_books_on_the_accounts_of_its_reserve(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", A), "held")
            bench.says(settle("r1", B, actual=4), "settled")
            bench.stands(A, "settled 4")
            bench.stands(B, "nothing")

    def test_money_5_a_settle_answers_the_balances_before_and_after(self) -> None:
        with self.opened() as bench:
            bench.says(charge("r0", hold(0, 10), actual=1), "charged")
            bench.says(reserve("r1", A, B), "held")
            before = tuple(bench.balance(one.account) for one in (A, B))
            answer = bench.says(settle("r1", actual=4), "settled")
            after = tuple(bench.balance(one.account) for one in (A, B))
            if not isinstance(answer, Settled) or (answer.before, answer.after) != (before, after):
                fail(f"Settled must have the balances before, {before!r}, and after, {after!r}, and is {answer!r}")
            again = bench.says(settle("r1", actual=4), "settled repeated")
            if not isinstance(again, Settled) or (again.before, again.after) != (after, after):
                fail(f"a repeated Settled must have the balances of now, {after!r}, twice, and is {again!r}")
