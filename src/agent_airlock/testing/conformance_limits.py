"""Rules 1 and 2: what fits is granted and what does not is refused, on all accounts or on none."""

from __future__ import annotations

from typing import Final

from ..ledger.accounts import Account, Hold, Refusal, Unit
from ..ledger.commands import Refused, Reserved
from ..money import MAX_AMOUNT
from .conformance_bench import Bench, fail
from .conformance_suite import Suite
from .conformance_words import MINUTE, account, charge, hold, release, reserve, settle

A: Final = account("agent:a")


class LimitTests(Suite):
    """One account."""

    def test_money_1_the_limit_is_granted_and_one_more_is_refused(self) -> None:
        with self.opened() as bench:
            for limit in (0, 1, 10, MAX_AMOUNT):
                for asked in (limit - 1, limit, limit + 1):
                    if asked >= 0:
                        self._ask(bench, asked, limit)

    def _ask(self, bench: Bench, asked: int, limit: int) -> None:
        where = f"agent:{asked}-of-{limit}"
        expected = "held" if asked <= limit else f"refused {where} spent fits {limit}"
        bench.says(reserve(where, hold(asked, limit, where)), expected)

    def test_money_1_settled_presumed_and_held_count_together(self) -> None:
        with self.opened() as bench:
            _fill(bench)
            bench.stands(A, "settled 3 presumed 2 held 1")
            bench.says(reserve("r4", hold(5, 10)), "refused agent:a held fits 4")
            bench.says(reserve("r5", hold(4, 10)), "held")
            bench.says(reserve("r6", hold(1, 10)), "refused agent:a held fits 0")
            bench.says(reserve("r7", hold(0, 10)), "held")

    def test_money_1_a_refusal_says_what_stands_there_and_what_would_fit(self) -> None:
        with self.opened() as bench:
            _fill(bench)
            answer = bench.apply(reserve("r4", hold(5, 10)))
            expected = Refusal(A, 10, 3, 2, 1, 5, "held")
            if not isinstance(answer, Refused) or answer.refusal != expected:
                fail(f"a hold of 5 of 10 beside 3 settled, 2 presumed and 1 held: {answer!r}; it must be {expected!r}")

    def test_money_1_a_refusal_tells_what_is_spent_from_what_is_only_held(self) -> None:
        with self.opened() as bench:
            _fill(bench)
            bench.says(reserve("r4", hold(5, 10)), "refused agent:a held fits 4")
            bench.says(reserve("r5", hold(6, 10)), "refused agent:a spent fits 4")

    def test_money_1_a_refused_id_holds_nothing_and_may_ask_again(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(6, 10)), "held")
            bench.says(reserve("r2", hold(5, 10)), "refused agent:a held fits 4")
            bench.stands(A, "held 6")
            bench.says(release("r1"), "released")
            bench.says(reserve("r2", hold(5, 10)), "held")

    def test_money_1_a_refusal_opens_no_account(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(11, 10)), "refused agent:a spent fits 10")
            if opened := list(bench.balances()):
                fail(f"a refusal writes nothing, and there is a balance for {opened}")

    def test_money_1_what_ends_below_its_hold_leaves_room_for_others(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(10, 10)), "held")
            bench.says(settle("r1", actual=4), "settled")
            bench.says(reserve("r2", hold(7, 10)), "refused agent:a spent fits 6")
            bench.says(reserve("r3", hold(6, 10)), "held")

    def test_money_1_an_overrun_opens_no_room(self) -> None:
        """A ledger that compares with limit + overrun grants here."""
        with self.opened() as bench:
            bench.says(reserve("r1", hold(5, 10)), "held")
            bench.says(settle("r1", actual=15), "settled")
            for asked in (0, 1, 5):
                bench.says(reserve(f"r2 {asked}", hold(asked, 10)), "refused agent:a spent fits 0")

    def test_money_1_what_was_charged_takes_room(self) -> None:
        with self.opened() as bench:
            bench.says(charge("r1", hold(0, 10), actual=7), "charged")
            bench.says(reserve("r2", hold(4, 10)), "refused agent:a spent fits 3")
            bench.says(reserve("r3", hold(3, 10)), "held")

    def test_money_1_an_account_without_a_limit_only_counts(self) -> None:
        with self.opened() as bench:
            for id in ("r1", "r2"):
                bench.says(reserve(id, hold(1_000_000, None)), "held")
            bench.says(settle("r1", actual=3_000_000), "settled")
            bench.stands(A, "settled 3000000 held 1000000")

    def test_money_1_a_limit_below_what_is_spent_refuses_all_and_open_holds_settle(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(8, 10)), "held")
            bench.says(reserve("r2", hold(0, 5)), "refused agent:a held fits 0")
            bench.says(settle("r1", actual=8), "settled")
            bench.says(reserve("r2", hold(0, 5)), "refused agent:a spent fits 0")
            bench.stands(A, "settled 8")

    def test_money_1_accounts_that_differ_in_anything_have_each_their_own_limit(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(10, 10)), "held")
            others = (account("agent:A"), account("agent:a", "call"), account("agent:a", unit=Unit.CALLS))
            for number, other in enumerate(others):
                bench.says(reserve(f"r2 {number}", hold(10, 10, other)), "held")

    def test_money_1_a_grant_answers_the_balances_with_its_hold_in_them(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(2, 10)), "held")
            answer = bench.apply(reserve("r2", hold(1, 5, "team:t"), hold(3, 10)))
            found = (
                [(b.account.scope, b.held, b.last_limit) for b in answer.after] if isinstance(answer, Reserved) else []
            )
            if found != [("team:t", 1, 5), ("agent:a", 5, 10)]:
                fail(f"Reserved.after must be the balances of the holds, in their order, and is {found}")


