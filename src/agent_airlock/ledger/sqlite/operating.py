"""What an operator's verbs do in a transaction. Each leaves its record there."""

from __future__ import annotations

from .. import limits, records, rules
from ..clocks import time_to_set
from ..commands import Stamp, State
from ..ids import first_of
from ..operations import Clock, ClockStands, Close, Closed, Freeze, Overridden, Raise, Resolve, Resolved
from ..rows import FLOORS
from .work import Work


def resolve(work: Work, command: Resolve) -> Resolved:
    records.check_words(command)
    row = work.current(command.id)
    answer, change = rules.resolve(row, work.balances, command, work.head)
    if change is not None:
        was = State.UNKNOWN if row is None else row.state
        work.write(change)
        work.put_audit(records.of_resolve(command, was, answer.stamp))
    return answer


def override(work: Work, command: Raise | Freeze) -> Overridden:
    stamp = work.head.stamp_of_change()
    override = limits.overridden(work.overrides.get(command.line), command)
    record = records.of_override(command, stamp)
    work.changing()
    work.put_override(override)
    work.put_audit(record)
    for line, other in list(work.overrides.items()):
        if limits.says_nothing(other, work.head.now_ms):
            work.drop_override(line)
    return Overridden(override, stamp)


def close(work: Work, command: Close) -> Closed:
    known = work.accounts.find(command.account)
    balance = limits.closed(command.account, known)
    if balance is None:
        return Closed(work.balances[command.account.id], False, work.head.stamp())
    stamp = work.head.stamp_of_change()
    work.changing()
    work.accounts.put(balance)
    return Closed(balance, True, stamp)


def clock(work: Work, command: Clock) -> ClockStands:
    head, explained, wall_ms = work.head, work.explained, work.wall_ms
    if command.how == "show":
        return ClockStands(wall_ms, explained.leap_ms, head.stamp())
    was_ms = head.now_ms
    to_ms = time_to_set(command, wall_ms, was_ms)
    stamp = Stamp(head.ledger, head.epoch, head.seq + 1, to_ms)
    record = records.of_clock(command, was_ms, stamp)
    work.changing()
    if to_ms < was_ms:
        _set_back(work, was_ms, to_ms)
    head.now_ms = to_ms
    work.clock_sets += 1
    explained.anchor(to_ms)
    work.put_audit(record)
    return ClockStands(wall_ms, explained.leap_ms, stamp)


def _set_back(work: Work, was_ms: int, to_ms: int) -> None:
    """Leases keep what is left of them; nothing of a time to come stands in the way of new ids and periods."""
    work.statements.run("UPDATE reservations SET expires_ms = expires_ms - ? WHERE state = 'held'", (was_ms - to_ms,))
    work.head.forgotten_before = min(work.head.forgotten_before, first_of(to_ms))
    floors = "UPDATE lines SET end_ms = ?1 WHERE substr(line, 1, ?2) = ?3 AND end_ms > ?1"
    work.statements.run(floors, (to_ms, len(FLOORS), FLOORS))
    work.accounts.lines.clear()
