"""What a ledger said that it did, and whether it may have: each answer is held against the ones before it.

It keeps rows and nothing else that a ledger computes, shares no code with ``rules.py``, and predicts no answer:
an answer must agree with what was granted, settled, released and billed so far.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from agent_airlock.ledger.accounts import Account, Balance, Hold, Period
from agent_airlock.ledger.commands import (
    AnyCommand,
    Charge,
    Conflict,
    Forgotten,
    Frozen,
    InUse,
    PeriodOverlap,
    Refused,
    Release,
    Released,
    Reserve,
    Reserved,
    Settle,
    Settled,
    State,
    WrongPeriod,
)
from agent_airlock.money import MAX_AMOUNT
from tests.simulation.laws import Law, Violation
from tests.simulation.network import now_of

CAUSES: Final = ("above_hold", "late", "forced", "charged")


@dataclass(slots=True)
class Row:
    """One id. ``state`` is what the ledger said last; ``presumed`` where its lease has ended since."""

    state: str
    nonce: str | None
    holds: tuple[Hold, ...]
    lease_ms: int = 0
    ends_ms: int = 0
    booked: tuple[int, ...] = ()
    frees: bool = False
    """Whether the end of its lease gives its holds back, instead of presuming them spent."""

    @property
    def stands(self) -> bool:
        return self.state in ("held", "presumed")


@dataclass(slots=True)
class Sums:
    """What stands on one account."""

    account: Account
    settled: int = 0
    presumed: int = 0
    held: int = 0
    overruns: Counter[str] = field(default_factory=Counter)
    saturated: bool = False

    @property
    def total(self) -> int:
        return self.settled + self.presumed + self.held

    def add(self, state: str, amount: int) -> None:
        setattr(self, state, getattr(self, state) + amount)
        if self.total > MAX_AMOUNT:
            self.saturated = True


class Witness:
    """``saw(command, answer)`` raises a :class:`Violation` where an answer may not be."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.sums: dict[str, Sums] = {}
        self.lines: dict[str, list[Period]] = {}
        self.answers: Counter[str] = Counter()
        self.forgotten: set[str] = set()
        """Ids that were called so: too many others have ended since."""
        self.now_ms = 0
        self._held: dict[str, Row] = {}

    def of(self, account: Account) -> Sums:
        sums = self.sums.get(account.id)
        if sums is None:
            sums = self.sums[account.id] = Sums(account)
        return sums

    def saw(self, command: AnyCommand, answer: object) -> None:
        now = now_of(answer)
        if now is None:
            return
        self.time(now)
        if isinstance(command, Reserve):
            self._reserve(command, answer)
        elif isinstance(command, Settle | Charge):
            self._settle(command, answer)
        elif isinstance(command, Release):
            self._release(command, answer)

    def time(self, now: int) -> None:
        if now < self.now_ms:
            raise Violation(Law.TIME, f"it was {self.now_ms}, and is {now}")
        self.now_ms = now
        for id, row in list(self._held.items()):
            if row.ends_ms <= now:
                del self._held[id]
                self._move(row, "lapsed" if row.frees else "presumed")

    def _move(self, row: Row, state: str, booked: tuple[int, ...] | None = None) -> None:
        """Take what stands for the row, and put down what stands now."""
        if row.state in ("held", "presumed", "settled"):
            for hold, amount in zip(row.holds, row.booked, strict=True):
                self.of(hold.account).add(row.state, -amount)
        row.state = state
        if booked is not None:
            row.booked = booked
        elif not row.stands:
            row.booked = (0,) * len(row.holds)
        if state in ("held", "presumed", "settled"):
            for hold, amount in zip(row.holds, row.booked, strict=True):
                self.of(hold.account).add(state, amount)

    # --- reserve -----------------------------------------------------------------------------------------

    def _reserve(self, command: Reserve, answer: object) -> None:
        row = self.rows.get(command.id)
        match answer:
            case Reserved(state=State.HELD):
                if row is None:
                    self._grant(command, answer)
                else:
                    self._again(row, command)
            case Reserved(state=state):
                self._must(row is not None, Law.HELD_STANDS, f"{command.id} is new, and was called {state}")
            case Refused(refusal=refusal):
                self._refused(command, answer)
                self.answers[f"refused: {refusal.cause}"] += 1
            case WrongPeriod(account=account):
                wrong = not account.period.contains(self.now_ms)
                self._must(wrong, Law.REFUSED_RIGHTLY, f"{account} holds {self.now_ms}, and was called wrong")
            case PeriodOverlap() | Frozen():
                self.answers[type(answer).__name__] += 1
            case InUse():
                other = row is not None and row.nonce != command.nonce
                self._must(other, Law.REFUSED_RIGHTLY, f"nobody else has {command.id}")
            case Conflict():
                differs = row is not None and not _same(row, command)
                self._must(differs, Law.REFUSED_RIGHTLY, f"{command.id} has the same content")
                self.answers["conflict: reserve"] += 1
            case Forgotten():
                self._forgotten(row, command.id)

    def _grant(self, command: Reserve, answer: Reserved) -> None:
        id = command.id
        for hold in command.holds:
            account, sums = hold.account, self.of(hold.account)
            limit = MAX_AMOUNT if hold.limit is None else hold.limit
            if sums.total + hold.amount > limit:
                raise Violation(
                    Law.GRANT_FITS, f"{id}: {sums.total} stands on {account}, {hold.amount} was asked for, of {limit}"
                )
            if not account.period.contains(self.now_ms):
                raise Violation(Law.GRANT_ALLOWED, f"{id}: at {self.now_ms} a hold on {account}")
            for period in self.lines.setdefault(account.line, []):
                if period != account.period and period.overlaps(account.period):
                    raise Violation(Law.GRANT_ALLOWED, f"{id}: {account}, though {period} was granted")
            self._must(not sums.saturated, Law.GRANT_ALLOWED, f"{id}: {account} is frozen")
        for hold in command.holds:
            periods = self.lines[hold.account.line]
            if hold.account.period not in periods:
                periods.append(hold.account.period)
        row = Row("new", command.nonce, command.holds, command.lease_ms, self.now_ms + command.lease_ms)
        self.rows[id] = row
        self._move(row, "held", tuple(hold.amount for hold in command.holds))
        self._held[id] = row
        self._agree(command.id, command.holds, answer.after)

    def _again(self, row: Row, command: Reserve) -> None:
        id = command.id
        self._must(row.stands or row.state == "lapsed", Law.GRANT_ALLOWED, f"{id} is {row.state}, and was held again")
        self._must(row.state == "held", Law.HELD_STANDS, f"the lease of {id} ended at {row.ends_ms}")
        self._must(row.nonce == command.nonce, Law.HELD_STANDS, f"{id} is another caller's")
        self._must(_same(row, command), Law.HELD_STANDS, f"{id} holds {row.holds}, not {command.holds}")

    def _refused(self, command: Reserve, answer: Refused) -> None:
        no = answer.refusal
        sums = self.of(no.account)
        found, told = (sums.settled, sums.presumed, sums.held), (no.settled, no.presumed, no.held)
        if not sums.saturated:
            self._must(found == told, Law.REFUSED_RIGHTLY, f"{no.account}: {told} was told, {found} stands")
        hold = next((hold for hold in command.holds if hold.account == no.account), None)
        right = hold is not None and sums.total + hold.amount > no.limit
        self._must(right, Law.REFUSED_RIGHTLY, f"{command.id}: {hold} fits, and was refused")
        spent = no.settled + no.presumed + no.asked > no.limit
        self._must(spent == (no.cause == "spent"), Law.REFUSED_RIGHTLY, f"{no} says {no.cause}")

    # --- settle, charge, release -------------------------------------------------------------------------

    def _settle(self, command: Settle | Charge, answer: object) -> None:
        id, row = command.id, self.rows.get(command.id)
        match answer:
            case Settled(repeated=True):
                self._must(row is not None and row.state == "settled", Law.ONCE, f"{id} was not settled before")
                self._told(row, command)
            case Settled(how=how):
                self._must(row is None or row.state != "settled", Law.ONCE, f"{id} was settled before")
                self._book(row, command, how)
                self._agree(id, self.rows[id].holds, answer.after)
                self.answers[f"settled: {how}"] += 1
            case Conflict():
                self._must(row is not None and row.state == "settled", Law.ONCE, f"{id} was not settled")
                self.answers["conflict: settle"] += 1
            case Forgotten():
                self._forgotten(row, id)

    def _book(self, row: Row | None, command: Settle | Charge, how: str) -> None:
        stood = row is not None and row.stands
        if row is None or not row.holds:
            row = Row("new", None, command.holds)
            self.rows[command.id] = row
        cause = how if not stood else "above_hold"
        self._must(stood == (how == "settled"), Law.OVERRUN, f"{command.id} was {row.state}, and is called {how}")
        booked = tuple(command.actual.get(hold.account.unit, hold.amount) for hold in row.holds)
        for hold, amount in zip(row.holds, booked, strict=True):
            more = amount - (hold.amount if stood else 0)
            if hold.limit is not None and more > 0:
                self.of(hold.account).overruns[cause] += more
        self._held.pop(command.id, None)
        self._move(row, "settled", booked)

    def _told(self, row: Row | None, command: Settle | Charge) -> None:
        for hold, booked in zip(row.holds, row.booked, strict=True) if row is not None else ():
            told = command.actual.get(hold.account.unit, hold.amount)
            self._must(told == booked, Law.ONCE, f"{command.id}: {told} was told and acknowledged, {booked} is booked")

    def _release(self, command: Release, answer: object) -> None:
        id, row = command.id, self.rows.get(command.id)
        own = row is not None and row.nonce == command.nonce
        match answer:
            case Released(effect=True, state=State.CLOSED):
                self._must(row is None, Law.HELD_STANDS, f"{id} was known, and was closed")
                self.rows[id] = Row("closed", None, ())
            case Released(effect=True):
                self._must(own, Law.HELD_STANDS, f"{id} is not this caller's, and was released")
                self._must(row is not None and row.state != "settled", Law.ONCE, f"{id} was settled, and was released")
                self._held.pop(id, None)
                if row is not None:
                    self._move(row, "released")
            case Released():
                self._must(row is not None, Law.HELD_STANDS, f"{id} is new, and a release of it changed nothing")
                left = own and row is not None and row.stands
                self._must(not left, Law.NOTHING_PRESUMED, f"{id} stands, and its caller could not release it")
            case Forgotten():
                self._forgotten(row, id)

    # --- what every answer must agree with ---------------------------------------------------------------

    def _forgotten(self, row: Row | None, id: str) -> None:
        self.answers["Forgotten"] += 1
        self.forgotten.add(id)
        self._must(row is None or row.state != "held", Law.NO_HOLD_LEFT, f"{id} is open, and was forgotten")

    def _agree(self, id: str, holds: tuple[Hold, ...], after: tuple[Balance, ...]) -> None:
        """The balances of an answer are the sums of the rows."""
        named = [hold.account for hold in holds] == [balance.account for balance in after]
        self._must(named, Law.TOTALS, f"{id}: the balances of {after}")
        for balance in after:
            self.agree(balance, swept=False)

    def agree(self, balance: Balance, *, swept: bool) -> None:
        """``swept``: every lease that has ended is presumed already; else some may still be called held."""
        sums = self.of(balance.account)
        end = balance.account.period.end_ms
        if sums.saturated or (end is not None and end <= self.now_ms):
            return  # what is over may be dropped, and begin again with what comes late
        told: tuple[int, ...] = (balance.settled, balance.presumed, balance.held)
        found: tuple[int, ...] = (sums.settled, sums.presumed, sums.held)
        if not swept:
            lower = sums.settled, balance.presumed <= sums.presumed
            told, found = (balance.settled, True, balance.total), (*lower, sums.total)
        self._must(told == found, Law.TOTALS, f"{balance.account}: {told} is told, the rows say {found}")
        overruns = {cause: getattr(balance.overruns, cause) for cause in CAUSES}
        mine = {cause: sums.overruns[cause] for cause in CAUSES}
        self._must(overruns == mine, Law.OVERRUN, f"{balance.account}: {overruns} is told, {mine} was seen")

    def _must(self, true: bool, law: Law, text: str) -> None:
        if not true:
            raise Violation(law, text)


def _same(row: Row, command: Reserve) -> bool:
    return row.holds == command.holds and row.lease_ms == command.lease_ms
