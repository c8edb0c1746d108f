"""What a memory ledger answers to who only looks. Every lease that has ended is ended first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from .commands import Balances, BalancesPage, Check, CheckReport, Entries, EntriesPage, Entry, State
from .operations import Audit, AuditPage, ListOverrides, Open, OpenEntry, OpenPage, OverridesPage
from .rows import HELD, PRESUMED, Reservation
from .store import Store

_PLACES: Final = {State.PRESUMED: 1, State.HELD: 2}
"""Which of settled, presumed and held has what a row booked. (Released, lapsed, closed: it booked nothing.)"""


def balances(store: Store, command: Balances) -> BalancesPage:
    scope = command.scope
    found = [balance for balance in store.balances.values() if scope is None or balance.account.scope == scope]
    return BalancesPage(tuple(found), store.head.stamp())


def entries(store: Store, command: Entries) -> EntriesPage:
    scope = command.scope
    newest = [row for row in reversed(store.ended) if store.rows.get(row.id) is row and _touches(row, scope)]
    if command.older is not None:
        ids = [row.id for row in newest]
        newest = newest[ids.index(command.older) + 1 :] if command.older in ids else []
    page = newest[: command.limit]
    accounts = [balance.account for balance in store.balances.values()]
    folded = store.folds.by_labels(account for account in accounts if scope in (None, account.scope))
    older = page[-1].id if 0 < len(page) < len(newest) else None
    return EntriesPage(tuple(map(_entry, reversed(page))), folded, store.head.stamp(), older)


def _touches(row: Reservation, scope: str | None) -> bool:
    return scope is None or any(hold.account.scope == scope for hold in row.holds)


def _entry(row: Reservation) -> Entry:
    return Entry(
        row.id,
        row.state,
        row.how,
        row.ended_ms,
        tuple(hold.account for hold in row.holds),
        row.booked,
        row.actual or {},
        row.labels,
    )


def open_rows(store: Store, command: Open) -> OpenPage:
    rows = [
        row
        for row in store.rows.values()
        if row.state in (HELD, PRESUMED) and row.id > command.newer and _touches(row, command.scope)
    ]
    rows.sort(key=lambda row: row.id)
    page = rows[: command.limit]
    newer = page[-1].id if 0 < len(page) < len(rows) else None
    return OpenPage(tuple(map(_open_entry, page)), newer, store.head.stamp())


def _open_entry(row: Reservation) -> OpenEntry:
    return OpenEntry(row.id, row.state, row.holds, row.expires_ms, row.on_expiry, row.labels)


def check(store: Store, command: Check) -> CheckReport:
    """Totals = opening balances + rows, for every account."""
    expected = {id: [*store.folds.opening(id), 0] for id in store.balances}
    for row in store.rows.values():
        for hold, amount in zip(row.holds, row.booked, strict=True):
            expected[hold.account.id][_PLACES.get(row.state, 0)] += amount
    problems = tuple(_problems(store, expected))
    return CheckReport(len(store.balances), len(store.rows), problems, store.head.stamp())


def _problems(store: Store, expected: dict[str, list[int]]) -> Iterable[str]:
    for id, balance in store.balances.items():
        found = [balance.settled, balance.presumed, balance.held]
        if found != expected[id] and balance.shut != "saturated":
            yield f"{id}: settled, presumed, held are {found}; the rows say {expected[id]}"


def overrides(store: Store, command: ListOverrides) -> OverridesPage:
    return OverridesPage(tuple(store.overrides.values()), store.head.stamp())


def audit(store: Store, command: Audit) -> AuditPage:
    newest = list(islice(reversed(store.audit), command.limit))
    return AuditPage(tuple(reversed(newest)), store.head.stamp())
