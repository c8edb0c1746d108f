"""Every answer says where it stands in the history of its ledger: a client sees by it that a ledger went back."""

from __future__ import annotations

from typing import Any

from ..ledger.commands import Balances, Check, Command, Stamp
from .conformance_bench import Bench, fail
from .conformance_suite import Suite
from .conformance_words import MINUTE, account, charge, hold, release, reserve, settle, spell


class StampTests(Suite):
    """That no stamp is from before one that was answered already is looked at in every test."""

    def test_money_3_every_answer_has_a_stamp_of_one_ledger(self) -> None:
        with self.opened() as bench:
            stamps = [_stamp(bench, command) for command in (*_writing(), *_not_writing())]
            if len({(stamp.ledger, stamp.epoch) for stamp in stamps}) != 1:
                fail(f"all answers must be of one ledger in one epoch, and are {stamps!r}")
            if {stamp.now_ms for stamp in stamps} != {bench.now_ms()}:
                fail(f"all answers must be of the ledger's time, {bench.now_ms()}, and are {stamps!r}")

    def test_money_3_each_change_has_a_higher_sequence_number(self) -> None:
        with self.opened() as bench:
            last = _stamp(bench, Balances())
            for command in _writing():
                stamp = _stamp(bench, command)
                if stamp.seq <= last.seq:
                    fail(f"{spell(command)}: seq was {last.seq}, and is {stamp.seq}; a change makes it higher")
                last = stamp

    def test_money_3_an_answer_that_writes_nothing_has_the_number_of_the_state_that_it_saw(self) -> None:
        with self.opened() as bench:
            for command in _writing():
                last = _stamp(bench, command)
            last = _stamp(bench, Balances())
            for command in _not_writing():
                stamp = _stamp(bench, command)
                if stamp.seq != last.seq:
                    fail(f"{spell(command)}: seq was {last.seq}, and is {stamp.seq}; nothing was written")

    def test_money_7_the_end_of_a_lease_is_a_change(self) -> None:
        with self.opened() as bench:
            before = _stamp(bench, reserve("r1", hold(5, 10)))
            bench.tick(MINUTE)
            after = _stamp(bench, Balances())
            if after.seq <= before.seq:
                fail(f"seq was {before.seq} before a hold was presumed, and is {after.seq}")

    def test_money_1_balances_are_those_of_the_scope_that_was_asked_for(self) -> None:
        with self.opened() as bench:
            for scope in ("agent:a", "agent:a2", "agent"):
                bench.says(reserve(f"r {scope}", hold(1, 10, scope), hold(1, 10, account(scope, "call"))), "held")
            found = sorted(bench.balances("agent:a"))
            expected = sorted(account("agent:a", window).id for window in ("total", "call"))
            if found != expected:
                fail(f"Balances('agent:a') has {found}; it must have {expected}")
            if len(bench.balances()) != 6:
                fail(f"Balances() has {sorted(bench.balances())}; it must have all six accounts")

    def test_money_1_check_counts_what_it_looked_at(self) -> None:
        with self.opened() as bench:
            for command in _writing():
                bench.apply(command)
            report = bench.apply(Check())
            if (report.accounts, report.reservations) != (1, 5):
                fail(f"Check must have looked at 1 account and 5 reservations, and says {report!r}")


def _stamp(bench: Bench, command: Command[Any]) -> Stamp:
    stamp = bench.apply(command).stamp
    if not isinstance(stamp, Stamp):
        fail(f"{spell(command)}: the stamp of the answer is {stamp!r}")
    return stamp


def _writing() -> tuple[Command[Any], ...]:
    one = hold(5, 100)
    return (
        reserve("r1", one),
        settle("r1", actual=6),
        reserve("r2", one),
        release("r2"),
        settle("r2", actual=1),
        charge("r3", one, actual=2),
        settle("r4", one, actual=2),
        release("r5"),
    )


def _not_writing() -> tuple[Command[Any], ...]:
    one = hold(5, 100)
    return (
        reserve("r1", one),
        reserve("r1", one, nonce="other"),
        reserve("r1", hold(6, 100)),
        reserve("r6", hold(101, 100)),
        settle("r1", actual=6),
        settle("r1", actual=7),
        release("r1"),
        release("r5"),
        Balances("agent:a"),
        Check(),
    )
