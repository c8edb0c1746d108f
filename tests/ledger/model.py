"""A second reading of docs/ledger.md, to hold a ledger against: only rows, and every total is their sum.

It shares no code with ``rules.py``. It answers in the words of ``scenario.say``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from agent_airlock.ledger.accounts import Account, Hold
from agent_airlock.ledger.commands import Charge, Release, Reserve, Settle


@dataclass
class Row:
    """One id, as its caller and the provider's bill know it."""

    state: str
    owner: str | None = None
    holds: tuple[Hold, ...] = ()
    lease_ms: int = 0
    ends_ms: int = 0
    booked: tuple[int, ...] = ()
    how: str = ""


@dataclass
class Model:
    """What a ledger must answer, and what must stand on its accounts."""

    now_ms: int
    rows: dict[str, Row] = field(default_factory=dict)
    overruns: Counter[tuple[str, str]] = field(default_factory=Counter)
    billed: dict[str, int] = field(default_factory=dict)

    def see(self, now_ms: int) -> None:
        """Time goes on, never back; a hold whose lease has ended is presumed."""
        self.now_ms = max(self.now_ms, now_ms)
        for row in self.rows.values():
            if row.state == "held" and row.ends_ms <= self.now_ms:
                row.state = "presumed"

    def total(self, account: Account, *states: str) -> int:
        """What the rows in these states (all, if none is named) have on an account."""
        return sum(
            booked
            for row in self.rows.values()
            if not states or row.state in states
            for hold, booked in zip(row.holds, row.booked, strict=True)
            if hold.account == account
        )

    def accounts(self) -> dict[str, Account]:
        return {hold.account.id: hold.account for row in self.rows.values() for hold in row.holds}

    def answer(self, command: Reserve | Settle | Charge | Release) -> str:
        if isinstance(command, Reserve):
            return self._reserve(command)
        if isinstance(command, Release):
            return self._release(command)
        return self._settle(command)

    def _reserve(self, command: Reserve) -> str:
        row = self.rows.get(command.id)
        if row is not None:
            return self._reserve_again(row, command)
        for hold in command.holds:
            period = hold.account.period
            if self.now_ms < period.start_ms or (period.end_ms is not None and period.end_ms <= self.now_ms):
                return f"wrong period {hold.account.scope}"
        for hold in command.holds:
            if hold.limit is None:
                continue
            spent = self.total(hold.account, "settled", "presumed")
            left = hold.limit - self.total(hold.account)
            if hold.amount > left:
                cause = "spent" if hold.amount > hold.limit - spent else "held"
                return f"refused {hold.account.scope} {cause} fits {max(0, left)}"
        amounts = tuple(hold.amount for hold in command.holds)
        ends = self.now_ms + command.lease_ms
        self.rows[command.id] = Row("held", command.nonce, command.holds, command.lease_ms, ends, amounts)
        return "held"

    def _reserve_again(self, row: Row, command: Reserve) -> str:
        if row.state == "closed":
            return "closed"
        if row.owner != command.nonce:
            return "in use"
        for name, differs in (
            ("accounts", [h.account.id for h in row.holds] != [h.account.id for h in command.holds]),
            ("amounts", [h.amount for h in row.holds] != [h.amount for h in command.holds]),
            ("limits", [h.limit for h in row.holds] != [h.limit for h in command.holds]),
            ("lease", row.lease_ms != command.lease_ms),
        ):
            if differs:
                return f"conflict {name}"
        return row.state

    def _settle(self, command: Settle | Charge) -> str:
        row = self.rows.get(command.id) or Row("unknown")
        (actual,) = command.actual.values()
        if row.state == "settled":
            same = row.booked == (actual,) * len(row.holds)
            return f"{row.how} repeated" if same else "conflict actual"
        how = "settled"
        if row.state in ("unknown", "closed"):
            how = "charged" if isinstance(command, Charge) else "forced"
            row = Row(row.state, None, command.holds)
        elif row.state == "released":
            how = "late"
        for hold in row.holds:
            stood = hold.amount if how == "settled" else 0
            if hold.limit is not None and actual > stood:
                cause = "above_hold" if how == "settled" else how
                self.overruns[hold.account.id, cause] += actual - stood
        row.state, row.how, row.booked = "settled", how, (actual,) * len(row.holds)
        self.rows[command.id] = row
        self.billed[command.id] = actual
        return how

    def _release(self, command: Release) -> str:
        row = self.rows.get(command.id)
        if row is None:
            self.rows[command.id] = Row("closed", command.nonce)
            return "closed"
        if row.state in ("held", "presumed") and row.owner == command.nonce:
            row.state, row.booked = "released", (0,) * len(row.holds)
            return "released"
        return f"no effect {row.state}"
