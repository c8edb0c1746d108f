"""What a reserve answers, pure: the cells of the table in ``rules.py``.

The answers have one order of precedence, the same on every ledger: forgotten → in use → conflict → the state that
the id is in → wrong period → period overlap → frozen → the first hold that does not fit → held.
"""

from __future__ import annotations

from typing import Literal

from ..exceptions import LedgerCorrupt
from ..money import MAX_AMOUNT
from .accounts import Account, Balance, Hold, Refusal
from .booking import distinct, present, standing
from .commands import (
    Conflict,
    ConflictField,
    Forgotten,
    Frozen,
    InUse,
    PeriodOverlap,
    Refused,
    Reserve,
    ReserveAnswer,
    Reserved,
    Stamp,
    State,
    WrongPeriod,
)
from .limits import is_full, room_of, seated
from .rows import HELD, Change, Head, Lines, Reservation, Rows, floor_of, no_amount

ReserveResult = tuple[ReserveAnswer, Change | None]


def grant(
    row: Reservation | None, rows: Rows, command: Reserve, head: Head, seats: tuple[Hold, ...] | None = None
) -> ReserveResult:
    """Every hold fits, or none is made (rules 1 and 2). ``seats``: the holds where a crowd that is full makes them."""
    holds = command.holds if seats is None else seats
    now = head.now_ms
    overrides = head.overrides
    after: list[Balance] = []
    for hold in holds:
        account = hold.account
        amount = hold.amount
        limit = hold.limit
        period = account.period
        end = period.end_ms
        if type(amount) is not int or not (limit is None or type(limit) is int):
            raise no_amount(amount if type(amount) is not int else limit)
        old = rows.get(account.id)
        if old is None:
            if hold.crowd is not None and is_full(hold.crowd, head):
                return grant(row, rows, command, head, seated(holds, rows, head))
            old = Balance(account)
        granted = old.granted
        if not granted and not _fits_its_line(account, head.lines):
            return _why_not(rows, command, holds, head), None
        held = old.held + amount
        room = MAX_AMOUNT if limit is None or limit > MAX_AMOUNT else limit
        if overrides:
            room = -1 if _frozen_by(account, rows, head) else room_of(limit, overrides.get(account.line), now)
        if (
            old.settled + old.presumed + held > room
            or now < period.start_ms
            or (end is not None and now >= end)
            or old.shut is not None
            or amount < 0
        ):
            return _why_not(rows, command, holds, head), None
        disagree = old.limits_disagree or (granted and limit != old.last_limit)
        after.append(Balance(account, old.settled, old.presumed, held, old.overruns, limit, None, True, disagree))
    if len(holds) > 1:
        distinct(holds)
    balances = tuple(after)
    made = Reservation(command, HELD, holds, now + command.lease_ms)
    stamp = Stamp(head.ledger, head.epoch, head.seq + 1, now)  # stamp_of_change(), without the call
    return Reserved(HELD, stamp, balances), (made, balances)


def _fits_its_line(account: Account, lines: Lines) -> bool:
    known = lines.get(account.line) or lines.get(floor_of(account.window))
    return known is None or known == account.period or not known.overlaps(account.period)


def _why_not(rows: Rows, command: Reserve, holds: tuple[Hold, ...], head: Head) -> ReserveAnswer:
    """The first reason in the order of precedence, over all holds."""
    for hold in holds:
        if type(hold.amount) is not int or hold.amount < 0:
            raise no_amount(hold.amount)
    for hold in holds:
        if not hold.account.period.contains(head.now_ms):
            return WrongPeriod(hold.account, head.stamp())
    for hold in holds:
        if not _fits_its_line(hold.account, head.lines):
            return PeriodOverlap(hold.account, head.stamp())
    for hold in holds:
        cause = _frozen_by(hold.account, rows, head)
        if cause is not None:
            return Frozen(hold.account, cause, head.stamp())
    for hold in holds:
        refusal = _refusal(hold, rows, head)
        if refusal is not None:
            return Refused(refusal, head.stamp())
    raise LedgerCorrupt(f"no hold of {command.id} stands in the way, yet it was not granted")


def _frozen_by(account: Account, rows: Rows, head: Head) -> Literal["override", "closed", "saturated"] | None:
    override = head.overrides.get(account.line)
    if override is not None and override.frozen:
        return "override"
    balance = rows.get(account.id)
    return None if balance is None else balance.shut


def _refusal(hold: Hold, rows: Rows, head: Head) -> Refusal | None:
    old = rows.get(hold.account.id) or Balance(hold.account)
    room = room_of(hold.limit, head.overrides.get(hold.account.line), head.now_ms)
    spent, asked = old.settled + old.presumed, hold.amount
    if spent + old.held + asked <= room:
        return None
    cause: Literal["spent", "held"] = "spent" if spent + asked > room else "held"
    disagree = old.limits_disagree or (old.granted and hold.limit != old.last_limit)
    return Refusal(hold.account, room, old.settled, old.presumed, old.held, asked, cause, disagree)


def answer_state(row: Reservation | None, rows: Rows, command: Reserve, head: Head) -> ReserveResult:
    row = present(row)
    field = _first_difference(row, command)
    if field is not None:
        return Conflict(field, head.stamp()), None
    return Reserved(row.state, head.stamp(), standing(row, rows)), None


def _first_difference(row: Reservation, command: Reserve) -> ConflictField | None:
    """The first of accounts, amounts, limits and lease in which the same id says something else."""
    mine, other = row.holds, command.holds
    if len(mine) != len(other) or not all(map(_same_account, mine, other)):
        return "accounts"
    if [hold.amount for hold in mine] != [hold.amount for hold in other]:
        return "amounts"
    if [hold.limit for hold in mine] != [hold.limit for hold in other]:
        return "limits"
    return "lease" if (row.lease_ms, row.on_expiry) != (command.lease_ms, command.on_expiry) else None


def _same_account(made: Hold, asked: Hold) -> bool:
    """A hold of a crowd that was full was made on its overflow."""
    return made.account == asked.account or (asked.crowd is not None and made.account == asked.crowd.overflow)


def in_use(row: Reservation | None, rows: Rows, command: Reserve, head: Head) -> ReserveResult:
    return InUse(head.stamp()), None


def closed(row: Reservation | None, rows: Rows, command: Reserve, head: Head) -> ReserveResult:
    return Reserved(State.CLOSED, head.stamp()), None


def no_reserve(row: Reservation | None, rows: Rows, command: Reserve, head: Head) -> ReserveResult:
    return Forgotten(head.stamp()), None
