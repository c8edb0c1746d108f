"""What the verbs of an operator do to a memory ledger. What a person says leaves its record, in the same step."""

from __future__ import annotations

from functools import partial

from . import limits, records, rules
from .clocks import Explained, set_back, time_to_set
from .commands import Stamp, State
from .operations import (
    AuditEntry,
    Clock,
    ClockStands,
    Close,
    Closed,
    Compact,
    Compacted,
    Freeze,
    Overridden,
    Override,
    Raise,
    Resolve,
    Resolved,
)
from .rows import Change, Reservation
from .store import Store


def resolve(store: Store, command: Resolve) -> Resolved:
    records.check_words(command)
    row = store.rows.get(command.id)
    if row is not None:
        row = store.ended_by(row, store.head.now_ms)
    answer, change = rules.resolve(row, store.balances, command, store.head)
    if change is not None:
        was = State.UNKNOWN if row is None else row.state
        store.do(partial(_write_resolved, store, change, records.of_resolve(command, was, answer.stamp)))
    return answer


def _write_resolved(store: Store, change: Change, record: AuditEntry) -> None:
    store.put(change, again=True)
    store.record(record)


def override(store: Store, command: Raise | Freeze) -> Overridden:
    stamp = store.head.stamp_of_change()
    override = limits.overridden(store.overrides.get(command.line), command)
    store.do(partial(_write_override, store, override, records.of_override(command, stamp)))
    return Overridden(override, stamp)


def _write_override(store: Store, override: Override, record: AuditEntry) -> None:
    """What says nothing any more is not kept."""
    known = {**store.overrides, override.line: override}
    for line, other in known.items():
        if limits.says_nothing(other, store.head.now_ms):
            store.overrides.pop(line, None)
        else:
            store.overrides[line] = other
    store.record(record)


def close(store: Store, command: Close) -> Closed:
    known = store.balances.get(command.account.id)
    balance = limits.closed(command.account, known)
    if balance is None:
        return Closed(store.balances[command.account.id], False, store.head.stamp())
    stamp = store.head.stamp_of_change()
    store.do(partial(store.add, balance))
    return Closed(balance, True, stamp)


def clock(store: Store, explained: Explained, wall_ms: int, command: Clock) -> ClockStands:
    head = store.head
    explained.look(wall_ms)
    if command.how == "show":
        return ClockStands(wall_ms, explained.leap_ms, head.stamp())
    was_ms = head.now_ms
    to_ms = time_to_set(command, wall_ms, was_ms)
    stamp = Stamp(head.ledger, head.epoch, head.seq + 1, to_ms)
    record = records.of_clock(command, was_ms, stamp)
    moved = [set_back(row, was_ms, to_ms) for row in store.open_rows()] if to_ms < was_ms else []
    store.do(partial(_set_clock, store, explained, to_ms, moved, record))
    return ClockStands(wall_ms, explained.leap_ms, stamp)


def _set_clock(store: Store, explained: Explained, to_ms: int, moved: list[Reservation], record: AuditEntry) -> None:
    if to_ms < store.head.now_ms:
        store.set_back(to_ms, moved)
    store.head.now_ms = to_ms
    explained.anchor(to_ms)
    store.record(record)


def compact(store: Store, command: Compact) -> Compacted:
    ids = 0
    while forgotten := store.forget():
        ids += forgotten
    return Compacted(ids, store.drop_accounts(), store.head.stamp())
