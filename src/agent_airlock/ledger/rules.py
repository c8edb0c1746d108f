"""The rules of the money, pure: (the rows it needs, command, now) → (answer, change). No I/O, no clock, no lock.

Every ledger stands on this file: it calls it, or is tested against it.

``TABLE`` below is the whole state machine: what a verb does to a reservation in each state. A ledger first
makes every hold whose lease has ended *presumed* (:func:`expire`), then looks up the cell. The answers of a
reserve have one order of precedence, the same on every ledger: forgotten → in use → conflict → the state it
is in → wrong period → period overlap → frozen → the first hold that does not fit → held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from ..exceptions import LedgerCorrupt
from ..money import MAX_AMOUNT
from .accounts import Account, Amounts, Balance, Hold, Overrun, Refusal
from .commands import (
    Charge,
    Conflict,
    ConflictField,
    Forgotten,
    Frozen,
    InUse,
    PeriodOverlap,
    Refused,
    Release,
    ReleaseAnswer,
    Released,
    Reserve,
    ReserveAnswer,
    Reserved,
    Settle,
    SettleAnswer,
    Settled,
    Settling,
    State,
    WrongPeriod,
)
from .rows import (
    FORGOTTEN,
    HELD,
    PRESUMED,
    RELEASED,
    SETTLED,
    UNKNOWN,
    Change,
    Lines,
    Reservation,
    Rows,
    floor_of,
    no_amount,
    whole_amount,
)

ReserveResult = tuple[ReserveAnswer, Change | None]
SettleResult = tuple[SettleAnswer, Change | None]
ReleaseResult = tuple[ReleaseAnswer, Change | None]


# --- reserve ---------------------------------------------------------------------------------------------


def _grant(row: Reservation | None, rows: Rows, command: Reserve, now: int, lines: Lines) -> ReserveResult:
    """Every hold fits, or none is made (rules 1 and 2)."""
    after: list[Balance] = []
    holds = command.holds
    for hold in holds:
        account = hold.account
        amount = hold.amount
        limit = hold.limit
        period = account.period
        end = period.end_ms
        if type(amount) is not int or not (limit is None or type(limit) is int):
            raise no_amount(amount if type(amount) is not int else limit)
        old = rows.get(account.id) or Balance(account)
        if not old.granted and not _fits_its_line(account, lines):
            return _why_not(rows, command, now, lines), None
        held = old.held + amount
        room = MAX_AMOUNT if limit is None or limit > MAX_AMOUNT else limit
        if (
            old.settled + old.presumed + held > room
            or now < period.start_ms
            or (end is not None and now >= end)
            or old.frozen
            or amount < 0
        ):
            return _why_not(rows, command, now, lines), None
        after.append(Balance(account, old.settled, old.presumed, held, old.overruns, limit, False, True))
    if len(holds) > 1:
        _distinct(holds)
    balances = tuple(after)
    row = Reservation(command, HELD, holds, now + command.lease_ms)
    return Reserved(HELD, now, balances), (row, balances)


def _fits_its_line(account: Account, lines: Lines) -> bool:
    known = lines.get(account.line) or lines.get(floor_of(account.window))
    return known is None or known == account.period or not known.overlaps(account.period)


def _why_not(rows: Rows, command: Reserve, now: int, lines: Lines) -> ReserveAnswer:
    """The first reason in the order of precedence, over all holds."""
    holds = command.holds
    for hold in holds:
        if type(hold.amount) is not int or hold.amount < 0:
            raise no_amount(hold.amount)
    for hold in holds:
        if not hold.account.period.contains(now):
            return WrongPeriod(hold.account, now)
    for hold in holds:
        if not _fits_its_line(hold.account, lines):
            return PeriodOverlap(hold.account, now)
    for hold in holds:
        balance = rows.get(hold.account.id)
        if balance is not None and balance.frozen:
            return Frozen(hold.account, now)
    for hold in holds:
        old = rows.get(hold.account.id) or Balance(hold.account)
        room = MAX_AMOUNT if hold.limit is None else min(hold.limit, MAX_AMOUNT)
        spent, asked = old.settled + old.presumed, hold.amount
        if spent + old.held + asked > room:
            cause: Literal["spent", "held"] = "spent" if spent + asked > room else "held"
            refusal = Refusal(hold.account, room, old.settled, old.presumed, old.held, asked, cause)
            return Refused(refusal, now)
    raise LedgerCorrupt(f"no hold of {command.id} stands in the way, yet it was not granted")


def _answer_state(row: Reservation | None, rows: Rows, command: Reserve, now: int, lines: Lines) -> ReserveResult:
    row = _present(row)
    field = _first_difference(row, command)
    if field is not None:
        return Conflict(field, now), None
    return Reserved(row.state, now, _standing(row, rows)), None


def _first_difference(row: Reservation, command: Reserve) -> ConflictField | None:
    """The first of accounts, amounts, limits and lease in which the same id says something else."""
    mine, other = row.holds, command.holds
    if [hold.account for hold in mine] != [hold.account for hold in other]:
        return "accounts"
    if [hold.amount for hold in mine] != [hold.amount for hold in other]:
        return "amounts"
    if [hold.limit for hold in mine] != [hold.limit for hold in other]:
        return "limits"
    return "lease" if row.lease_ms != command.lease_ms else None


def _in_use(row: Reservation | None, rows: Rows, command: Reserve, now: int, lines: Lines) -> ReserveResult:
    return InUse(now), None


def _closed(row: Reservation | None, rows: Rows, command: Reserve, now: int, lines: Lines) -> ReserveResult:
    return Reserved(State.CLOSED, now), None


def _no_reserve(row: Reservation | None, rows: Rows, command: Reserve, now: int, lines: Lines) -> ReserveResult:
    return Forgotten(now), None


# --- settle and charge -----------------------------------------------------------------------------------


def _settle(row: Reservation | None, rows: Rows, command: Settle | Charge, now: int) -> SettleResult:
    """Replace a hold, or a presumption, by the real cost; what it is above the hold is overrun (rule 5)."""
    settled, before, after = _move(row, rows, SETTLED, now, "settled", command.actual)
    return Settled("settled", False, before, after, now), (settled, after)


def _settle_late(row: Reservation | None, rows: Rows, command: Settle | Charge, now: int) -> SettleResult:
    """Real money after a release: nothing stands there, so all of it is overrun (rule 4)."""
    settled, before, after = _move(row, rows, SETTLED, now, "late", command.actual)
    return Settled("late", False, before, after, now), (settled, after)


def _force(row: Reservation | None, rows: Rows, command: Settle | Charge, now: int) -> SettleResult:
    """Real money for an id that is not known: booked whole, all of it overrun (rule 4)."""
    holds = command.holds
    if len(holds) > 1:
        _distinct(holds)
    how: Settling = "charged" if type(command) is Charge else "forced"
    nothing = Reservation(command, UNKNOWN, holds, now)
    settled, before, after = _move(nothing, rows, SETTLED, now, how, command.actual)
    return Settled(how, False, before, after, now), (settled, after)


def _settle_again(row: Reservation | None, rows: Rows, command: Settle | Charge, now: int) -> SettleResult:
    row = _present(row)
    actual = command.actual
    if tuple([whole_amount(actual.get(hold.account.unit, hold.amount)) for hold in row.holds]) != row.booked:
        return Conflict("actual", now), None
    stands = _standing(row, rows)
    return Settled(row.how or "settled", True, stands, stands, now), None


def _no_settle(row: Reservation | None, rows: Rows, command: Settle | Charge, now: int) -> SettleResult:
    return Forgotten(now), None


# --- release ---------------------------------------------------------------------------------------------


def _release(row: Reservation | None, rows: Rows, command: Release, now: int) -> ReleaseResult:
    released, _, after = _move(row, rows, RELEASED, now)
    return Released(RELEASED, True, now), (released, after)


def _close(row: Reservation | None, rows: Rows, command: Release, now: int) -> ReleaseResult:
    """An id never seen: a reserve of it that is still under way will hold nothing (rule 3)."""
    closed = Reservation(command, State.CLOSED, (), now, ended_ms=now)
    return Released(State.CLOSED, True, now), (closed, ())


def _no_effect(row: Reservation | None, rows: Rows, command: Release, now: int) -> ReleaseResult:
    return Released(_present(row).state, False, now), None


def _no_release(row: Reservation | None, rows: Rows, command: Release, now: int) -> ReleaseResult:
    return Forgotten(now), None


# --- the table -------------------------------------------------------------------------------------------

ReserveCell = Callable[[Reservation | None, Rows, Reserve, int, Lines], ReserveResult]
SettleCell = Callable[[Reservation | None, Rows, Settle | Charge, int], SettleResult]
ReleaseCell = Callable[[Reservation | None, Rows, Release, int], ReleaseResult]


class Cells(NamedTuple):
    """One state's row of the table. *Other*: the verb comes from a caller with another nonce."""

    reserve: ReserveCell
    reserve_other: ReserveCell
    settle: SettleCell
    release: ReleaseCell
    release_other: ReleaseCell


