"""The rules of the money, pure: (the rows it needs, command, head) → (answer, change). No I/O, no clock, no lock.

Every ledger stands on this file: it calls it, or is tested against it.

``TABLE`` below is the whole state machine: what a verb does to a reservation in each state. A ledger first ends every
hold whose lease has ended (:func:`expire`: *presumed*, or *lapsed*), then looks up the cell. The cells themselves are
in ``granting.py`` (what a reserve answers) and ``booking.py`` (what moves money).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from .booking import (
    ReleaseResult,
    ResolveResult,
    SettleResult,
    book,
    book_again,
    book_late,
    book_over,
    close,
    expire,
    force,
    give_back,
    no_effect,
    no_release,
    no_resolve,
    no_settle,
    not_resolved,
    resolve_hold,
    resolve_late,
    resolve_unknown,
)
from .commands import Charge, Release, Reserve, Settle, State
from .granting import ReserveResult, answer_state, closed, grant, in_use, no_reserve
from .operations import Resolve
from .rows import FORGOTTEN, HELD, UNKNOWN, Head, Reservation, Rows

__all__ = ["TABLE", "Cells", "expire", "is_due", "release", "reserve", "resolve", "settle"]

ReserveCell = Callable[[Reservation | None, Rows, Reserve, Head], ReserveResult]
SettleCell = Callable[[Reservation | None, Rows, Settle | Charge, Head], SettleResult]
ReleaseCell = Callable[[Reservation | None, Rows, Release, Head], ReleaseResult]
ResolveCell = Callable[[Reservation | None, Rows, Resolve, Head], ResolveResult]


class Cells(NamedTuple):
    """One state's row of the table. *Other*: the verb comes from a caller with another nonce."""

    reserve: ReserveCell
    reserve_other: ReserveCell
    settle: SettleCell
    release: ReleaseCell
    release_other: ReleaseCell
    resolve: ResolveCell


# fmt: off
TABLE: Final[Mapping[State, Cells]] = {
    #                      reserve       reserve, other  settle, charge  release     release, other  resolve
    State.UNKNOWN:   Cells(grant,        grant,          force,          close,      close,          resolve_unknown),
    State.HELD:      Cells(answer_state, in_use,         book,           give_back,  no_effect,      resolve_hold),
    State.PRESUMED:  Cells(answer_state, in_use,         book,           give_back,  no_effect,      resolve_hold),
    State.LAPSED:    Cells(answer_state, in_use,         book_late,      give_back,  no_effect,      resolve_late),
    State.RESOLVED:  Cells(answer_state, in_use,         book_over,      no_effect,  no_effect,      resolve_late),
    State.SETTLED:   Cells(answer_state, in_use,         book_again,     no_effect,  no_effect,      not_resolved),
    State.RELEASED:  Cells(answer_state, in_use,         book_late,      no_effect,  no_effect,      not_resolved),
    State.CLOSED:    Cells(closed,       closed,         force,          no_effect,  no_effect,      not_resolved),
    State.FORGOTTEN: Cells(no_reserve,   no_reserve,     no_settle,      no_release, no_release,     no_resolve),
}
# fmt: on


def reserve(row: Reservation | None, rows: Rows, command: Reserve, head: Head) -> ReserveResult:
    """What a reserve answers and writes. ``row`` is its id's, or None."""
    if row is None:
        state = UNKNOWN if command.id > head.forgotten_before else FORGOTTEN  # _state_without_row, without the call
        return TABLE[state].reserve(row, rows, command, head)
    cells = TABLE[row.state]
    cell = cells.reserve if row.nonce == command.nonce else cells.reserve_other
    return cell(row, rows, command, head)


def settle(row: Reservation | None, rows: Rows, command: Settle | Charge, head: Head) -> SettleResult:
    """What a settle or a charge answers and writes."""
    state = _state_without_row(command.id, head) if row is None else row.state
    return TABLE[state].settle(row, rows, command, head)


def release(row: Reservation | None, rows: Rows, command: Release, head: Head) -> ReleaseResult:
    """What a release answers and writes."""
    if row is None:
        return TABLE[_state_without_row(command.id, head)].release(row, rows, command, head)
    cells = TABLE[row.state]
    cell = cells.release if row.nonce == command.nonce else cells.release_other
    return cell(row, rows, command, head)


def resolve(row: Reservation | None, rows: Rows, command: Resolve, head: Head) -> ResolveResult:
    """What an operator's resolve answers and writes."""
    state = _state_without_row(command.id, head) if row is None else row.state
    return TABLE[state].resolve(row, rows, command, head)


def _state_without_row(id: str, head: Head) -> State:
    """An id that has no row and is not newer than the mark is *forgotten*, never new."""
    return UNKNOWN if id > head.forgotten_before else FORGOTTEN


def is_due(row: Reservation, now: int) -> bool:
    """Whether the row is a hold whose lease has ended."""
    return row.state is HELD and row.expires_ms <= now
