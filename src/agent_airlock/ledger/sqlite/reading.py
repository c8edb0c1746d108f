"""What a ledger answers to who only looks, from one state of the file. Pages, so that its log can shrink meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ..accounts import Amounts
from ..commands import Balances, BalancesPage, Check, Command, Entries, EntriesPage, Entry, FoldKey, Stamp
from ..operations import Audit, AuditEntry, AuditPage, ListOverrides, Open, OpenEntry, OpenPage, OverridesPage
from ..rows import Reservation
from . import rows as kept
from .checking import check
from .statements import Values
from .work import Work

_TOUCHES: Final = """
    (?1 IS NULL OR EXISTS (
        SELECT 1 FROM holds h JOIN accounts a ON a.key = h.account WHERE h.reservation = r.key AND a.scope = ?1
    ))
"""
_BALANCES: Final = f"SELECT {kept.BALANCE} FROM accounts a WHERE ?1 IS NULL OR a.scope = ?1 ORDER BY a.key"  # noqa: S608
_ENTRIES: Final = f"""
    SELECT r.key, r.ended, {kept.RESERVATION} FROM reservations r
    WHERE r.ended IS NOT NULL AND r.ended < ?2 AND {_TOUCHES} ORDER BY r.ended DESC LIMIT ?3
"""  # noqa: S608
_OPEN: Final = f"""
    SELECT * FROM (
        SELECT r.key, r.ended, {kept.RESERVATION} FROM reservations r WHERE r.state = 'held'
        UNION ALL SELECT r.key, r.ended, {kept.RESERVATION} FROM reservations r WHERE r.state = 'presumed'
    ) r WHERE r.id > ?2 AND {_TOUCHES} ORDER BY r.id LIMIT ?3
"""  # noqa: S608
_NEWEST: Final = 1 << 62


def balances(work: Work, command: Balances, stamp: Stamp) -> BalancesPage:
    rows = work.statements.all(_BALANCES, (command.scope,))
    return BalancesPage(tuple([kept.balance_of(row) for row in rows]), stamp)


def entries(work: Work, command: Entries, stamp: Stamp) -> EntriesPage:
    before = _NEWEST if command.older is None else int(command.older)
    limit = max(0, command.limit)
    rows = [row for row, _ in work.rows(_ENTRIES, (command.scope, before, limit + 1))]
    page = rows[:limit]
    older = str(work.ended_of(page[-1].id)) if page and len(rows) > limit else None
    return EntriesPage(tuple(map(_entry, reversed(page))), _folded(work, command.scope), stamp, older)


def _entry(row: Reservation) -> Entry:
    accounts = tuple([hold.account for hold in row.holds])
    return Entry(row.id, row.state, row.how, row.ended_ms, accounts, row.booked, row.actual or {}, row.labels)


def _folded(work: Work, scope: str | None) -> Mapping[FoldKey, Amounts]:
    rows = work.statements.all(
        "SELECT labels, unit, sum(amount) FROM months WHERE ?1 IS NULL OR scope = ?1 GROUP BY labels, unit", (scope,)
    )
    found: dict[FoldKey, Amounts] = {}
    for labels, unit, amount in rows:
        key = kept.fold_key_of(labels)
        found[key] = {**found.get(key, {}), kept.unit_of(unit): amount}
    return found


def open_rows(work: Work, command: Open, stamp: Stamp) -> OpenPage:
    limit = max(0, command.limit)
    rows = [row for row, _ in work.rows(_OPEN, (command.scope, command.newer, limit + 1))]
    page = rows[:limit]
    newer = page[-1].id if page and len(rows) > limit else None
    return OpenPage(tuple(map(_open_entry, page)), newer, stamp)


def _open_entry(row: Reservation) -> OpenEntry:
    return OpenEntry(row.id, row.state, row.holds, row.expires_ms, row.on_expiry, row.labels)


def overrides(work: Work, command: ListOverrides, stamp: Stamp) -> OverridesPage:
    return OverridesPage(tuple(work.overrides.values()), stamp)


def audit(work: Work, command: Audit, stamp: Stamp) -> AuditPage:
    rows = work.statements.all("SELECT * FROM audit ORDER BY seq DESC LIMIT ?", (max(0, command.limit),))
    return AuditPage(tuple(_audit_entries(reversed(rows))), stamp)


def _audit_entries(rows: Iterator[Values]) -> Iterator[AuditEntry]:
    for row in rows:
        yield AuditEntry(*row)


Look = Callable[[Work, Any, Stamp], object]
LOOKS: Final[Mapping[type[Command[Any]], Look]] = {
    Balances: balances,
    Entries: entries,
    Open: open_rows,
    ListOverrides: overrides,
    Audit: audit,
    Check: check,
}