# fmt: off
TABLE: Final[Mapping[State, Cells]] = {
    #                      reserve        reserve, other  settle, charge  release      release, other
    State.UNKNOWN:   Cells(_grant,        _grant,         _force,         _close,      _close),
    State.HELD:      Cells(_answer_state, _in_use,        _settle,        _release,    _no_effect),
    State.PRESUMED:  Cells(_answer_state, _in_use,        _settle,        _release,    _no_effect),
    State.SETTLED:   Cells(_answer_state, _in_use,        _settle_again,  _no_effect,  _no_effect),
    State.RELEASED:  Cells(_answer_state, _in_use,        _settle_late,   _no_effect,  _no_effect),
    State.CLOSED:    Cells(_closed,       _closed,        _force,         _no_effect,  _no_effect),
    State.FORGOTTEN: Cells(_no_reserve,   _no_reserve,    _no_settle,     _no_release, _no_release),
}
# fmt: on


def reserve(
    row: Reservation | None, rows: Rows, command: Reserve, now: int, lines: Lines, forgotten_before: str
) -> ReserveResult:
    """What a reserve answers and writes. ``row`` is its id's, or None."""
    if row is None:
        return TABLE[_state_without_row(command.id, forgotten_before)].reserve(row, rows, command, now, lines)
    cells = TABLE[row.state]
    cell = cells.reserve if row.nonce == command.nonce else cells.reserve_other
    return cell(row, rows, command, now, lines)


