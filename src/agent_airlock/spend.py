"""What one life of a tracker spends: where it is counted, and what its book says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from .call import Estimate
from .caps import BudgetConfig, amount_of, counted
from .journal import Journal
from .ledger.accounts import Account, Amounts, Balance, Hold, Unit
from .ledger.commands import Balances, Entries, Entry, FoldKey, Ledger, State
from .ledger.ids import IDS
from .money import usd_from_nano

_ANY: Final = 1_000_000_000
_USD: Final = Unit.USD  # an attribute of an Enum class costs 70 ns before Python 3.12
_TOKENS: Final = Unit.TOKENS


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
        page = self.ledger.apply(Entries(self.scope, _ANY))
        booked = [
            ((entry.labels.tool, entry.labels.model, entry.labels.tier), _booked(entry, self.usd))
            for entry in filter(_is_booked, page.entries)
        ]
        folded = [(key, amounts.get(Unit.USD, 0)) for key, amounts in page.folded.items()]
        return CostSummary(
            spent.get(Unit.CALLS, 0),
            usd_from_nano(spent.get(Unit.USD, 0)),
            spent.get(Unit.TOKENS, 0),
            *_tables(booked + folded),
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


class Epoch(Spend):
    """One life of a tracker, from a reset to the next: its accounts, and the holds that count on them."""

    __slots__ = ("holds", "warn_at", "warns")

    def __init__(self, ledger: Ledger, budget: BudgetConfig) -> None:
        super().__init__(ledger, f"tracker:{IDS.make(ledger.now_ms())}")
        limits = (budget.max_nano_per_session, budget.max_tokens_per_session, None)
        # The holds of a call that was not held: amounts are what the settle or charge says.
        self.holds = tuple(
            Hold(account, 0, limit) for account, limit in zip((self.usd, self.tokens, self.calls), limits, strict=True)
        )
        self.warn_at = tuple(budget.warn_amount(limit) for limit in limits)
        self.warns = any(mark is not None for mark in self.warn_at)

    def counting(self, amounts: Amounts) -> tuple[Hold, ...]:
        """The holds of a call that was not held: those of the units that it spent."""
        return self.holds if amounts.get(_USD) or amounts.get(_TOKENS) else self.holds[2:]

    def holds_for(self, estimate: Estimate) -> tuple[Hold, ...]:
        """The holds of a call before it runs.

        Raises:
            UnpricedCall: the session's cost or tokens are capped, and the call's are not known.
        """
        usd, tokens, calls = self.holds
        return (
            Hold(usd.account, (counted if usd.limit is None else amount_of)(Unit.USD, estimate), usd.limit),
            Hold(tokens.account, (counted if tokens.limit is None else amount_of)(Unit.TOKENS, estimate), tokens.limit),
            Hold(calls.account, 1, None),
        )


class CountingEpoch(Epoch):
    """An epoch without a session's cap, and without a ledger to keep: a journal is enough, and much cheaper.

    Nothing is held on it. A charge needs no holds: the journal looks at its amounts.
    """

    __slots__ = ("_journal",)

    def __init__(self, budget: BudgetConfig) -> None:
        self._journal = Journal()
        super().__init__(self._journal, budget)
        self.holds = ()

    def counting(self, amounts: Amounts) -> tuple[Hold, ...]:
        return ()

    def balances(self) -> dict[Account, Balance]:
        sums = self._journal.sums().values()
        if not sums:
            return {}
        totals = zip((self.usd, self.tokens, self.calls), map(sum, zip(*sums, strict=True)), strict=True)
        return {account: Balance(account, settled=total) for account, total in totals}

    def summary(self) -> CostSummary:
        sums = self._journal.sums()
        nano, tokens, calls = map(sum, zip(*sums.values(), strict=True)) if sums else (0, 0, 0)
        tables = _tables((key, spent) for key, (spent, _, _) in sums.items())
        return CostSummary(calls, usd_from_nano(nano), tokens, *tables, 0)

    def records(self, limit: int) -> list[CostRecord]:
        return [
            CostRecord(
                id, labels.tool, labels.model, labels.tier, tokens, None if nano is None else usd_from_nano(nano), at_ms
            )
            for id, labels, nano, tokens, at_ms in self._journal.newest(limit)
        ]


def _is_booked(entry: Entry) -> bool:
    return entry.state in (State.SETTLED, State.PRESUMED)


def _booked(entry: Entry, account: Account) -> int:
    for candidate, amount in zip(entry.accounts, entry.booked, strict=True):
        if candidate == account:
            return amount
    return 0


_Table = dict[str, Decimal]


def _tables(costs: Iterable[tuple[FoldKey, int]]) -> tuple[_Table, _Table, _Table]:
    """USD by tool, by model and by tier."""
    tables: tuple[dict[str, int], ...] = ({}, {}, {})
    for keys, nano in costs:
        for table, key in zip(tables, keys, strict=True):
            if key is not None:
                table[key] = table.get(key, 0) + nano
    by_tool, by_model, by_tier = (
        {name: usd_from_nano(nano) for name, nano in sorted(table.items())} for table in tables
    )
    return by_tool, by_model, by_tier
