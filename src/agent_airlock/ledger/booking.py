"""How money moves once it is held, pure: what a settle, a release, an operator and the end of a lease do to a row.

These are the cells of the table in ``rules.py``. Each is one :func:`_move`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..exceptions import LedgerCorrupt
from ..money import MAX_AMOUNT
from .accounts import Amounts, Balance, Hold, Overrun
from .commands import (
    Charge,
    Conflict,
    Forgotten,
    Release,
    ReleaseAnswer,
    Released,
    Settle,
    SettleAnswer,
    Settled,
    Settling,
    Stamp,
    State,
)
from .limits import seated
from .operations import Resolve, Resolved
from .rows import (
    FORGOTTEN,
    HELD,
    LAPSED,
    PRESUMED,
    RELEASED,
    RESOLVED,
    SETTLED,
    UNKNOWN,
    Change,
    Head,
    Reservation,
    Rows,
    whole_amount,
)

SettleResult = tuple[SettleAnswer, Change | None]
ReleaseResult = tuple[ReleaseAnswer, Change | None]
ResolveResult = tuple[Resolved, Change | None]
Cause = Literal["above_hold", "late", "forced", "charged"]


# --- settle and charge -----------------------------------------------------------------------------------


def book(row: Reservation | None, rows: Rows, command: Settle | Charge, head: Head) -> SettleResult:
    """Replace a hold, or a presumption, by the real cost; what it is above the hold is overrun (rule 5)."""
    settled, before, after = _move(row, rows, SETTLED, head, "above_hold", command.actual, "settled")
    stamp = Stamp(head.ledger, head.epoch, head.seq + 1, head.now_ms)  # stamp_of_change(), without the call
    return Settled("settled", False, before, after, stamp), (settled, after)


def book_late(row: Reservation | None, rows: Rows, command: Settle | Charge, head: Head) -> SettleResult:
    """Real money after the hold was given back: nothing stands there, so all of it is overrun (rule 4)."""
    settled, before, after = _move(row, rows, SETTLED, head, "late", command.actual, "late")
    return Settled("late", False, before, after, head.stamp_of_change()), (settled, after)


def book_over(row: Reservation | None, rows: Rows, command: Settle | Charge, head: Head) -> SettleResult:
    """What the caller says supersedes the operator. What it is above the operator's amount no grant allowed."""
    settled, before, after = _move(row, rows, SETTLED, head, "late", command.actual, "settled")
    return Settled("settled", False, before, after, head.stamp_of_change()), (settled, after)


def force(row: Reservation | None, rows: Rows, command: Settle | Charge, head: Head) -> SettleResult:
    """Real money for an id that is not known: booked whole, all of it overrun (rule 4)."""
    holds = command.holds
    if any(hold.crowd is not None for hold in holds):
        holds = seated(holds, rows, head)
    if len(holds) > 1:
        distinct(holds)
    how: Literal["charged", "forced"] = "charged" if type(command) is Charge else "forced"
    nothing = Reservation(command, UNKNOWN, holds, head.now_ms)
    settled, before, after = _move(nothing, rows, SETTLED, head, how, command.actual, how)
    return Settled(how, False, before, after, head.stamp_of_change()), (settled, after)


def book_again(row: Reservation | None, rows: Rows, command: Settle | Charge, head: Head) -> SettleResult:
    row = present(row)
    actual = command.actual
    if tuple([whole_amount(actual.get(hold.account.unit, hold.amount)) for hold in row.holds]) != row.booked:
        return Conflict("actual", head.stamp()), None
    stands = standing(row, rows)
    return Settled(row.how or "settled", True, stands, stands, head.stamp()), None


def no_settle(row: Reservation | None, rows: Rows, command: Settle | Charge, head: Head) -> SettleResult:
    return Forgotten(head.stamp()), None


# --- release ---------------------------------------------------------------------------------------------


def give_back(row: Reservation | None, rows: Rows, command: Release, head: Head) -> ReleaseResult:
    released, _, after = _move(row, rows, RELEASED, head)
    return Released(RELEASED, True, head.stamp_of_change()), (released, after)


def close(row: Reservation | None, rows: Rows, command: Release, head: Head) -> ReleaseResult:
    """An id never seen: a reserve of it that is still under way will hold nothing (rule 3)."""
    closed = Reservation(command, State.CLOSED, (), head.now_ms, ended_ms=head.now_ms)
    return Released(State.CLOSED, True, head.stamp_of_change()), (closed, ())


def no_effect(row: Reservation | None, rows: Rows, command: Release, head: Head) -> ReleaseResult:
    return Released(present(row).state, False, head.stamp()), None


def no_release(row: Reservation | None, rows: Rows, command: Release, head: Head) -> ReleaseResult:
    return Forgotten(head.stamp()), None


# --- an operator's word ----------------------------------------------------------------------------------


def resolve_hold(row: Reservation | None, rows: Rows, command: Resolve, head: Head) -> ResolveResult:
    """Replace a hold, or a presumption, by what an operator says."""
    return _resolved(row, rows, command, head, "above_hold")


def resolve_late(row: Reservation | None, rows: Rows, command: Resolve, head: Head) -> ResolveResult:
    """No hold stands any more: what is more than stood there is overrun."""
    return _resolved(row, rows, command, head, "late")


