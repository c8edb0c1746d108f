"""What one transaction reads and writes of the file: only the rows that its commands need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ...exceptions import LedgerUnavailable
from ...money import MAX_AMOUNT
from .. import rules
from ..accounts import Hold
from ..clocks import Explained
from ..operations import AuditEntry, Override
from ..rows import HELD, Change, Head, Reservation
from . import rows as kept
from . import schema
from .accounts import Accounts
from .statements import Statements, Values

_FIND: Final = f"SELECT r.key, r.ended, {kept.RESERVATION} FROM reservations r WHERE r.id = ?"  # noqa: S608
_DUE: Final = f"""
    SELECT r.key, r.ended, {kept.RESERVATION} FROM reservations r
    WHERE r.state = 'held' AND r.expires_ms <= ? ORDER BY r.expires_ms LIMIT ?
"""  # noqa: S608
_HOLDS: Final = "SELECT account, amount, most FROM holds WHERE reservation = ? ORDER BY place"
_INSERT: Final = """
    INSERT INTO reservations (id, verb, state, nonce, lease_ms, on_expiry, expires_ms, how, ended_ms, actual_usd,
    actual_tokens, actual_calls, tool, model, tier, agent, session, child, ended)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE: Final = """
    UPDATE reservations SET state = ?, how = ?, ended_ms = ?, actual_usd = ?, actual_tokens = ?, actual_calls = ?,
    ended = ? WHERE key = ?
"""
_INSERT_HOLD: Final = "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE_HOLD: Final = "UPDATE holds SET booked = ? WHERE reservation = ? AND place = ?"
_PUT_HEAD: Final = """
    UPDATE head SET seq = ?, seen_ms = ?, boot = ?, boot_ms = ?, clock_sets = ?, forgotten_before = ?, ends = ?,
    ended_rows = ?
"""

_MIGRATED: Final = (
    "the ledger's file was brought to a newer format while this process had it open: start it again, with the newer "
    "agent-airlock-ledger"
)


class _Found(NamedTuple):
    """What is kept of a reservation beside its values."""

    key: int
    ended: int | None
    verb: str