def settle(
    row: Reservation | None, rows: Rows, command: Settle | Charge, now: int, forgotten_before: str
) -> SettleResult:
    """What a settle or a charge answers and writes."""
    state = _state_without_row(command.id, forgotten_before) if row is None else row.state
    return TABLE[state].settle(row, rows, command, now)


def release(row: Reservation | None, rows: Rows, command: Release, now: int, forgotten_before: str) -> ReleaseResult:
    """What a release answers and writes."""
    if row is None:
        return TABLE[_state_without_row(command.id, forgotten_before)].release(row, rows, command, now)
    cells = TABLE[row.state]
    cell = cells.release if row.nonce == command.nonce else cells.release_other
    return cell(row, rows, command, now)


def _state_without_row(id: str, forgotten_before: str) -> State:
    """An id that has no row and is not newer than the mark is *forgotten*, never new."""
    return UNKNOWN if id > forgotten_before else FORGOTTEN


# --- the end of a lease ----------------------------------------------------------------------------------


def is_due(row: Reservation, now: int) -> bool:
    """Whether the row is a hold whose lease has ended."""
    return row.state is HELD and row.expires_ms <= now


def expire(row: Reservation, rows: Rows, now: int) -> Change:
    """The lease ended and nobody said what the call really cost: presumed spent (rule 7)."""
    presumed, _, after = _move(row, rows, PRESUMED, now)
    return presumed, after


