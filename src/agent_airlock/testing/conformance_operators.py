"""What an operator may do, on ledgers that let one: put right, raise, freeze, close, see what is open and was done."""

from __future__ import annotations

from typing import Final

from ..ledger.accounts import Amounts, Crowd, Hold
from ..ledger.commands import Entries, EntriesPage
from ..ledger.operations import NOTHING, Audit, Close, ListOverrides, Open, Override, Resolve
from .conformance_bench import Bench, fail
from .conformance_suite import Suite, needs
from .conformance_words import (
    LABELS,
    MINUTE,
    WHY,
    account,
    amounts,
    charge,
    freeze,
    hold,
    lift,
    release,
    reserve,
    resolve,
    settle,
)

A: Final = account("agent:a")


class OperatorTests(Suite):
    @needs("resolve")
    def test_money_7_an_operator_resolves_what_is_held_at_any_amount(self) -> None:
        with self.opened() as bench:
            nothing_said: Amounts = {}
            for number, (actual, left) in enumerate(
                ((NOTHING, "nothing"), (nothing_said, "settled 5"), (amounts(7), "settled 7 above_hold 2"))
            ):
                where = hold(5, 10, f"agent:{number}")
                bench.says(reserve(f"r{number}", where), "held")
                bench.says(resolve(f"r{number}", actual), "resolved")
                bench.stands(where, left)

    @needs("resolve")
    def test_money_4_an_operator_has_to_say_why(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(5, 10)), "held")
            bench.raises(Resolve("r1", NOTHING, ""))

    @needs("raise")
    def test_money_1_a_raise_is_added_to_each_limit_of_its_line_until_its_time_is_over(self) -> None:
        with self.opened() as bench:
            until = bench.now_ms() + 1_000 * MINUTE
            bench.says(lift(A, 5, until), "open raised 5")
            bench.says(reserve("r1", hold(16, 10)), "refused agent:a spent fits 15")
            bench.says(reserve("r2", hold(16, 11)), "held")
            bench.says(release("r2"), "released")
            bench.says(reserve("r3", hold(16, 10, "agent:b")), "refused agent:b spent fits 10")
            bench.says(reserve("r4", hold(15, 10), lease=10 * MINUTE), "held")
            bench.tick(MINUTE)
            bench.says(reserve("r5", hold(0, 10)), "refused agent:a held fits 0")
            bench.says(settle("r4", actual=15), "settled")
            bench.stands(A, "settled 15")

    @needs("raise")
    def test_money_1_a_raise_takes_the_place_of_the_one_before(self) -> None:
        with self.opened() as bench:
            for raised in (5, 3, 0):
                bench.says(lift(A, raised), f"open raised {raised}")
                bench.says(reserve(f"r{raised}", hold(99, 10)), f"refused agent:a spent fits {10 + raised}")

    @needs("freeze")
    def test_money_1_a_frozen_line_takes_no_new_hold_and_lets_open_ones_end(self) -> None:
        with self.opened() as bench:
            for id in ("r1", "r2"):
                bench.says(reserve(id, hold(1, 10)), "held")
            bench.says(freeze(A), "frozen raised 0")
            for id, amount, limit in (("r3", 0, None), ("r4", 1, 10), ("r5", 99, 10)):
                bench.says(reserve(id, hold(1, 10, "global"), hold(amount, limit)), "frozen agent:a override")
            bench.says(settle("r1", actual=1), "settled")
            bench.says(release("r2"), "released")
            bench.says(charge("r6", hold(1, 10), actual=1), "charged")
            bench.stands(A, "settled 2 charged 1")
            bench.says(freeze(A, frozen=False), "open raised 0")
            bench.says(reserve("r7", hold(8, 10)), "held")

    @needs("freeze", "raise")
    def test_money_1_a_freeze_beats_a_raise(self) -> None:
        with self.opened() as bench:
            bench.says(lift(A, 100), "open raised 100")
            bench.says(freeze(A), "frozen raised 100")
            bench.says(reserve("r1", hold(1, 10)), "frozen agent:a override")

    @needs("close")
    def test_money_1_a_closed_account_takes_no_new_hold_and_lets_open_ones_end(self) -> None:
        with self.opened() as bench:
            bench.says(reserve("r1", hold(5, 10)), "held")
            bench.says(Close(A), "closed")
            bench.says(Close(A), "no effect closed")
            bench.says(reserve("r2", hold(0, 10)), "frozen agent:a closed")
            bench.says(settle("r1", actual=4), "settled")
            bench.says(charge("r3", hold(0, 10), actual=1), "charged")
            bench.stands(A, "settled 5 charged 1")

    @needs("close")
    def test_money_1_an_account_that_nothing_was_booked_on_can_be_closed(self) -> None:
        with self.opened() as bench:
            bench.says(Close(A), "closed")
            bench.says(reserve("r1", hold(1, 10)), "frozen agent:a closed")

    @needs("open")
    def test_money_7_what_is_open_can_be_seen_page_by_page_oldest_first(self) -> None:
        with self.opened() as bench:
            for number in range(5):
                bench.says(reserve(f"r{number}", hold(1, 10), lease=MINUTE if number % 2 else 10 * MINUTE), "held")
            bench.says(reserve("elsewhere", hold(1, 10, "agent:b")), "held")
            bench.says(settle("r0", actual=1), "settled")
            bench.tick(MINUTE)
            found: list[tuple[str, str]] = []
            newer: str | None = ""
            while newer is not None:
                page = bench.apply(Open("agent:a", 2, newer))
                found += [(entry.id, entry.state.value) for entry in page.entries]
                newer = page.newer
            states = ("presumed", "held", "presumed", "held")
            _same("what is open", found, [(bench.id(f"r{number + 1}"), state) for number, state in enumerate(states)])

    @needs("audit", "freeze")
    def test_money_4_what_an_operator_does_leaves_a_record(self) -> None:
        with self.opened() as bench:
            bench.says(freeze(A), "frozen raised 0")
            bench.says(freeze(A, frozen=False), "open raised 0")
            found = [(entry.verb, entry.target, entry.why, entry.by) for entry in bench.apply(Audit()).entries]
            _same("the record", found, [(verb, A.line, WHY, "somebody") for verb in ("freeze", "thaw")])

    @needs("overrides", "freeze", "raise")
    def test_money_1_what_stands_over_limits_can_be_seen(self) -> None:
        with self.opened() as bench:
            bench.says(freeze(A), "frozen raised 0")
            bench.says(lift(account("agent:b"), 3), "open raised 3")
            found = sorted(bench.apply(ListOverrides()).overrides, key=lambda override: override.line)
            expected = [Override(A.line, 0, None, True), Override(account("agent:b").line, 3)]
            _same("what stands over limits", found, expected)

    @needs("crowds")
    def test_money_1_accounts_beyond_a_crowds_most_share_one_under_its_limit(self) -> None:
        with self.opened() as bench:
            overflow = account("agent:+")
            for number in range(6):
                one = Hold(account(f"agent:{number}"), 4, 10, Crowd(overflow, 2))
                bench.says(reserve(f"r{number}", one), "held" if number < 4 else "refused agent:+ held fits 2")
            for where, left in ((account("agent:1"), "held 4"), (account("agent:2"), "nothing"), (overflow, "held 8")):
                bench.stands(where, left)


