"""Safeguards of identity and of grants, switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from agent_airlock.ledger import booking, granting, limits, rules, store
from agent_airlock.ledger.commands import Refused, Released, Reserve, State, WrongPeriod
from agent_airlock.ledger.rows import Head
from tests.simulation import process
from tests.simulation.mutant import mutant
from tests.simulation.seams import Seams

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


@mutant("quiet", "faults", focus=("meddler",))
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


@mutant("quiet", "faults", focus=("traveller",))
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


@mutant("quiet", "faults", focus=("overseer",))
def a_raise_has_no_end(seams: Seams) -> None:
    def room(limit: Any, override: Any, now: int) -> int:
        return limits.room_of(limit, override and replace(override, until_ms=None), now)

    seams.put(granting, "room_of", room)


@mutant("quiet", "faults", focus=("overseer",))
def a_raise_is_not_looked_at(seams: Seams) -> None:
    seams.put(granting, "room_of", lambda limit, override, now: limits.room_of(limit, None, now))


@mutant("quiet", "faults")
def a_crowd_has_no_bound(seams: Seams) -> None:
    seams.put(limits, "is_full", lambda crowd, head: False)
