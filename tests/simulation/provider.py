"""Who sends the bill. It is the oracle: it knows what calls were billed, and nothing of how a ledger keeps count.

A call that was let through is billed whether or not its caller lives to hear of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_airlock.ledger.accounts import Account, Amounts, Hold
from agent_airlock.money import MAX_AMOUNT
from tests.simulation.laws import Law, Violation

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.server import Server


@dataclass(slots=True, eq=False)
class Request:
    """One call to the provider, as its caller made it: what it was allowed, and how it will end.

    ``allowed``: a grant stands for it; else the caller went ahead on its own. ``bill`` None: nothing is billed.
    ``reply`` is what the caller gets, an exception to be raised in it, or None: no reply ever comes.
    """

    process: Process
    places: tuple[tuple[Server, str, tuple[Hold, ...]], ...]
    bill: Amounts | None
    reply: object
    takes_ms: int
    bills_ms: int
    allowed: bool = True
    disowned: bool = False
    """Its caller released it, and told of it later."""
    untold: bool = False
    """Its caller was cancelled, or dropped it: what it really cost, nobody will tell."""


class Provider:
    """Every bill that was sent, and what it must agree with at once."""

    def __init__(self, *, gives_up: bool) -> None:
        self.bills: list[Request] = []
        self.gives_up = gives_up
        """Whether the end of a lease frees what a running call holds (``on_expiry="release"``)."""
        self.given_up: Counter[Law] = Counter()
        self.renamed: defaultdict[str, list[str]] = defaultdict(list)
        """Forgotten ids, and the ones under which their calls were charged instead."""
        self._runs: set[tuple[str, str]] = set()
        self._billed: Counter[tuple[str, str]] = Counter()
        self._excess: Counter[tuple[str, str]] = Counter()
        self._limits: dict[tuple[str, str], int] = {}

    def begin(self, request: Request) -> None:
        """The caller sends it: what it may cost must stand in the ledger."""
        self._stands(request)
        if not request.allowed:
            return
        for server, id, _ in request.places:
            if (server.name, id) in self._runs:
                raise Violation(Law.RUNNING_STANDS, f"two calls run on what is held for {id} in {server.name}")
            self._runs.add((server.name, id))

    def end(self, request: Request) -> None:
        """It is billed."""
        if request.bill is None:
            return
        self.bills.append(request)
        self._stands(request)
        for server, id, holds in request.places:
            for hold in _made(server, id, holds):
                self._add(request, server, hold, request.bill.get(hold.account.unit, 0))

    def _stands(self, request: Request) -> None:
        if not request.allowed or request.disowned or request.untold:
            return
        for server, id, holds in request.places:
            row = server.witness.rows.get(id)
            standing = row is not None and row.stands
            if standing and row is not None and row.booked == tuple(hold.amount for hold in holds):
                continue
            if row is not None and row.state == "resolved":
                continue  # an operator said what it cost, and answers for it
            if self.gives_up and row is not None and row.state == "lapsed":
                self.given_up[Law.RUNNING_STANDS] += 1
                continue
            raise Violation(Law.RUNNING_STANDS, f"{id} runs with {holds}; in {server.name} it is {row}")

    def _add(self, request: Request, server: Server, hold: Hold, billed: int) -> None:
        if hold.limit is None:
            return
        place = (server.name, hold.account.id)
        allowed = hold.amount if request.allowed and not request.disowned else 0
        self._billed[place] += billed
        self._excess[place] += max(0, billed - allowed)
        self._limits[place] = max(hold.limit, self._limits.get(place, 0))
        limit = min(MAX_AMOUNT, self._limits[place] + server.witness.raised[hold.account.line])
        over = self._billed[place] - self._excess[place] - limit
        if over <= 0 or over <= self._forgiven(server, hold.account):
            return
        if self.gives_up:
            self.given_up[Law.CAP] += 1
            return
        raise Violation(Law.CAP, f"{place}: {self._billed[place]} was billed of {limit}")

    def _forgiven(self, server: Server, account: Account) -> int:
        """What was billed where an operator has said that it cost less: he made the room."""
        return sum(
            (request.bill or {}).get(account.unit, 0)
            for request in self.bills
            for place, id, holds in request.places
            if place is server
            and id in server.witness.resolved
            and any(hold.account == account for hold in _made(server, id, holds))
        )

    # --- when all is over --------------------------------------------------------------------------------

    def audit(self) -> None:
        """For each id: what is booked is at least what was billed."""
        for request in self.bills:
            for server, id, holds in request.places:
                self._audit(request, server, id, holds)

    def _audit(self, request: Request, server: Server, id: str, holds: tuple[Hold, ...]) -> None:
        bill = request.bill or {}
        row = server.witness.rows.get(id)
        if server.owner is not None and not server.owner.alive:
            return  # a memory that is gone with its process
        lives = request.process.alive and not request.untold
        if not lives and (not request.allowed or request.disowned):
            return  # who went ahead without a grant, or took it back, and is dead, cannot tell
        if row is not None and row.state == "resolved":
            return
        renamed = self.renamed[id]
        if not server.witness.forgotten.isdisjoint(renamed):
            return  # said twice, and too late both times: so many others had ended in between
        rows = [row, *(server.witness.rows.get(other) for other in renamed)]
        for place, hold in enumerate(holds):
            amount = sum(one.booked[place] for one in rows if one is not None and one.holds)
            billed = bill.get(hold.account.unit, 0)
            due = billed if lives else min(billed, hold.amount)
            if amount >= due:
                continue
            if self.gives_up and row is not None and row.state == "lapsed":
                self.given_up[Law.BOOKED] += 1
                continue
            raise Violation(Law.BOOKED, f"{id}: {billed} was billed on {hold.account}, {amount} is booked: {row}")


def _made(server: Server, id: str, holds: tuple[Hold, ...]) -> tuple[Hold, ...]:
    """The holds where the ledger made them: one of a crowd that is full is on its overflow."""
    row = server.witness.rows.get(id)
    return row.holds if row is not None and row.holds else holds