class Work:
    """One transaction's view of the file."""

    explained: Explained
    """How the time of a transaction that writes was told."""
    wall_ms: int = 0

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.accounts = accounts = Accounts(statements)
        self.balances = accounts.balances
        self.overrides = dict(self._overrides())
        self._found: dict[str, _Found] = {}
        version, ledger, epoch, seq, *clock, forgotten, ends, ended_rows = statements.only("SELECT * FROM head")[1:]
        if version != schema.VERSION:
            raise LedgerUnavailable(_MIGRATED)
        self.seen_ms: int = clock[0]
        self.boot: str | None = clock[1]
        self.boot_ms: int = clock[2]
        self.clock_sets: int = clock[3]
        self.head = Head(
            ledger,
            epoch,
            seq=seq,
            now_ms=self.seen_ms,
            forgotten_before=forgotten,
            lines=accounts.lines,
            overrides=self.overrides,
            crowds=accounts.crowds,
        )
        self._seq: int = seq
        self._ends: int = ends
        self.ended_rows: int = ended_rows

    # --- reading -----------------------------------------------------------------------------------------

    def find(self, id: str) -> Reservation | None:
        """The id's row, as it is kept."""
        found = self.statements.first(_FIND, (id,))
        return None if found is None else self._row(found)

    def rows(self, query: str, values: Values) -> Iterator[tuple[Reservation, int]]:
        """Reservations and their keys. The query's columns are r.key, r.ended and those of ``RESERVATION``."""
        for found in self.statements.all(query, values):
            yield self._row(found), found[0]

    def ended_of(self, id: str) -> int | None:
        """The number of the end of a reservation that was read."""
        return self._found[id].ended

    def _row(self, found: Values) -> Reservation:
        key, ended, id, verb = found[:4]
        account = self.accounts.by_key
        parts = self.statements.all(_HOLDS, (key,))
        holds = tuple([Hold(account(whose), amount, most) for whose, amount, most in parts])
        self._found[id] = _Found(key, ended, verb)
        return kept.reservation_of(found[2:], holds)

    def _overrides(self) -> Iterator[tuple[str, Override]]:
        for line, raised, until_ms, frozen in self.statements.all("SELECT * FROM overrides"):
            yield line, Override(line, raised, until_ms, bool(frozen))

    # --- writing -----------------------------------------------------------------------------------------

    def changing(self) -> None:
        """What comes next changes the file: the head's sequence number counts it."""
        self.head.seq += 1

    def write(self, change: Change) -> None:
        """One id's new row, and the balances of its accounts."""
        row, after = change
        self.changing()
        values = kept.values_of(row)
        found = self._found.get(row.id)
        ended = self._ended(found, row)
        run = self.statements.run
        if found is not None and found.verb != values[1]:
            # An id that a release closed gets real money: nothing of the old row stays.
            run("DELETE FROM reservations WHERE key = ?", (found.key,))
            found = None
        if found is None:
            key = self.statements.insert(_INSERT, (*values, ended))
        else:
            key = found.key
            run(_UPDATE, (values[2], *values[7:12], ended, key))
        self._found[row.id] = _Found(key, ended, values[1])
        for balance in after:
            self.accounts.put(balance, row.holds)
        for place, (hold, amount) in enumerate(zip(row.holds, row.booked, strict=True)):
            if found is None:
                account = self.accounts.point(hold.account)
                run(_INSERT_HOLD, (key, place, account, min(hold.amount, MAX_AMOUNT), hold.limit, amount))
            else:
                run(_UPDATE_HOLD, (amount, key, place))

    def _ended(self, found: _Found | None, row: Reservation) -> int | None:
        """The number of the row's end: each end is newer than all before it."""
        if row.state is HELD:
            return None
        self._ends += 1
        if found is None or found.ended is None:
            self.ended_rows += 1
        return self._ends

    def forget(self, id: str, key: int) -> None:
        """Take an ended reservation out of the file: neither it nor an older id is new."""
        self._found.pop(id, None)
        self.statements.run("DELETE FROM holds WHERE reservation = ?", (key,))
        self.statements.run("DELETE FROM reservations WHERE key = ?", (key,))
        self.ended_rows -= 1
        self.head.forgotten_before = max(self.head.forgotten_before, id)

    def put_override(self, override: Override) -> None:
        self.overrides[override.line] = override
        values = (override.line, override.raised, override.until_ms, int(override.frozen))
        self.statements.run("INSERT OR REPLACE INTO overrides VALUES (?, ?, ?, ?)", values)

    def drop_override(self, line: str) -> None:
        self.overrides.pop(line, None)
        self.statements.run("DELETE FROM overrides WHERE line = ?", (line,))

    def put_audit(self, entry: AuditEntry) -> None:
        values = (entry.seq, entry.at_ms, entry.verb, entry.target, entry.what, entry.why, entry.by)
        self.statements.run("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def put_head(self, boot: str | None, boot_ms: int) -> None:
        """Write the head, if anything changed."""
        head = self.head
        if head.seq != self._seq or head.now_ms > self.seen_ms:
            values: list[Any] = [head.seq, head.now_ms, boot, boot_ms, self.clock_sets, head.forgotten_before]
            self.statements.run(_PUT_HEAD, (*values, self._ends, self.ended_rows))

    # --- leases ------------------------------------------------------------------------------------------

    def current(self, id: str) -> Reservation | None:
        """The id's row, its lease ended if it has."""
        row = self.find(id)
        if row is None or not rules.is_due(row, self.head.now_ms):
            return row
        return self._expire(row)

    def sweep(self, most: int) -> int:
        """End the holds whose lease has ended, the oldest first, at most ``most``. How many it ended."""
        rows = [row for row, _ in self.rows(_DUE, (self.head.now_ms, most))]
        for row in rows:
            self._expire(row)
        return len(rows)

    def _expire(self, row: Reservation) -> Reservation:
        change = rules.expire(row, self.balances, self.head)
        self.write(change)
        return change[0]
