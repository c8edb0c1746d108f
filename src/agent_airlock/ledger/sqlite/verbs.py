"""What each verb does in a transaction: the rows that it needs are read, the rules asked, and the change written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...values import message
from .. import rules
from ..commands import Charge, Command, Refused, Release, Reserve, Settle, State
from ..operations import Clock, Close, Freeze, Raise, Resolve
from . import operating
from .work import Work

SWEEP: Final = 64
"""Ended leases that a transaction ends on its way, at most."""
MOST_SWEPT: Final = 1_000
"""Ended leases that one refusal ends, at most: it says whether money is spent or only held."""

FREED: Final = 256
"""Pages that one transaction gives back, at most."""


@message
class Sweep(Command[int]):
    """End leases that have ended, a bounded number of them. How many it ended."""


@message
class Shrink(Command[int]):
    """Give a bounded number of free pages back to the file system. How many are left."""


def sweep(work: Work, command: Sweep) -> int:
    return work.sweep(MOST_SWEPT)


def shrink(work: Work, command: Shrink) -> int:
    work.statements.run(f"PRAGMA incremental_vacuum({FREED})")
    (left,) = work.statements.only("PRAGMA freelist_count")
    return int(left)


def reserve(work: Work, command: Reserve) -> object:
    row = work.current(command.id)
    if row is None:
        work.accounts.read(command.holds)
    answer, change = rules.reserve(row, work.balances, command, work.head)
    if isinstance(answer, Refused) and work.sweep(MOST_SWEPT):
        # No ended lease may still count as held, nor, lapsed, stand in the way.
        answer, change = rules.reserve(row, work.balances, command, work.head)
    if change is not None:
        work.write(change)
    return answer


def settle(work: Work, command: Settle | Charge) -> object:
    row = work.current(command.id)
    if row is None or row.state is State.CLOSED:
        work.accounts.read(command.holds)
    answer, change = rules.settle(row, work.balances, command, work.head)
    if change is not None:
        work.write(change)
    return answer


def release(work: Work, command: Release) -> object:
    row = work.current(command.id)
    answer, change = rules.release(row, work.balances, command, work.head)
    if change is not None:
        work.write(change)
    return answer


Verb = Callable[[Work, Any], object]
VERBS: Final[Mapping[type[Command[Any]], Verb]] = {
    Reserve: reserve,
    Settle: settle,
    Charge: settle,
    Release: release,
    Resolve: operating.resolve,
    Raise: operating.override,
    Freeze: operating.override,
    Close: operating.close,
    Clock: operating.clock,
    Sweep: sweep,
    Shrink: shrink,
}