class EntriesTests(Suite):
    @needs("entries")
    def test_money_4_what_was_booked_for_each_id_can_be_read(self) -> None:
        with self.opened() as bench:
            _end_four(bench)
            page = bench.apply(Entries("agent:a"))
            found = [(entry.id, entry.state.value, entry.how, entry.booked) for entry in page.entries]
            expected = [
                (bench.id("r1"), "settled", "settled", (3,)),
                (bench.id("r2"), "released", None, (0,)),
                (bench.id("r3"), "settled", "charged", (7,)),
                (bench.id("r4"), "settled", "forced", (8,)),
            ]
            _same("the entries", found, expected)
            _same("the labels of an entry", page.entries[0].labels, LABELS)

    @needs("entries")
    def test_money_4_entries_are_read_page_by_page_newest_page_first(self) -> None:
        with self.opened() as bench:
            _end_four(bench)
            newest = bench.apply(Entries("agent:a", 3))
            _same("the newest page", _ids(newest), [bench.id(word) for word in ("r2", "r3", "r4")])
            if newest.older is None:
                fail("EntriesPage.older must ask for the page before, and is None")
            oldest = bench.apply(Entries("agent:a", 3, newest.older))
            _same("the page before", (_ids(oldest), oldest.older), ([bench.id("r1")], None))

    @needs("entries", "compact")
    def test_money_4_what_is_no_longer_kept_is_kept_as_sums_by_label(self) -> None:
        with self.opened() as bench:
            _end_four(bench)
            bench.forget()
            page = bench.apply(Entries("agent:a"))
            sums = {key: dict(amounts) for key, amounts in page.folded.items()}
            _same("the entries", _ids(page), [])
            _same("the sums", sums, {(LABELS.tool, LABELS.model, LABELS.tier): {A.unit: 18}})


def _end_four(bench: Bench) -> None:
    for command, answer in (
        (reserve("r1", hold(5, 100)), "held"),
        (settle("r1", actual=3), "settled"),
        (reserve("r2", hold(5, 100)), "held"),
        (release("r2"), "released"),
        (charge("r3", hold(0, 100), actual=7), "charged"),
        (charge("elsewhere", hold(0, 100, "agent:b"), actual=9), "charged"),
        (settle("r4", hold(0, 100), actual=8), "forced"),
    ):
        bench.says(command, answer)
        bench.tick(1)


def _ids(page: EntriesPage) -> list[str]:
    return [entry.id for entry in page.entries]


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        fail(f"{what}: the ledger says {found!r}; it must be {expected!r}")
