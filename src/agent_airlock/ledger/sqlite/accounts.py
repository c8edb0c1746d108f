"""The accounts that a transaction reads and writes: balances, lines and crowds, each read once.

Balances are written once, at the transaction's end.
"""

from __future__ import annotations

from typing import Final

from ..accounts import Account, Balance, Hold, Period
from ..rows import floor_of
from . import rows as kept
from .statements import Statements, Values

_BY_ID: Final = f"SELECT a.key, {kept.BALANCE} FROM accounts a WHERE a.id = ?"  # noqa: S608
_BY_KEY: Final = f"SELECT a.key, {kept.BALANCE} FROM accounts a WHERE a.key = ?"  # noqa: S608
_OPEN: Final = "INSERT INTO accounts (id, scope, window, unit, start_ms, end_ms, crowd) VALUES (?, ?, ?, ?, ?, ?, ?)"
_PUT: Final = """
    UPDATE accounts SET settled = ?, presumed = ?, held = ?, above_hold = ?, late = ?, forced = ?, charged = ?,
    last_limit = ?, shut = ?, granted = ?, limits_disagree = ?, holds = holds + ? WHERE key = ?
"""


class Accounts:
    """What stands on accounts, as one transaction sees it."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.balances: dict[str, Balance] = {}
        self.lines: dict[str, Period] = {}
        self.crowds: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._by_key: dict[int, Account] = {}
        self._missing: set[str] = set()
        self._dirty: set[str] = set()
        self._pointing: dict[str, int] = {}

    # --- reading -----------------------------------------------------------------------------------------

    def read(self, holds: tuple[Hold, ...]) -> None:
        """Read what a command that makes these holds can meet: balances, lines, crowds."""
        for hold in holds:
            self.find(hold.account)
            crowd = hold.crowd
            if crowd is not None:
                self.find(crowd.overflow)
                self._read_crowd(crowd.overflow.id)

    def find(self, account: Account) -> Balance | None:
        """What stands on the account; None where it is not open."""
        id = account.id
        balance = self.balances.get(id)
        if balance is None and id not in self._missing:
            found = self._statements.first(_BY_ID, (id,))
            if found is None:
                self._missing.add(id)
            else:
                balance = self._keep(found)
        if balance is None or not balance.granted:
            self.line(account.line)
            self.line(floor_of(account.window))
        return balance

    def by_key(self, key: int) -> Account:
        """The account to which a hold points. Its balance is read."""
        known = self._by_key.get(key)
        return self._keep(self._statements.only(_BY_KEY, (key,))).account if known is None else known

    def key_of(self, account: Account) -> int:
        """The key of an account that was read."""
        return self._keys[account.id]

    def _keep(self, found: Values) -> Balance:
        key = found[0]
        balance = kept.balance_of(found[1:])
        account = balance.account
        self.balances[account.id] = balance
        self._keys[account.id] = key
        self._by_key[key] = account
        return balance

    def line(self, line: str) -> Period | None:
        """The latest period that was granted to a line."""
        known = self.lines.get(line)
        if known is None:
            found = self._statements.first("SELECT start_ms, end_ms FROM lines WHERE line = ?", (line,))
            if found is not None:
                known = self.lines[line] = Period(*found)
        return known

    def _read_crowd(self, overflow: str) -> None:
        if overflow not in self.crowds:
            found = self._statements.first("SELECT accounts FROM crowds WHERE overflow = ?", (overflow,))
            self.crowds[overflow] = 0 if found is None else found[0]

    # --- writing -----------------------------------------------------------------------------------------

    def put(self, balance: Balance, holds: tuple[Hold, ...] = ()) -> None:
        """What stands on an account from now on. ``holds`` are those of the reservation that changed it."""
        account = balance.account
        id = account.id
        old = self.balances.get(id)
        if old is None:
            self._open(account, holds)
        if balance.granted and (old is None or not old.granted):
            self.put_line(account.line, account.period)
        self.balances[id] = balance
        self._dirty.add(id)

    def _open(self, account: Account, holds: tuple[Hold, ...]) -> None:
        crowds = [hold.crowd.overflow.id for hold in holds if hold.crowd is not None and hold.account is account]
        crowd = crowds[0] if crowds else None
        period = account.period
        parts = (account.id, account.scope, account.window, account.unit.value, period.start_ms, period.end_ms, crowd)
        key = self._statements.insert(_OPEN, parts)
        self._keys[account.id] = key
        self._by_key[key] = account
        if crowd is not None:
            self.count_crowd(crowd, 1)

    def count_crowd(self, overflow: str, change: int) -> None:
        """A crowd opened an account, or one of its accounts was dropped."""
        self._read_crowd(overflow)
        self.crowds[overflow] += change
        self._statements.run("INSERT OR REPLACE INTO crowds VALUES (?, ?)", (overflow, self.crowds[overflow]))
        self._statements.run("DELETE FROM crowds WHERE overflow = ? AND accounts = 0", (overflow,))

    def point(self, account: Account) -> int:
        """A new hold points to an account that was read, and whose key this is."""
        id = account.id
        self._pointing[id] = self._pointing.get(id, 0) + 1
        self._dirty.add(id)
        return self._keys[id]

    def put_line(self, line: str, period: Period) -> None:
        self.lines[line] = period
        values = (line, period.start_ms, period.end_ms)
        self._statements.run("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", values)

    def drop_line(self, line: str) -> None:
        self.lines.pop(line, None)
        self._statements.run("DELETE FROM lines WHERE line = ?", (line,))

    def drop(self, account: Account, key: int) -> None:
        """Take an account out of the file."""
        self.balances.pop(account.id, None)
        self._keys.pop(account.id, None)
        self._by_key.pop(key, None)
        self._missing.add(account.id)
        self._statements.run("DELETE FROM accounts WHERE key = ?", (key,))

    def flush(self) -> None:
        """Write the balances that changed."""
        for id in self._dirty:
            counts = kept.counts_of(self.balances[id])
            self._statements.run(_PUT, (*counts, self._pointing.get(id, 0), self._keys[id]))
        self._dirty.clear()
        self._pointing.clear()
