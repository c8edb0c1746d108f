"""Each safeguard, switched off: what the simulator must see. Nothing in the package knows of this.

A mutant changes a function or a cell of the package for as long as a run lasts. One that no law notices is a hole in
the simulator.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from agent_airlock import gate, quote
from agent_airlock.exceptions import AirlockBudgetExceeded
from agent_airlock.ledger import booking, clocks, folds, granting, limits, memory, rows, rules, store
from agent_airlock.ledger.commands import Refused, Released, Reserve, Reserved, Settled, State, WrongPeriod
from agent_airlock.ledger.rows import Head
from tests.simulation import network, process
from tests.simulation.generator import MODES, Mode
from tests.simulation.seams import Seams

Switch = Callable[[Seams], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``off`` switches the safeguard off. ``modes`` are where it is looked for, in this order."""

    name: str
    off: Switch
    modes: tuple[Mode, ...] = MODES


MUTANTS: Final[dict[str, Mutant]] = {}


def mutant(*modes: Mode) -> Callable[[Switch], Switch]:
    def register(off: Switch) -> Switch:
        name = off.__name__.replace("_", " ")
        MUTANTS[name] = Mutant(name, off, modes or MODES)
        return off

    return register


# --- identity --------------------------------------------------------------------------------------------

OTHERS: Final = (State.HELD, State.PRESUMED, State.LAPSED, State.RESOLVED, State.SETTLED, State.RELEASED)


@mutant("quiet", "faults")
def another_callers_reserve_is_answered_as_ones_own(seams: Seams) -> None:
    for state in OTHERS:
        seams.cell(state, reserve_other=granting.answer_state)


@mutant("quiet", "faults")
def all_callers_have_one_nonce(seams: Seams) -> None:
    renew = process.SeededIds.renew

    def the_same(self: Any) -> None:
        renew(self)
        self.nonce = "the same"

    seams.put(process.SeededIds, "renew", the_same)


@mutant("quiet")
def another_callers_release_gives_back(seams: Seams) -> None:
    for state in (State.HELD, State.PRESUMED):
        seams.cell(state, release_other=booking.give_back)


@mutant("faults")
def a_release_of_an_unknown_id_closes_nothing(seams: Seams) -> None:
    def nothing(row: Any, rows: Any, command: Any, head: Head) -> Any:
        return Released(State.CLOSED, True, head.stamp_of_change()), None

    seams.cell(State.UNKNOWN, release=nothing, release_other=nothing)


@mutant("faults", "quiet")
def a_forgotten_id_is_new(seams: Seams) -> None:
    seams.put(rules, "_state_without_row", lambda id, head: State.UNKNOWN)


@mutant("quiet")
def other_content_is_no_conflict(seams: Seams) -> None:
    seams.put(granting, "_first_difference", lambda row, command: None)


@mutant("quiet", "faults")
def a_closed_id_is_granted(seams: Seams) -> None:
    seams.cell(State.CLOSED, reserve=granting.grant, reserve_other=granting.grant)


@mutant("quiet", "faults")
def a_released_id_is_granted_again(seams: Seams) -> None:
    seams.cell(State.RELEASED, reserve=granting.grant)


@mutant("quiet", "faults")
def a_settled_id_is_granted_again(seams: Seams) -> None:
    seams.cell(State.SETTLED, reserve=granting.grant)


# --- grants ----------------------------------------------------------------------------------------------


def _granting(seams: Seams, change: Callable[[Any, Any, Reserve, Head], Any]) -> None:
    for state in State:
        if rules.TABLE[state].reserve is granting.grant:
            seams.cell(state, reserve=change, reserve_other=change)


def _head(head: Head, **fields: Any) -> Head:
    """A copy of the head, with some of it changed."""
    kept = {name: getattr(head, name) for name in head.__slots__} | fields
    return Head(kept.pop("ledger"), kept.pop("epoch"), **kept)


@mutant("quiet")
def a_grant_may_be_one_above_its_limit(seams: Seams) -> None:
    def grant(row: Any, rows: Any, command: Reserve, head: Head) -> Any:
        more = tuple(replace_limit(hold, 1) for hold in command.holds)
        return granting.grant(row, rows, replace(command, holds=more), head)

    _granting(seams, grant)


def replace_limit(hold: Any, more: int) -> Any:
    return hold if hold.limit is None else replace(hold, limit=hold.limit + more)


@mutant("quiet")
def what_others_hold_is_not_counted(seams: Seams) -> None:
    def grant(row: Any, rows: Any, command: Reserve, head: Head) -> Any:
        answer, change = granting.grant(row, rows, command, head)
        if isinstance(answer, Refused) and answer.refusal.cause == "held":
            held = answer.refusal.held
            more = tuple(replace_limit(hold, held) for hold in command.holds)
            answer, change = granting.grant(row, rows, replace(command, holds=more), head)
        return answer, change

    _granting(seams, grant)


@mutant("quiet")
def the_holds_that_fit_are_made_and_the_others_not(seams: Seams) -> None:
    def grant(row: Any, rows: Any, command: Reserve, head: Head) -> Any:
        answer, change = granting.grant(row, rows, command, head)
        if isinstance(answer, Refused) and len(command.holds) > 1:
            fit = tuple(hold for hold in command.holds if hold.account != answer.refusal.account)
            answer, change = granting.grant(row, rows, replace(command, holds=fit), head)
        return answer, change

    _granting(seams, grant)


