"""What a ledger said that it did, and whether it may have: each answer is held against the ones before it.

It keeps rows and nothing else that a ledger computes, shares no code with ``rules.py``, and predicts no answer:
an answer must agree with what was granted, settled, released and billed so far.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Final

from agent_airlock.ledger.accounts import Balance, Hold
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
    Stamp,
    State,
    WrongPeriod,
)
from agent_airlock.ledger.ids import first_of
from agent_airlock.ledger.operations import Closed, Overridden, Override, Resolve, Resolved
from agent_airlock.money import MAX_AMOUNT
from tests.simulation.laws import Law, Violation
from tests.simulation.standing import Row, Standing

OPEN: Final = ("held", "presumed", "lapsed")
CAUSES: Final = ("above_hold", "late", "forced", "charged")


class Witness(Standing):
    """``saw(command, answer)`` raises a :class:`Violation` where an answer may not be."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: Counter[str] = Counter()
        self.forgotten: set[str] = set()
        """Ids that were called so: too many others have ended since."""
        self.overrides: dict[str, Override] = {}
        self.raised: Counter[str] = Counter()
        """The most by which an operator has raised each line."""
        self.resolved: set[str] = set()
        """Ids of which an operator has ever said what they cost."""
        self.stamp: Stamp | None = None
        self.now_ms = 0

    def saw(self, command: AnyCommand, answer: Any, *, unsure: bool = False) -> None:
        """``unsure``: it may have been written before, without an answer."""
        before = self.stamp
        self._in_order(answer.stamp)
        match command:
            case Reserve():
                self._reserve(command, answer)
            case Settle() | Charge():
                self._settle(command, answer)
            case Release():
                self._release(command, answer)
            case Resolve():
                self._resolve(command, answer)
        match answer:
            case Overridden(override=override):
                self.overrides[override.line] = override
                self.raised[override.line] = max(self.raised[override.line], override.raised)
            case Closed(balance=balance):
                self.of(balance.account).shut = balance.shut
        if before is not None and not unsure and self._wrote(answer):
            must(answer.stamp.seq > before.seq, Law.TIME, "{} wrote, and is numbered as what it saw", command)

    def as_first(self, command: AnyCommand, answer: Any) -> Any:
        """The answer to a message that is repeated, as its first copy was answered, if that took effect."""
        row = self.rows.get(getattr(command, "id", ""))
        match answer:
            case Settled(repeated=True) if row is None or row.state != "settled":
                return replace(answer, repeated=False)
            case Released(effect=False, state=State.RELEASED | State.CLOSED) if row is None or row.state in OPEN:
                return replace(answer, effect=True)
        return answer

    def _in_order(self, stamp: Stamp) -> None:
        known = self.stamp
        if known is not None and stamp.epoch == known.epoch:
            must(stamp.seq >= known.seq, Law.TIME, "after {} came {}", known, stamp)
        must(stamp.now_ms >= self.now_ms, Law.TIME, "it was {}, and is {}", self.now_ms, stamp.now_ms)
        self.stamp, self.now_ms = stamp, stamp.now_ms
        self.end_leases(stamp.now_ms)

    def _wrote(self, answer: object) -> bool:
        match answer:
            case Settled(repeated=repeated):
                return not repeated
            case Released(effect=effect) | Resolved(effect=effect) | Closed(effect=effect):
                return effect
        return isinstance(answer, Overridden)

    # --- reserve -----------------------------------------------------------------------------------------

    def _reserve(self, command: Reserve, answer: object) -> None:
        id, row = command.id, self.rows.get(command.id)
        match answer:
            case Reserved(state=State.HELD):
                if row is None:
                    self._grant(command, answer)
                else:
                    self._held_again(row, command)
            case Reserved(state=state):
                must(row is not None, Law.HELD_STANDS, "{} is new, and was called {}", id, state)
                same = row is not None and (row.state == "closed" or row.nonce == command.nonce)
                must(same, Law.HELD_STANDS, "{} is another's: {}, and its state was told", id, row)
            case Refused(refusal=refusal):
                self._refused(command, answer)
                self.answers[f"refused: {refusal.cause}"] += 1
            case WrongPeriod(account=account):
                wrong = not account.period.contains(self.now_ms)
                must(wrong, Law.REFUSED_RIGHTLY, "{} holds {}, and was called wrong", account, self.now_ms)
            case Frozen(account=account, cause=cause):
                override = self.overrides.get(account.line)
                stands = "override" if override is not None and override.frozen else self.of(account).shut
                must(stands == cause, Law.REFUSED_RIGHTLY, "{} is {}, and was called {}", account, stands, cause)
            case InUse():
                other = row is not None and row.nonce != command.nonce
                must(other, Law.REFUSED_RIGHTLY, "nobody else has {}", id)
            case Conflict():
                differs = row is not None and not _same(row, command)
                must(differs, Law.REFUSED_RIGHTLY, "{} has the same content", id)
            case Forgotten():
                self._forgotten(row, id)
        if isinstance(answer, WrongPeriod | PeriodOverlap | Frozen | InUse | Conflict):
            self.answers[f"reserve: {type(answer).__name__}"] += 1

    def _grant(self, command: Reserve, answer: Reserved) -> None:
        id, holds = command.id, _made(command.holds, answer.after)
        for hold in holds:
            self._grant_one(id, hold)
        self.open(holds)
        for hold in holds:
            members = () if hold.crowd is None else self.crowds.get(hold.crowd.overflow.id, ())
            most = 0 if hold.crowd is None else hold.crowd.most
            must(len(members) <= most, Law.GRANT_ALLOWED, "{}: {} are more than {} accounts", id, members, most)
        ends_ms = self.now_ms + command.lease_ms
        row = Row("new", command.nonce, holds, command.lease_ms, ends_ms, command.on_expiry == "release")
        self.move(id, row, "held", tuple(hold.amount for hold in holds))
        self._agree(id, row, answer.after)

    def _grant_one(self, id: str, hold: Hold) -> None:
        account, sums = hold.account, self.of(hold.account)
        limit = self.limit_of(hold)
        if sums.total + hold.amount > limit:
            raise Violation(
                Law.GRANT_FITS, f"{id}: {sums.total} stands on {account}, {hold.amount} was asked for, of {limit}"
            )
        must(
            account.period.contains(self.now_ms), Law.GRANT_ALLOWED, "{}: at {} a hold on {}", id, self.now_ms, account
        )
        for period in self.lines.get(account.line, ()):
            overlaps = period != account.period and period.overlaps(account.period)
            must(not overlaps, Law.GRANT_ALLOWED, "{}: {}, though {} was granted", id, account, period)
        override = self.overrides.get(account.line)
        frozen = override is not None and override.frozen
        must(
            not frozen and sums.shut is None,
            Law.GRANT_ALLOWED,
            "{}: {} is frozen: {}, {}",
            id,
            account,
            override,
            sums.shut,
        )

    def limit_of(self, hold: Hold) -> int:
        """The hold's limit, raised while an operator's raise is in force."""
        if hold.limit is None:
            return MAX_AMOUNT
        override = self.overrides.get(hold.account.line)
        if override is not None and (override.until_ms is None or self.now_ms < override.until_ms):
            return min(MAX_AMOUNT, hold.limit + override.raised)
        return hold.limit

    def _held_again(self, row: Row, command: Reserve) -> None:
        id = command.id
        must(row.stands or row.state == "lapsed", Law.GRANT_ALLOWED, "{} is {}, and was held again", id, row.state)
        must(row.state == "held", Law.HELD_STANDS, "the lease of {} ended at {}", id, row.ends_ms)
        must(row.nonce == command.nonce, Law.HELD_STANDS, "{} is another caller's", id)
        must(_same(row, command), Law.HELD_STANDS, "{} holds {}, not {}", id, row.holds, command.holds)

    def _refused(self, command: Reserve, answer: Refused) -> None:
        no = answer.refusal
        sums = self.of(no.account)
        found, told = (sums.settled, sums.presumed, sums.held), (no.settled, no.presumed, no.held)
        if not self._is_over(no.account.period.end_ms):
            must(found == told, Law.REFUSED_RIGHTLY, "{}: {} was told, {} stands", no.account, told, found)
        named = [hold for hold in command.holds if no.account in (hold.account, hold.crowd and hold.crowd.overflow)]
        must(len(named) == 1, Law.REFUSED_RIGHTLY, "{}: {} was not asked for", command.id, no.account)
        hold = replace(named[0], account=no.account) if named[0].account != no.account else named[0]
        limit = self.limit_of(hold)
        must(
            no.limit == limit,
            Law.REFUSED_RIGHTLY,
            "{}: its limit is {}, and was called {}",
            no.account,
            limit,
            no.limit,
        )
        must(sums.total + hold.amount > limit, Law.REFUSED_RIGHTLY, "{}: {} fits, and was refused", command.id, hold)
        spent = no.settled + no.presumed + no.asked > no.limit
        must(spent == (no.cause == "spent"), Law.REFUSED_RIGHTLY, "{} says {}", no, no.cause)

    # --- settle, charge, resolve, release ----------------------------------------------------------------

    def _settle(self, command: Settle | Charge, answer: object) -> None:
        id, row = command.id, self.rows.get(command.id)
        settled = row is not None and row.state == "settled"
        match answer:
            case Settled(repeated=True):
                must(settled, Law.ONCE, "{} was not settled before", id)
                self._told(row, command)
            case Settled(how=how):
                must(not settled, Law.ONCE, "{} was settled before", id)
                self._book(row, command, how, answer)
                self.answers[f"settled: {how}"] += 1
            case Conflict():
                must(settled, Law.ONCE, "{} was not settled", id)
                self.answers["settle: Conflict"] += 1
            case Forgotten():
                self._forgotten(row, id)

    def _book(self, row: Row | None, command: Settle | Charge, how: str, answer: Settled) -> None:
        id = command.id
        if row is None or not row.holds:
            row = Row("new", None, _made(command.holds, answer.after))
            for hold in row.holds:
                self.enter(hold)
        allowed = row.state in ("held", "presumed", "resolved")
        must(allowed == (how == "settled"), Law.OVERRUN, "{} was {}, and is called {}", id, row.state, how)
        cause = "above_hold" if row.stands else "late" if row.state == "resolved" else how
        self._put(id, row, "settled", command.actual, cause)
        self._agree(id, row, answer.after)

    def _put(self, id: str, row: Row, state: str, actual: Any, cause: str) -> None:
        """Book what it really cost; what no grant had allowed is overrun."""
        booked = tuple(actual.get(hold.account.unit, hold.amount) for hold in row.holds)
        for hold, amount, stood in zip(row.holds, booked, row.stood, strict=True):
            if hold.limit is not None and amount > stood:
                self.of(hold.account).overruns[cause] += amount - stood
        self.move(id, row, state, booked)

    def _told(self, row: Row | None, command: Settle | Charge) -> None:
        for hold, booked in zip(row.holds, row.booked, strict=True) if row is not None else ():
            told = command.actual.get(hold.account.unit, hold.amount)
            must(told == booked, Law.ONCE, "{}: {} was told and acknowledged, {} is booked", command.id, told, booked)

    def _resolve(self, command: Resolve, answer: Resolved) -> None:
        id, row = command.id, self.rows.get(command.id)
        if answer.effect:
            open_ = row is not None and row.state in ("held", "presumed", "lapsed", "resolved")
            must(open_, Law.ONCE, "{} is {}, and was resolved", id, row)
            if row is not None:
                self.resolved.add(id)
                self._put(id, row, "resolved", command.actual, "above_hold" if row.stands else "late")
                self._agree(id, row, answer.after)

    def _release(self, command: Release, answer: object) -> None:
        id, row = command.id, self.rows.get(command.id)
        own = row is not None and row.nonce == command.nonce
        match answer:
            case Released(effect=True, state=State.CLOSED):
                must(row is None, Law.HELD_STANDS, "{} was known, and was closed", id)
                self.rows[id] = Row("closed", None, ())
            case Released(effect=True):
                must(own, Law.HELD_STANDS, "{} is not this caller's, and was released", id)
                spent = row is not None and row.state in ("settled", "resolved")
                must(not spent, Law.ONCE, "{} was settled, and was released", id)
                if row is not None:
                    self.move(id, row, "released")
            case Released():
                must(row is not None, Law.HELD_STANDS, "{} is new, and a release of it changed nothing", id)
                left = own and row is not None and row.stands
                must(not left, Law.NOTHING_PRESUMED, "{} stands, and its caller could not release it", id)
            case Forgotten():
                self._forgotten(row, id)

    # --- what every answer must agree with ---------------------------------------------------------------

    def _forgotten(self, row: Row | None, id: str) -> None:
        self.answers["Forgotten"] += 1
        self.forgotten.add(id)
        must(row is None or row.state != "held", Law.NO_HOLD_LEFT, "{} is open, and was forgotten", id)
        ahead = id >= first_of(self.now_ms + 1)
        must(not ahead, Law.REFUSED_RIGHTLY, "{} is of a time to come, after {}, and was forgotten", id, self.now_ms)

    def _agree(self, id: str, row: Row, after: tuple[Balance, ...]) -> None:
        """The balances of an answer are the sums of the rows."""
        named = [hold.account for hold in row.holds] == [balance.account for balance in after]
        must(named, Law.TOTALS, "{}: the balances of {}", id, after)
        for balance in after:
            self.agree(balance, swept=False)

    def agree(self, balance: Balance, *, swept: bool) -> None:
        """``swept``: every lease that has ended is over already; else some may still be called held."""
        account, sums = balance.account, self.of(balance.account)
        if sums.shut == "saturated" or self._is_over(account.period.end_ms):
            return
        if swept:
            told, found = (balance.settled, balance.presumed, balance.held), (sums.settled, sums.presumed, sums.held)
            must(told == found, Law.TOTALS, "{}: {} is told, the rows say {}", account, told, found)
        else:
            unswept = balance.total - sums.total  # of holds that their lease's end gives back
            right = (
                balance.settled == sums.settled and balance.presumed <= sums.presumed and 0 <= unswept <= sums.lapsed
            )
            must(right, Law.TOTALS, "{}: {} is told, the rows say {}", account, balance, sums)
        overruns = {cause: getattr(balance.overruns, cause) for cause in CAUSES}
        mine = {cause: sums.overruns[cause] for cause in CAUSES}
        must(overruns == mine, Law.OVERRUN, "{}: {} is told, {} was seen", account, overruns, mine)

    def _is_over(self, end_ms: int | None) -> bool:
        """What is over may be dropped, and begin again with what comes late."""
        return end_ms is not None and end_ms <= self.now_ms


def must(true: object, law: Law, text: str, *values: object) -> None:
    if not true:
        raise Violation(law, text.format(*values))


def _made(holds: tuple[Hold, ...], after: tuple[Balance, ...]) -> tuple[Hold, ...]:
    """The holds where they were made: one of a crowd that is full is on its overflow."""
    if all(hold.crowd is None for hold in holds):
        return holds
    pairs = zip(holds, after, strict=True)
    return tuple(hold if hold.account == now.account else replace(hold, account=now.account) for hold, now in pairs)


def _same(row: Row, command: Reserve) -> bool:
    if len(row.holds) != len(command.holds) or (row.lease_ms, row.frees) != (
        command.lease_ms,
        command.on_expiry == "release",
    ):
        return False
    for mine, asked in zip(row.holds, command.holds, strict=True):
        places = (asked.account, asked.crowd.overflow) if asked.crowd is not None else (asked.account,)
        if mine.account not in places or (mine.amount, mine.limit) != (asked.amount, asked.limit):
            return False
    return True
