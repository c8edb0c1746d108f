"""What one life of a tracker spent: its accounts, and what its book says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from .ledger.accounts import Account, Balance, Unit
from .ledger.commands import Balances, Entries, Entry, Ledger, State
from .money import usd_from_nano

_ANY: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CostRecord:
    """One booked call.

    ``cost`` is what was booked, in USD, rounded half-even to the nanodollar; None where its model has no known price.
    ``tokens`` is its ``TokenUsage.total_tokens``.
    """

    id: str
    tool: str
    model: str | None
    tier: str | None
    tokens: int
    cost: Decimal | None
    at_ms: int
    presumed: bool = False
    """Booked at its hold because its lease ended and nobody said what it really cost."""


@dataclass(frozen=True, slots=True)
class CostSummary:
    """What a tracker's epoch spent, in USD. ``in_flight`` counts the calls that hold money on the tracker now."""

    total_calls: int
    total_cost: Decimal
    total_tokens: int
    by_tool: Mapping[str, Decimal]
    by_model: Mapping[str, Decimal]
    by_tier: Mapping[str, Decimal]
    in_flight: int


class Spend:
    """Three accounts of one scope on a ledger. It keeps no sum of its own."""

    __slots__ = ("calls", "ledger", "scope", "tokens", "usd")

    def __init__(self, ledger: Ledger, scope: str) -> None:
        self.ledger = ledger
        self.scope = scope
        self.usd, self.tokens, self.calls = (Account(scope, "total", unit) for unit in Unit)

    def balances(self) -> dict[Account, Balance]:
        return {balance.account: balance for balance in self.ledger.apply(Balances(self.scope))}

    def summary(self) -> CostSummary:
        balances = self.balances()
        spent = {account.unit: balance.settled + balance.presumed for account, balance in balances.items()}
        calls = balances.get(self.calls)
        tables: tuple[dict[str, int], ...] = ({}, {}, {})
        page = self.ledger.apply(Entries(self.scope, _ANY))
        for entry in filter(_is_booked, page.entries):
            labels = entry.labels
            _add(tables, (labels.tool, labels.model, labels.tier), _booked(entry, self.usd))
        for key, amounts in page.folded.items():
            _add(tables, key, amounts.get(Unit.USD, 0))
        by_tool, by_model, by_tier = (
            {name: usd_from_nano(nano) for name, nano in sorted(table.items())} for table in tables
        )
        return CostSummary(
            spent.get(Unit.CALLS, 0),
            usd_from_nano(spent.get(Unit.USD, 0)),
            spent.get(Unit.TOKENS, 0),
            by_tool,
            by_model,
            by_tier,
            calls.held if calls else 0,
        )

    def records(self, limit: int) -> list[CostRecord]:
        asked = limit
        while True:
            page = self.ledger.apply(Entries(self.scope, asked))
            booked = [entry for entry in page.entries if _is_booked(entry)]  # released calls are entries too
            if len(booked) >= limit or len(page.entries) < asked:
                return [self._record(entry) for entry in booked[-limit:]]
            asked *= 2

    def _record(self, entry: Entry) -> CostRecord:
        labels = entry.labels
        unknown = entry.state is State.SETTLED and Unit.USD not in entry.amounts
        return CostRecord(
            entry.id,
            labels.tool,
            labels.model,
            labels.tier,
            _booked(entry, self.tokens),
            None if unknown else usd_from_nano(_booked(entry, self.usd)),
            entry.at_ms,
            entry.state is State.PRESUMED,
        )


def _is_booked(entry: Entry) -> bool:
    return entry.state in (State.SETTLED, State.PRESUMED)


def _booked(entry: Entry, account: Account) -> int:
    for candidate, amount in zip(entry.accounts, entry.booked, strict=True):
        if candidate == account:
            return amount
    return 0


def _add(tables: tuple[dict[str, int], ...], keys: tuple[str | None, ...], nano: int) -> None:
    for table, key in zip(tables, keys, strict=True):
        if key is not None:
            table[key] = table.get(key, 0) + nano