@mutant("quiet")
def a_refusal_leaves_the_first_hold(seams: Seams) -> None:
    def grant(row: Any, rows: Any, command: Reserve, head: Head) -> Any:
        answer, change = granting.grant(row, rows, command, head)
        if isinstance(answer, Refused) and command.holds[0].account != answer.refusal.account:
            _, change = granting.grant(row, rows, replace(command, holds=command.holds[:1]), head)
        return answer, change

    _granting(seams, grant)


@mutant("quiet", "faults")
def a_period_that_is_over_is_granted(seams: Seams) -> None:
    def grant(row: Any, rows: Any, command: Reserve, head: Head) -> Any:
        answer, change = granting.grant(row, rows, command, head)
        if isinstance(answer, WrongPeriod):
            then = _head(head, now_ms=answer.account.period.start_ms)
            answer, change = granting.grant(row, rows, command, then)
            answer = replace(answer, stamp=replace(answer.stamp, now_ms=head.now_ms))
        return answer, change

    _granting(seams, grant)


@mutant("quiet", "faults")
def periods_of_a_line_may_overlap(seams: Seams) -> None:
    seams.put(granting, "_fits_its_line", lambda account, lines: True)


@mutant("quiet", "faults")
def a_line_that_is_dropped_leaves_no_mark(seams: Seams) -> None:
    seams.put(store.Store, "_drop_line", lambda self, account: self.lines.pop(account.line, None))


@mutant("quiet", "faults")
def a_frozen_line_takes_holds(seams: Seams) -> None:
    def grant(row: Any, rows: Any, command: Reserve, head: Head) -> Any:
        thawed = {line: replace(override, frozen=False) for line, override in head.overrides.items()}
        return granting.grant(row, rows, command, _head(head, overrides=thawed))

    _granting(seams, grant)


@mutant("quiet", "faults")
def a_shut_account_takes_holds(seams: Seams) -> None:
    def grant(row: Any, rows: Any, command: Reserve, head: Head) -> Any:
        return granting.grant(row, {id: replace(one, shut=None) for id, one in rows.items()}, command, head)

    _granting(seams, grant)


@mutant("quiet", "faults")
def a_raise_has_no_end(seams: Seams) -> None:
    def room(limit: Any, override: Any, now: int) -> int:
        return limits.room_of(limit, override and replace(override, until_ms=None), now)

    seams.put(granting, "room_of", room)


@mutant("quiet", "faults")
def a_raise_is_not_looked_at(seams: Seams) -> None:
    seams.put(granting, "room_of", lambda limit, override, now: limits.room_of(limit, None, now))


@mutant("quiet", "faults")
def a_crowd_has_no_bound(seams: Seams) -> None:
    seams.put(limits, "_seat", lambda hold, rows, head: hold)


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


@mutant("quiet", "faults")
def a_lease_ends_one_millisecond_late(seams: Seams) -> None:
    seams.put(rules, "is_due", lambda row, now: row.state is State.HELD and row.expires_ms < now)


@mutant("quiet", "faults")
def an_ids_own_lease_is_left_to_the_sweep(seams: Seams) -> None:
    seams.put(store.Store, "ended_by", lambda self, row, now: row)


@mutant("quiet", "faults")
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


# --- callers ---------------------------------------------------------------------------------------------


@mutant("faults")
def a_reserve_without_an_answer_is_not_closed(seams: Seams) -> None:
    give_back = gate._give_back

    def only_afterwards(quote: Any, plan: Any) -> Any:
        if isinstance(sys.exc_info()[1], gate.LedgerError):
            return True
        return (yield from give_back(quote, plan))

    seams.put(gate, "_give_back", only_afterwards)


@mutant("quiet", "faults")
def what_one_book_holds_is_kept_when_the_other_refuses(seams: Seams) -> None:
    give_back = gate._give_back

    def not_of_the_first(quote: Any, plan: Any) -> Any:
        if isinstance(sys.exc_info()[1], AirlockBudgetExceeded):
            return True
        return (yield from give_back(quote, plan))

    seams.put(gate, "_give_back", not_of_the_first)


@mutant("quiet", "faults")
def what_cost_nothing_is_not_given_back(seams: Seams) -> None:
    give_back = gate._give_back

    def never(quote: Any, plan: Any) -> Any:
        return True if sys.exc_info()[1] is None else (yield from give_back(quote, plan))

    seams.put(gate, "_give_back", never)


@mutant("faults", "clock")
def an_answer_other_than_held_runs(seams: Seams) -> None:
    reserve = gate._reserve

    def held(quote: Any, plan: Any) -> Any:
        answer = yield from reserve(quote, plan)
        return replace(answer, state=State.HELD) if isinstance(answer, Reserved) else answer

    seams.put(gate, "_reserve", held)


@mutant("quiet", "faults")
def a_forgotten_settle_is_not_charged(seams: Seams) -> None:
    seams.put(gate, "Forgotten", type("Never", (), {}))


@mutant("quiet")
def a_wrong_period_is_not_asked_again(seams: Seams) -> None:
    seams.put(gate, "WrongPeriod", type("Never", (), {}))


@mutant("quiet", "faults")
def only_the_first_book_is_told(seams: Seams) -> None:
    init = gate.Ticket.__init__
    seams.put(gate.Ticket, "__init__", lambda self, quote, plans: init(self, quote, plans[:1]))


@mutant("quiet")
def two_books_are_asked_for_half_each(seams: Seams) -> None:
    plans = quote.Gate.plans
    seams.put(quote.Gate, "plans", lambda self, asked, now_ms: plans(self, asked, now_ms)[:1])


@mutant("faults")
def a_refused_copy_is_not_closed(seams: Seams) -> None:
    seams.put(network, "NOTHING_STANDS", ())
