"""The answers of a reserve have one order of precedence; each pair of them, where one reserve meets both.

forgotten → in use → conflict → the state that the id is in → wrong period → period overlap → frozen → refused → held
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

from ..ledger.accounts import Account, Hold
from ..ledger.commands import Reserve
from ..money import MAX_AMOUNT
from .conformance_bench import Bench, fail
from .conformance_periods import DAY, daily
from .conformance_suite import Suite, needs
from .conformance_words import account, charge, hold, release, reserve, say, settle

OF_AN_ID: Final = ("in use", "conflict lease", "released")
OF_AN_ACCOUNT: Final = ("wrong period", "period overlap", "frozen", "refused", "held")


class OrderTests(Suite):
    def test_money_3_what_is_said_of_an_id_has_one_order(self) -> None:
        with self.opened() as bench:
            for first, second in combinations(OF_AN_ID, 2):
                asked = _with_a_history(bench, f"{first}, {second}", (first, second))
                _meets(bench, asked, first, second)

    def test_money_3_what_is_said_of_an_id_comes_before_what_is_said_of_its_accounts(self) -> None:
        for second in ("wrong period", "frozen", "refused"):
            with self.opened() as bench:
                asked = {first: _with_a_history(bench, first, (first,)) for first in OF_AN_ID}
                for first, command in asked.items():
                    _spoil(bench, second, command.holds[0].account, f"{first} {second}")
                for first, command in asked.items():
                    _meets(bench, command, first, second)

    def test_money_3_in_use_and_conflict_come_before_an_overlapping_period(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(1, 10, "agent:b")), "held")
            overlaps = _in_the_way(bench, "period overlap", "agent:a")
            _meets(bench, reserve("r1", overlaps, nonce="other"), "in use", "period overlap")
            _meets(bench, reserve("r1", overlaps), "conflict accounts", "period overlap")

    def test_money_1_what_is_said_of_accounts_has_one_order_whichever_stands_first(self) -> None:
        with self.opened() as bench:
            for first, second in combinations(OF_AN_ACCOUNT, 2):
                one, other = (_in_the_way(bench, what, f"{first}, {second}: {what}") for what in (first, second))
                for place, holds in enumerate(((one, other), (other, one))):
                    asked = reserve(f"{first}, {second} {place}", *holds)
                    _meets(bench, asked, f"{first} {one.account.scope}", second)

    def test_money_2_of_accounts_that_say_the_same_the_first_is_named(self) -> None:
        with self.opened() as bench:
            for what in OF_AN_ACCOUNT[:-1]:
                one, other = (_in_the_way(bench, what, f"{what} {number}") for number in (1, 2))
                _meets(bench, reserve(f"{what} 1", one, other), f"{what} {what} 1", what)
                _meets(bench, reserve(f"{what} 2", other, one), f"{what} {what} 2", what)

    @needs("compact")
    def test_money_3_that_an_id_is_forgotten_comes_before_all_else(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(5, 10)), "held")
            bench.says(settle("r1", actual=5), "settled")
            bench.forget()
            _saturate(bench, account("frozen"), "c1")
            for asked, second in (
                (reserve("r1", hold(5, 10), nonce="other"), "in use"),
                (reserve("r1", hold(6, 10)), "conflict"),
                (reserve("r1", hold(5, 10)), "the state that it was in"),
                (reserve("r1", hold(1, 10, daily(bench, days=-1))), "wrong period"),
                (reserve("r1", hold(0, None, "frozen")), "frozen"),
                (reserve("r1", hold(11, 10)), "refused"),
                (reserve("r1", hold(1, 10)), "held"),
            ):
                _meets(bench, asked, "forgotten", second)


def _meets(bench: Bench, asked: Reserve, first: str, second: str) -> None:
    """It is answered by the one that comes first; what writes nothing has written nothing."""
    before = bench.balances()
    answer = say(bench.apply(asked))
    if not answer.startswith(first):
        fail(f"a reserve that meets both {first!r} and {second!r} is answered {answer!r}; it must be {first!r}")
    if bench.balances() != before:
        fail(f"a reserve is answered {answer!r}, which writes nothing, and a balance changed")


def _with_a_history(bench: Bench, id: str, histories: tuple[str, ...]) -> Reserve:
    """A reserve whose id meets these answers, and whose account has room."""
    asked = reserve(id, hold(4, 10, daily(bench, id)))
    nonce = "other" if "in use" in histories else "me"
    lease = 59 if "conflict lease" in histories else 60
    bench.says(reserve(id, *asked.holds, nonce=nonce, lease=lease), "held")
    bench.says(release(id, nonce), "released")
    return asked


def _spoil(bench: Bench, what: str, where: Account, id: str) -> None:
    """From now on a hold of 4 of 10 on the account meets this answer."""
    if what == "wrong period":
        bench.tick(DAY)
    elif what == "frozen":
        _saturate(bench, where, id)
    else:
        bench.says(charge(id, hold(0, 10, where), actual=10), "charged")


def _saturate(bench: Bench, where: Account, id: str) -> None:
    for number, amount in enumerate((MAX_AMOUNT, 1)):
        bench.says(charge(f"{id} {number}", hold(0, None, where), actual=amount), "charged")


def _in_the_way(bench: Bench, what: str, scope: str) -> Hold:
    """A hold that meets this answer, whatever its id."""
    if what == "wrong period":
        return hold(1, 10, daily(bench, scope, days=-1))
    if what == "period overlap":
        bench.says(reserve(f"{what} {scope}", hold(1, 10, daily(bench, scope, shift_ms=-1))), "held")
        return hold(1, 10, daily(bench, scope))
    if what == "frozen":
        _saturate(bench, daily(bench, scope), f"{what} {scope}")
        return hold(0, MAX_AMOUNT, daily(bench, scope))
    return hold(11 if what == "refused" else 1, 10, daily(bench, scope))