# --- one move of money -----------------------------------------------------------------------------------


def _move(
    row: Reservation | None,
    rows: Rows,
    target: State,
    now: int,
    how: Settling | None = None,
    actual: Amounts | None = None,
) -> tuple[Reservation, tuple[Balance, ...], tuple[Balance, ...]]:
    """Take what stands for the row from its accounts and book it anew: as spent, as presumed, or not at all.

    What no grant allowed is what is spent above what stood there: nothing stands for an id that is
    unknown or released, so all of it. An account that only counts has no limit to be over.
    Returns the new row, and the balances before and after.
    """
    if row is None:
        raise LedgerCorrupt("a reservation that has a state has no row")
    if actual is not None:
        actual = dict(actual)  # the caller's own mapping may change
    was_held = row.state is HELD
    was_presumed = row.state is PRESUMED
    holds = row.holds
    before: list[Balance] = []
    after: list[Balance] = []
    for hold in holds:
        account = hold.account
        amount = hold.amount
        old = rows.get(account.id)
        if old is None:
            if row.state is not UNKNOWN:
                raise LedgerCorrupt(f"reservation {row.id} points to account {account.id}, which has no balance")
            old = Balance(account, last_limit=hold.limit)
        before.append(old)
        settled, presumed, held, overruns = old.settled, old.presumed, old.held, old.overruns
        if was_held:
            held -= amount
        elif was_presumed:
            presumed -= amount
        if actual is not None:
            stood = amount if was_held or was_presumed else 0
            amount = actual.get(account.unit, amount)
            if type(amount) is not int or not 0 <= amount <= MAX_AMOUNT:
                amount = whole_amount(amount)
            settled += amount
            if amount > stood and hold.limit is not None and how is not None:
                overruns = _more(overruns, how, amount - stood)
        elif target is PRESUMED:
            presumed += amount
        frozen = old.frozen
        if held < 0 or presumed < 0 or settled + presumed + held > MAX_AMOUNT:
            settled, frozen = _saturated(account, presumed, held), True
        after.append(Balance(account, settled, presumed, held, overruns, old.last_limit, frozen, old.granted))
    moved = Reservation(row.request, target, holds, row.expires_ms, how, actual, now)
    return moved, tuple(before), tuple(after)


def _more(overruns: Overrun, how: Settling, amount: int) -> Overrun:
    cause = "above_hold" if how == "settled" else how
    return replace(overruns, **{cause: min(MAX_AMOUNT, getattr(overruns, cause) + amount)})


# --- checks that guard money (rule 13): they raise, in pairs, after a read and before a write --------------


def _present(row: Reservation | None) -> Reservation:
    if row is None:
        raise LedgerCorrupt("a reservation that has a state has no row")
    return row


def _standing(row: Reservation, rows: Rows) -> tuple[Balance, ...]:
    """After a read: an account that a row points to has a balance."""
    try:
        return tuple([rows[hold.account.id] for hold in row.holds])
    except KeyError as missing:
        raise LedgerCorrupt(f"reservation {row.id} points to an account without a balance: {missing}") from None


def _saturated(account: Account, presumed: int, held: int) -> int:
    """Before a write: no count is negative; what would pass 2⁵³ − 1 saturates (and freezes the account)."""
    if presumed < 0 or held < 0:
        raise LedgerCorrupt(f"account {account.id} would be negative: {presumed=}, {held=}")
    return max(0, MAX_AMOUNT - presumed - held)


def _distinct(holds: tuple[Hold, ...]) -> None:
    """An account named twice in one reservation would be granted twice against the same room."""
    if len({hold.account.id for hold in holds}) < len(holds):
        raise ValueError("a reservation names each account once")