class SeveralAccountsTests(Suite):
    """A reservation over several accounts."""

    def test_money_2_all_holds_are_made_or_none(self) -> None:
        with self.opened() as bench:
            for full in range(3):
                holds = [hold(5, 4 if place == full else 10, f"place:{full}{place}") for place in range(3)]
                bench.says(reserve(f"r{full}", *holds), f"refused place:{full}{full} spent fits 4")
                for one in holds:
                    bench.stands(one, "nothing")

    def test_money_2_of_two_that_do_not_fit_the_first_is_named(self) -> None:
        with self.opened() as bench:
            fits, first, second = hold(1, 10, "a"), hold(9, 8, "b"), hold(9, 7, "c")
            bench.says(reserve("r1", fits, first, second), "refused b spent fits 8")
            bench.says(reserve("r1", second, first, fits), "refused c spent fits 7")

    def test_money_2_units_are_held_side_by_side(self) -> None:
        with self.opened() as bench:
            usd, tokens, calls = _units()
            bench.says(reserve("r1", usd, tokens, calls), "held")
            bench.says(reserve("r2", usd, tokens, calls), "refused agent:a held fits 0")
            bench.stands(tokens, "held 200")
            bench.says(settle("r1", actual={Unit.USD: 3, Unit.TOKENS: 150, Unit.CALLS: 1}), "settled")
            for one, left in ((usd, "settled 3"), (tokens, "settled 150"), (calls, "settled 1")):
                bench.stands(one, left)

    def test_money_2_every_end_ends_all_holds(self) -> None:
        with self.opened() as bench:
            for id in ("settled", "released", "presumed"):
                bench.says(reserve(id, hold(5, None, f"{id} a"), hold(6, None, f"{id} b")), "held")
            bench.says(settle("settled", actual=4), "settled")
            bench.says(release("released"), "released")
            bench.tick(MINUTE)
            for scope, left in (("settled a", "settled 4"), ("settled b", "settled 4"), ("released a", "nothing")):
                bench.stands(account(scope), left)
            for scope, left in (("released b", "nothing"), ("presumed a", "presumed 5"), ("presumed b", "presumed 6")):
                bench.stands(account(scope), left)

    def test_money_2_a_mistake_raises_and_writes_nothing(self) -> None:
        with self.opened() as bench:
            fine, twice, below = hold(1, 10, "global"), (hold(1, 10), hold(1, 10)), hold(-1, 10)
            bench.says(reserve("r1", hold(5, 10), fine), "held")
            for mistake in (
                reserve("r2", fine, *twice),
                settle("r3", fine, *twice, actual=1),
                charge("r4", fine, *twice, actual=1),
                reserve("r5", fine, below),
                charge("r6", fine, hold(1, 10), actual=-1),
                settle("r1", actual=-1),
            ):
                bench.raises(mistake)
            bench.says(release("r1"), "released")


def _fill(bench: Bench) -> None:
    """Settled 3, presumed 2, held 1, of 10."""
    bench.says(reserve("r1", hold(5, 10)), "held")
    bench.says(settle("r1", actual=3), "settled")
    bench.says(reserve("r2", hold(2, 10)), "held")
    bench.tick(MINUTE)
    bench.says(reserve("r3", hold(1, 10)), "held")


def _units() -> tuple[Hold, Hold, Hold]:
    def of(unit: Unit) -> Account:
        return account("agent:a", unit=unit)

    return Hold(of(Unit.USD), 5, 100), Hold(of(Unit.TOKENS), 200, 1_000), Hold(of(Unit.CALLS), 1, 1)
