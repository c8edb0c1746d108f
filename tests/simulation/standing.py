"""What stands in a ledger, as far as its answers say: rows, and sums that are nothing but theirs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from agent_airlock.ledger.accounts import Account, Hold, Period
from agent_airlock.money import MAX_AMOUNT

STANDS = ("held", "presumed")
COUNTS = (*STANDS, "settled", "resolved")


@dataclass(slots=True)
class Row:
    """One id. ``state`` is what the ledger said last; *presumed* or *lapsed* where its lease has ended since."""

    state: str
    nonce: str | None
    holds: tuple[Hold, ...]
    lease_ms: int = 0
    ends_ms: int = 0
    frees: bool = False
    """Whether the end of its lease gives its holds back, instead of presuming them spent."""
    booked: tuple[int, ...] = ()

    @property
    def stands(self) -> bool:
        return self.state in STANDS

    @property
    def stood(self) -> tuple[int, ...]:
        """What a grant, or an operator, has allowed for it."""
        return self.booked if self.state in COUNTS else (0,) * len(self.holds)


@dataclass(slots=True)
class Sums:
    """What stands on one account."""

    account: Account
    settled: int = 0
    presumed: int = 0
    held: int = 0
    overruns: Counter[str] = field(default_factory=Counter)
    shut: str | None = None
    lapsed: int = 0
    """What the ends of leases have given back, ever."""

    @property
    def total(self) -> int:
        return self.settled + self.presumed + self.held

    def add(self, state: str, amount: int) -> None:
        name = "settled" if state == "resolved" else state
        setattr(self, name, getattr(self, name) + amount)
        if self.total > MAX_AMOUNT:
            self.shut = "saturated"


class Standing:
    """Rows and sums, and the ends of leases."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.sums: dict[str, Sums] = {}
        self.lines: dict[str, list[Period]] = {}
        self.crowds: dict[str, set[str]] = {}
        self._held: dict[str, Row] = {}

    def of(self, account: Account) -> Sums:
        sums = self.sums.get(account.id)
        if sums is None:
            sums = self.sums[account.id] = Sums(account)
        return sums

    def end_leases(self, now_ms: int) -> None:
        for id, row in list(self._held.items()):
            if row.ends_ms <= now_ms:
                if row.frees:
                    for hold, amount in zip(row.holds, row.booked, strict=True):
                        self.of(hold.account).lapsed += amount
                self.move(id, row, "lapsed" if row.frees else "presumed")

    def move(self, id: str, row: Row, state: str, booked: tuple[int, ...] | None = None) -> None:
        """Take what stands for the row, and put down what stands now."""
        self._add(row, -1)
        row.state = state
        if booked is not None:
            row.booked = booked
        elif not row.stands:
            row.booked = (0,) * len(row.holds)
        self._add(row, 1)
        self.rows[id] = row
        if state == "held":
            self._held[id] = row
        else:
            self._held.pop(id, None)

    def _add(self, row: Row, sign: int) -> None:
        if row.state in COUNTS:
            for hold, amount in zip(row.holds, row.booked, strict=True):
                self.of(hold.account).add(row.state, sign * amount)

    def open(self, holds: tuple[Hold, ...]) -> None:
        """Note which periods their lines have, and whom their crowds have let in."""
        for hold in holds:
            account = hold.account
            periods = self.lines.setdefault(account.line, [])
            if account.period not in periods:
                periods.append(account.period)
            self.enter(hold)

    def enter(self, hold: Hold) -> None:
        if hold.crowd is not None and hold.account != hold.crowd.overflow:
            self.crowds.setdefault(hold.crowd.overflow.id, set()).add(hold.account.id)
