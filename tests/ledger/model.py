"""A second reading of docs/ledger.md, to hold a ledger against: only rows, and every total is their sum.

It shares no code with ``rules.py``. It answers in the words of ``scenario.say``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from agent_airlock.ledger.accounts import Account, Hold
from agent_airlock.ledger.commands import Charge, Release, Reserve, Settle
from agent_airlock.ledger.operations import Resolve


@dataclass
class Row:
    """One id, as its caller and the provider's bill know it."""

    state: str
    owner: str | None = None
    holds: tuple[Hold, ...] = ()
    lease_ms: int = 0
    on_expiry: str = "presume"
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
    raised: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    closed: dict[str, Account] = field(default_factory=dict)

    def see(self, now_ms: int) -> None:
        """Time goes on, never back; a hold whose lease has ended is presumed, or given back."""
        self.now_ms = max(self.now_ms, now_ms)
        for row in self.rows.values():
            if row.state == "held" and row.ends_ms <= self.now_ms:
                if row.on_expiry == "release":
                    row.state, row.booked = "lapsed", (0,) * len(row.holds)
                else:
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
        booked_on = {hold.account.id: hold.account for row in self.rows.values() for hold in row.holds}
        return booked_on | self.closed

    def limit(self, hold: Hold) -> int | None:
        """The limit in force: an operator may have raised it, for a while."""
        amount, until = self.raised.get(hold.account.line, (0, None))
        if hold.limit is None:
            return None
        return hold.limit + (amount if until is None or self.now_ms < until else 0)

    def answer(self, command: Reserve | Settle | Charge | Release | Resolve) -> str:
        if isinstance(command, Reserve):
            return self._reserve(command)
        if isinstance(command, Release):
            return self._release(command)
        if isinstance(command, Resolve):
            return self._resolve(command)
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
            if hold.account.line in self.frozen or hold.account.id in self.closed:
                return f"frozen {hold.account.scope}"
        for hold in command.holds:
            limit = self.limit(hold)
            if limit is None:
                continue
            spent = self.total(hold.account, "settled", "presumed", "resolved")
            left = limit - self.total(hold.account)
            if hold.amount > left:
                cause = "spent" if hold.amount > limit - spent else "held"
                return f"refused {hold.account.scope} {cause} fits {max(0, left)}"
        amounts = tuple(hold.amount for hold in command.holds)
        ends = self.now_ms + command.lease_ms
        lease = command.lease_ms, command.on_expiry, ends
        self.rows[command.id] = Row("held", command.nonce, command.holds, *lease, amounts)
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
            ("lease", (row.lease_ms, row.on_expiry) != (command.lease_ms, command.on_expiry)),
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
        how, cause = "settled", "above_hold"
        if row.state in ("unknown", "closed"):
            how = "charged" if isinstance(command, Charge) else "forced"
            row, cause = Row(row.state, None, command.holds, booked=(0,) * len(command.holds)), how
        elif row.state in ("released", "lapsed"):
            how, cause = "late", "late"
        elif row.state == "resolved":
            cause = "late"
        self._book(row, actual, cause)
        row.state, row.how = "settled", how
        self.rows[command.id] = row
        self.billed[command.id] = actual
        return how

    def _book(self, row: Row, actual: int, cause: str) -> None:
        """The amount in the place of what stands; what is more than that no grant allowed."""
        for hold, stood in zip(row.holds, row.booked, strict=True):
            if hold.limit is not None and actual > stood:
                self.overruns[hold.account.id, cause] += actual - stood
        row.booked = (actual,) * len(row.holds)

    def _resolve(self, command: Resolve) -> str:
        row = self.rows.get(command.id) or Row("unknown")
        if row.state not in ("held", "presumed", "lapsed", "resolved"):
            return f"no effect {row.state}"
        (actual,) = command.actual.values()
        self._book(row, actual, "above_hold" if row.state in ("held", "presumed") else "late")
        row.state = "resolved"
        return "resolved"

    def _release(self, command: Release) -> str:
        row = self.rows.get(command.id)
        if row is None:
            self.rows[command.id] = Row("closed", command.nonce)
            return "closed"
        if row.state in ("held", "presumed", "lapsed") and row.owner == command.nonce:
            row.state, row.booked = "released", (0,) * len(row.holds)
            return "released"
        return f"no effect {row.state}"