def _resolved(row: Reservation | None, rows: Rows, command: Resolve, head: Head, cause: Cause) -> ResolveResult:
    resolved, before, after = _move(row, rows, RESOLVED, head, cause, command.actual)
    return Resolved(RESOLVED, True, before, after, head.stamp_of_change()), (resolved, after)


def not_resolved(row: Reservation | None, rows: Rows, command: Resolve, head: Head) -> ResolveResult:
    """Its caller's word stands."""
    row = present(row)
    stands = standing(row, rows)
    return Resolved(row.state, False, stands, stands, head.stamp()), None


def resolve_unknown(row: Reservation | None, rows: Rows, command: Resolve, head: Head) -> ResolveResult:
    return Resolved(UNKNOWN, False, (), (), head.stamp()), None


def no_resolve(row: Reservation | None, rows: Rows, command: Resolve, head: Head) -> ResolveResult:
    return Resolved(FORGOTTEN, False, (), (), head.stamp()), None


# --- the end of a lease ----------------------------------------------------------------------------------


def expire(row: Reservation, rows: Rows, head: Head) -> Change:
    """The lease ended and nobody said what the call really cost: presumed spent, or lapsed if so asked (rule 7)."""
    target = LAPSED if row.on_expiry == "release" else PRESUMED
    ended, _, after = _move(row, rows, target, head)
    return ended, after


# --- one move of money -----------------------------------------------------------------------------------


def _move(
    row: Reservation | None,
    rows: Rows,
    target: State,
    head: Head,
    cause: Cause | None = None,
    actual: Amounts | None = None,
    how: Settling | None = None,
) -> tuple[Reservation, tuple[Balance, ...], tuple[Balance, ...]]:
    """Take what stands for the row from its accounts and book it anew: as spent, as presumed, or not at all.

    What no grant allowed is what is spent above what stood there: nothing stands for an id that is
    unknown, released or lapsed, so all of it. An account that only counts has no limit to be over.
    Returns the new row, and the balances before and after.
    """
    if row is None:
        raise LedgerCorrupt("a reservation that has a state has no row")
    if actual is not None:
        actual = {**actual}  # the caller's own mapping may change
    state = row.state
    holds = row.holds
    resolved = iter(row.booked) if state is RESOLVED else None
    before: list[Balance] = []
    after: list[Balance] = []
    for hold in holds:
        account = hold.account
        amount = hold.amount
        old = rows.get(account.id)
        if old is None:
            if state is not UNKNOWN:
                raise LedgerCorrupt(f"reservation {row.id} points to account {account.id}, which has no balance")
            old = Balance(account, last_limit=hold.limit)
        before.append(old)
        settled, presumed, held, overruns = old.settled, old.presumed, old.held, old.overruns
        stood = amount
        if state is HELD:
            held -= amount
        elif state is PRESUMED:
            presumed -= amount
        elif resolved is not None:
            stood = next(resolved)
            settled -= stood
        else:
            stood = 0
        if actual is not None:
            amount = actual.get(account.unit, amount)
            if type(amount) is not int or not 0 <= amount <= MAX_AMOUNT:
                amount = whole_amount(amount)
            settled += amount
            if amount > stood and hold.limit is not None and cause is not None:
                overruns = _more(overruns, cause, amount - stood)
        elif target is PRESUMED:
            presumed += amount
        shut = old.shut
        if settled < 0 or held < 0 or presumed < 0 or settled + presumed + held > MAX_AMOUNT:
            settled, shut = _saturated(old, settled, presumed, held), "saturated"
        after.append(
            Balance(account, settled, presumed, held, overruns, old.last_limit, shut, old.granted, old.limits_disagree)
        )
    moved = Reservation(row.request, target, holds, row.expires_ms, how, actual, head.now_ms)
    return moved, tuple(before), tuple(after)


def _more(overruns: Overrun, cause: Cause, amount: int) -> Overrun:
    return replace(overruns, **{cause: min(MAX_AMOUNT, getattr(overruns, cause) + amount)})


# --- checks that guard money (rule 13): they raise, in pairs, after a read and before a write --------------


def present(row: Reservation | None) -> Reservation:
    if row is None:
        raise LedgerCorrupt("a reservation that has a state has no row")
    return row


def standing(row: Reservation, rows: Rows) -> tuple[Balance, ...]:
    """After a read: an account that a row points to has a balance."""
    try:
        return tuple([rows[hold.account.id] for hold in row.holds])
    except KeyError as missing:
        raise LedgerCorrupt(f"reservation {row.id} points to an account without a balance: {missing}") from None


def _saturated(old: Balance, settled: int, presumed: int, held: int) -> int:
    """Before a write: no count is negative; what would pass 2⁵³ − 1 saturates (and freezes the account)."""
    if presumed < 0 or held < 0 or (settled < 0 and old.shut != "saturated"):
        raise LedgerCorrupt(f"account {old.account.id} would be negative: {settled=}, {presumed=}, {held=}")
    return max(0, min(settled, MAX_AMOUNT - presumed - held))


def distinct(holds: tuple[Hold, ...]) -> None:
    """An account named twice in one reservation would be granted twice against the same room."""
    if len({hold.account.id for hold in holds}) < len(holds):
        raise ValueError("a reservation names each account once")
