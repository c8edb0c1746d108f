"""Safeguards of real money and of time, switched off."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent_airlock.ledger import booking, clocks, folds, memory, rows, rules, store
from agent_airlock.ledger.commands import Settled, State
from agent_airlock.ledger.rows import Head
from tests.simulation.mutant import mutant
from tests.simulation.seams import Seams

# --- real money ------------------------------------------------------------------------------------------


def _says_booked(how: Any) -> Callable[..., Any]:
    """An answer that is not true."""

    def lie(row: Any, rows: Any, command: Any, head: Head) -> Any:
        return Settled(how, False, (), (), head.stamp_of_change()), None

    return lie


@mutant("quiet", "faults")
def a_late_settle_is_dropped(seams: Seams) -> None:
    seams.cell(State.RELEASED, settle=_says_booked("late"))


@mutant("quiet", "faults")
def a_settle_of_an_unknown_id_is_dropped(seams: Seams) -> None:
    seams.cell(State.UNKNOWN, settle=_says_booked("forced"))


@mutant("quiet")
def a_repeated_settle_books_again(seams: Seams) -> None:
    seams.cell(State.SETTLED, settle=booking.book)


@mutant("quiet", "faults")
def a_settle_of_another_amount_is_called_repeated(seams: Seams) -> None:
    def again(row: Any, rows: Any, command: Any, head: Head) -> Any:
        stands = booking.standing(row, rows)
        return Settled(row.how, True, stands, stands, head.stamp()), None

    seams.cell(State.SETTLED, settle=again)


@mutant("quiet", "faults")
def a_settle_leaves_the_presumption(seams: Seams) -> None:
    seams.cell(State.PRESUMED, settle=booking.force)


@mutant("quiet", "faults")
def a_caller_cannot_release_what_was_presumed(seams: Seams) -> None:
    seams.cell(State.PRESUMED, release=booking.no_effect)


@mutant("quiet", "faults")
def an_operators_word_stands_against_the_callers(seams: Seams) -> None:
    seams.cell(State.RESOLVED, settle=booking.book_again)


@mutant("quiet", "faults")
def an_operator_may_resolve_what_is_settled(seams: Seams) -> None:
    seams.cell(State.SETTLED, resolve=booking.resolve_late)


@mutant("quiet")
def overrun_is_not_counted(seams: Seams) -> None:
    seams.put(booking, "_more", lambda overruns, cause, amount: overruns)


@mutant("quiet")
def overrun_has_one_cause(seams: Seams) -> None:
    more = booking._more
    seams.put(booking, "_more", lambda overruns, cause, amount: more(overruns, "late", amount))


@mutant("release")
def a_settle_after_a_lapse_is_no_overrun(seams: Seams) -> None:
    seams.cell(State.LAPSED, settle=booking.book)


@mutant("quiet", "faults")
def what_is_forgotten_leaves_no_sums(seams: Seams) -> None:
    seams.put(folds.Folds, "with_rows", lambda self, rows: [])


# --- time ------------------------------------------------------------------------------------------------


@mutant("quiet", "crashes")
def the_end_of_a_lease_frees(seams: Seams) -> None:
    expire = rules.expire

    def freed(row: Any, balances: Any, head: Head) -> Any:
        return expire(replace(row, request=replace(row.request, on_expiry="release")), balances, head)

    seams.put(rules, "expire", freed)


@mutant("quiet", "faults", focus=("hesitant",))
def a_lease_ends_one_millisecond_late(seams: Seams) -> None:
    seams.put(rules, "is_due", lambda row, now: row.state is State.HELD and row.expires_ms < now)


@mutant("quiet", "faults")
def an_ids_own_lease_is_left_to_the_sweep(seams: Seams) -> None:
    seams.put(store.Store, "ended_by", lambda self, row, now: row)


@mutant("crashes", "release", focus=("hesitant", "quitter"))
def a_refusal_counts_holds_whose_lease_has_ended(seams: Seams) -> None:
    sweep = store.Store.sweep

    def lazy(self: Any, now: int, most: int) -> None:
        if sys._getframe(1).f_code is not memory.MemoryLedger._reserve.__code__:
            sweep(self, now, most)

    seams.put(store.Store, "sweep", lazy)


@mutant("clock")
def the_ledgers_time_runs_back(seams: Seams) -> None:
    apply = memory.MemoryLedger.apply

    def now_is_the_walls(self: Any, command: Any) -> Any:
        self._head.now_ms = 0
        return apply(self, command)

    seams.put(memory.MemoryLedger, "apply", now_is_the_walls)


@mutant("clock")
def a_leap_of_the_clock_is_believed(seams: Seams) -> None:
    init = clocks.Explained.__init__
    seams.put(clocks.Explained, "__init__", lambda self, boot, now_ms: init(self, None, now_ms))


@mutant("quiet")
def a_change_has_no_number(seams: Seams) -> None:
    seams.put(rows.Head, "stamp_of_change", rows.Head.stamp)
