"""Rules 1 to 3 and 7 where callers race: in threads, or for an async ledger in tasks."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from ..ledger.accounts import Hold
from ..ledger.commands import Book, Reserved, State
from ..ledger.flow import Flow, ask
from .clock import Clock
from .conformance_bench import CALLERS, Bench, fail
from .conformance_suite import Suite
from .conformance_words import hold, release, reserve, settle, stands

ROUNDS: Final = 5
EACH: Final = 12
"""How often each caller comes and goes."""


class RaceTests(Suite):
    def test_money_1_of_callers_that_race_exactly_as_many_are_granted_as_fit(self) -> None:
        """Each round is on an account that is new: its first calls meet its limit too."""
        with self.opened() as bench:
            for number in range(ROUNDS):
                where = hold(3, 30, f"user:{number}")
                commands = [reserve(f"r{number} {caller}", where) for caller in range(CALLERS)]
                _answered(bench, commands, granted=10)
                bench.stands(where, "held 30")

    def test_money_1_several_accounts_grant_what_fits_the_smallest(self) -> None:
        with self.opened() as bench:

            def holds(caller: int) -> tuple[Hold, ...]:
                return hold(1, 100, "global"), hold(1, 10, f"team:{caller % 2}"), hold(1, 7, f"agent:{caller % 4}")

            commands = [reserve(f"r{caller}", *holds(caller)) for caller in range(CALLERS)]
            _answered(bench, commands, granted=20)
            for scope, left in (("global", "held 20"), ("team:0", "held 10"), ("team:1", "held 10")):
                bench.stands(hold(0, None, scope), left)

    def test_money_2_accounts_named_in_opposite_orders_neither_hang_nor_overrun(self) -> None:
        with self.opened() as bench:
            there, back = hold(1, 20, "there"), hold(1, 20, "back")
            orders = ((there, back), (back, there))
            commands = [reserve(f"r{caller}", *orders[caller % 2]) for caller in range(CALLERS)]
            _answered(bench, commands, granted=20)
            bench.stands(there, "held 20")
            bench.stands(back, "held 20")

    def test_money_3_one_id_that_all_send_is_one_reservation_and_is_settled_once(self) -> None:
        with self.opened() as bench:
            for number in range(ROUNDS):
                id, where = f"r{number}", hold(5, 10, f"agent:{number}")
                _counted(bench, [reserve(id, where)] * CALLERS, {"held": CALLERS})
                bench.stands(where, "held 5")
                _counted(bench, [settle(id, actual=4)] * CALLERS, {"settled": 1, "settled repeated": CALLERS - 1})
                bench.stands(where, "settled 4")

    def test_money_3_of_callers_that_race_for_an_id_one_has_it(self) -> None:
        with self.opened() as bench:
            where = hold(1, None)
            commands = [reserve("r1", where, nonce=f"caller {caller}") for caller in range(CALLERS)]
            _counted(bench, commands, {"held": 1, "in use": CALLERS - 1})
            bench.stands(where, "held 1")

    def test_money_3_a_release_that_races_its_reserve_leaves_nothing_held(self) -> None:
        with self.opened() as bench:
            pairs = [(reserve(f"r{number}", hold(1, None)), release(f"r{number}")) for number in range(CALLERS // 2)]
            bench.race_to_apply([command for pair in pairs for command in pair])
            bench.stands(hold(0, None), "nothing")

    def test_money_1_holds_that_come_and_go_never_pass_the_limit(self) -> None:
        """There is room for one: whoever has it gives it back, and another has it next."""
        with self.opened() as bench:
            ids = [[bench.id(f"r{caller} {number}") for number in range(EACH)] for caller in range(CALLERS)]
            highest = max(bench.race([_come_and_go(bench.ledger, mine) for mine in ids]))
            if highest > 1:
                fail(f"a grant under a limit of 1 answers that {highest} stand there, its own hold included")
            bench.stands(hold(0, None), "nothing")

    def test_money_7_settles_that_race_the_end_of_their_leases_move_the_money_once(self) -> None:
        with self.opened() as bench:
            limited, counted = hold(10, 10_000), hold(10, None, "global")
            words = [f"r{number}" for number in range(CALLERS * 4)]
            for place, word in enumerate(words):
                bench.says_at_once(reserve(word, limited, counted, lease=1 + place % 20), "held")
            ids = [bench.id(word) for word in words]
            flows: list[Flow[int]] = [_settle_all(bench.ledger, ids[start::CALLERS]) for start in range(CALLERS)]
            bench.race([*flows, _pass_time(bench.ledger, bench.clock, 20)])
            for where in (limited, counted):
                found = stands(bench.balance(where.account))
                if found != f"settled {3 * len(words)}":
                    fail(f"{len(words)} calls of 3 raced the end of their leases, and {found} stands there")


def _answered(bench: Bench, commands: list[Any], granted: int) -> None:
    kinds = Counter("held" if said == "held" else said.split(" ", 1)[0] for said in bench.race_to_apply(commands))
    if kinds != Counter(held=granted, refused=len(commands) - granted):
        fail(f"of {len(commands)} that race exactly {granted} must be held and the others refused, and are {kinds}")


def _counted(bench: Bench, commands: list[Any], expected: dict[str, int]) -> None:
    found = Counter(bench.race_to_apply(commands))
    if found != Counter(expected):
        fail(f"the answers must be {expected}, and are {dict(found)}")


def _come_and_go(ledger: Book, ids: list[str]) -> Flow[int]:
    """The most that a grant answers to stand there."""
    highest = 0
    for id in ids:
        answer = yield from ask(ledger, reserve(id, hold(1, 1)))
        if isinstance(answer, Reserved) and answer.state is State.HELD:
            highest = max(highest, *[balance.total for balance in answer.after])
            yield from ask(ledger, release(id))
    return highest


def _settle_all(ledger: Book, ids: list[str]) -> Flow[int]:
    for id in ids:
        yield from ask(ledger, settle(id, actual=3))
    return len(ids)


def _pass_time(ledger: Book, clock: Clock, seconds: int) -> Flow[int]:
    for second in range(seconds):
        clock.tick(1)
        yield from ask(ledger, release(f"nobody's {second}"))
    return seconds
