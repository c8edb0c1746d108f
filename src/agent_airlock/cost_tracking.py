"""What a session spends: ``CostTracker``, a façade over a book.

It keeps no sum of its own: totals are balances of its book's accounts, and the tables by tool, model and tier are
sums of its entries. Only the gate holds money before a call; a tracker records after.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from .budgets import crossed
from .call import TokenUsage
from .caps import BudgetConfig, check_tracker
from .cost import UNNAMED_MODEL, actual_nano, unpriced
from .events import Event, EventKind, Listener, call_listener, log, tell
from .exceptions import (
    AirlockBudgetExceeded,
    BudgetExceededError,
    LedgerError,
    UnknownModelError,
    UnknownTierError,
)
from .ledger.accounts import Labels, Unit
from .ledger.commands import Charge, Forgotten, Ledger, Settled
from .ledger.ids import IDS
from .ledger.memory import MemoryLedger
from .money import (
    USDLike,
    nano_from_usd_half_even,
    nano_from_usd_up,
    parse_usd,
    usd_from_nano,
)
from .rates import RateCard, Reach
from .reconciliation import ReconciliationRecord
from .spend import CostRecord, CostSummary, CountingEpoch, Epoch
from .tiers import BudgetEstimate, ModelTierBudget, TierBudget

__all__ = [
    "AirlockBudgetExceeded",
    "BudgetConfig",
    "BudgetEstimate",
    "BudgetExceededError",
    "CostRecord",
    "CostSummary",
    "CostTracker",
    "ModelTierBudget",
    "ReconciliationRecord",
    "TierBudget",
    "TokenUsage",
    "UnknownTierError",
    "get_global_tracker",
    "set_global_tracker",
]

Pricing = Mapping[str, Mapping[str, USDLike]]
_USD: Final = Unit.USD  # an attribute of an Enum class costs 70 ns before Python 3.12
_TOKENS: Final = Unit.TOKENS
_COST: Final = "the cost of CostTracker.record"


@dataclass(slots=True)
class Tracked:
    """What a ``with tracker.track(tool)`` block says of the call it makes."""

    model: str | None = None
    tier: str | None = None
    tokens: TokenUsage = field(default_factory=TokenUsage)

    def set_usage(self, tokens: TokenUsage, model: str | None = None) -> None:
        """What the call used, and the model that it used."""
        if not isinstance(tokens, TokenUsage):
            raise TypeError(f"set_usage takes a TokenUsage, not a {type(tokens).__name__}")
        self.tokens = tokens
        self.model = model or self.model


class CostTracker:
    """Prices tokens, and records what calls cost.

    Args:
        model: what prices a call that names no model.
        budget: caps. A session cap on the *global* tracker stops the next gated call before it runs, counting
            calls in flight.
        pricing: the caller's own prices, USD per 1,000 tokens: ``{"default": {"input": …, "output": …}}``;
            without one the shipped prices are used.
        ledger: where it books; a memory of its own unless given one. An ``AsyncLedger`` is refused: a tracker is
            read from sync code.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    def __init__(
        self,
        model: str = UNNAMED_MODEL,
        budget: BudgetConfig | None = None,
        pricing: Pricing | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        if not isinstance(model, str) or not model:
            raise ValueError(f"CostTracker.model must be a model's id, not {model!r}")
        if budget is not None and not isinstance(budget, BudgetConfig):
            raise TypeError(f"CostTracker.budget must be a BudgetConfig or None, not {type(budget).__name__}")
        if ledger is not None and getattr(ledger, "is_async", None) is not False:
            raise TypeError(f"CostTracker.ledger must be a sync ledger or None, not {type(ledger).__name__}")
        self.model = model
        self._budget = budget or BudgetConfig()
        self.own_prices = pricing is not None
        from .prices import PriceBook  # the first tracker needs it, not the package's import

        self._book = PriceBook.shipped() if pricing is None else PriceBook.from_pricing(pricing)
        # A session's cap needs a ledger to hold it; without one, or a ledger to keep, it is enough to count.
        self._ledger = MemoryLedger() if ledger is None and self._budget.caps_a_session else ledger
        self._callbacks: tuple[Callable[[CostRecord], object], ...] = ()
        self.epoch = self._begin()

    @property
    def budget(self) -> BudgetConfig:
        """The caps. They do not change: for others set another tracker, ``set_global_tracker(…)``."""
        return self._budget

    # --- prices ------------------------------------------------------------------------------------------

    def card(self, model: str | None = None) -> RateCard | None:
        """The rate card of a model, or of the tracker's own; None where no price is known."""
        return self._book.card(model or self.model)

    def input_only(self, model: str | None = None) -> bool:
        """Whether, without an output limit, the input alone is priced: with a table of the caller's own."""
        return self.own_prices

    @property
    def by_card(self) -> bool:
        """Whether :meth:`calculate_cost` is this class's own, so that it says what the cards say."""
        return getattr(self.calculate_cost, "__func__", None) is _CALCULATE_COST

    def calculate_cost(self, tokens: TokenUsage, model: str | None = None, *, reach: Reach | None = None) -> Decimal:
        """What these tokens cost in USD: exact and unrounded; rounding is the caller's.

        Args:
            tokens: what was used, or with ``reach`` the most that may be.
            model: whose price; None for the tracker's.
            reach: price the dearest that a call within ``tokens`` can reach, not just what they say.

        Raises:
            UnknownModelError: no price is known.
        """
        card = self.card(model)
        if card is None:
            raise UnknownModelError(model or self.model)
        return card.usd(tokens, reach)

    # --- booking -----------------------------------------------------------------------------------------

    def record(
        self,
        tool: str,
        tokens: TokenUsage,
        model: str | None = None,
        *,
        tier: str | None = None,
        cost: USDLike | None = None,
    ) -> CostRecord:
        """Book a call that has run. It never blocks; a gate's calls are booked by the gate.

        An unknown model books its tokens and no cost, which is logged. ``cost`` in USD overrules the price.

        Raises:
            TypeError, ValueError: naming the argument, the value and what is allowed.
            LedgerError: the ledger did not answer, or not with a booking.
        """
        if not isinstance(tool, str) or not isinstance(tokens, TokenUsage):
            raise TypeError(f"CostTracker.record takes a tool's name and a TokenUsage, not {tool!r} and {tokens!r}")
        nano = self._nano_of(tokens, model, cost)
        actual = {Unit.TOKENS: tokens.total_tokens, Unit.CALLS: 1}
        if nano is not None:
            actual[Unit.USD] = nano
        epoch = self.epoch
        labels = Labels(tool, model or self._named_model(), tier)
        id = IDS.make(epoch.ledger.now_ms())
        answer = epoch.ledger.apply(Charge(id, epoch.holds, actual, labels))
        if isinstance(answer, Forgotten):  # an id made with the time as it was known here
            id = IDS.make(answer.stamp.now_ms)
            answer = epoch.ledger.apply(Charge(id, epoch.holds, actual, labels))
        if not isinstance(answer, Settled):
            raise LedgerError(f"the ledger did not book a call of {tool}: it answered {type(answer).__name__}")
        self.warn(epoch, answer, id, tool)
        usd = None if nano is None else usd_from_nano(nano)
        record = CostRecord(id, tool, labels.model, tier, tokens.total_tokens, usd, answer.stamp.now_ms)
        self.notify(record)
        return record

    def _named_model(self) -> str | None:
        return None if self.model == UNNAMED_MODEL and not self.own_prices else self.model

    def _nano_of(self, tokens: TokenUsage, model: str | None, cost: USDLike | None) -> int | None:
        if cost is not None:
            return _rounded(cost)
        try:
            return actual_nano(self, tokens, model)
        except UnknownModelError as unknown:
            log(logging.WARNING, "%s; only its tokens are booked", unknown)
            return None

    @contextmanager
    def track(self, tool: str, model: str | None = None) -> Generator[Tracked, None, None]:
        """Record around a block, also where it raises: ``with tracker.track("search") as call: call.set_usage(…)``.

        It holds nothing: only the gate does. A ledger that fails here fails no block that has run: that is an event,
        and an error in the log.
        """
        tracked = Tracked(model)
        try:
            yield tracked
        finally:
            try:
                self.record(tool, tracked.tokens, tracked.model, tier=tracked.tier)
            except LedgerError as error:
                fields = {"verb": "charge", "error": type(error).__name__}
                tell(Event(EventKind.SETTLE_FAILED, tool, None, fields), None)

    def check(self, tokens: TokenUsage | None = None, model: str | None = None) -> None:
        """Whether a further call within ``tokens`` fits the caps now, counting calls in flight.

        Nothing is held, so it is only advice.

        Raises:
            BudgetExceededError: it does not fit, or a cost is capped and the model's price is not known.
        """
        budget, epoch = self.budget, self.epoch
        nano = 0
        if tokens is not None and (budget.max_cost_per_call is not None or budget.max_cost_per_session is not None):
            try:
                nano = nano_from_usd_up(self.calculate_cost(tokens, model))
            except UnknownModelError as unknown:
                raise unpriced(model or self._named_model()) from unknown
        balances = epoch.balances() if budget.caps_a_session else {}
        totals = {account: balance.total for account, balance in balances.items()}
        check_tracker(
            budget,
            nano=nano,
            tokens=0 if tokens is None else tokens.total_tokens,
            spent_nano=totals.get(epoch.usd, 0),
            spent_tokens=totals.get(epoch.tokens, 0),
        )

    def add_callback(self, callback: Callable[[CostRecord], object]) -> None:
        """Call ``callback`` with each record, after it is booked. What it raises is logged."""
        if not callable(callback):
            raise TypeError(f"CostTracker.add_callback takes a function, not {callback!r}")
        self._callbacks = (*self._callbacks, callback)

    def notify(self, record: CostRecord) -> None:
        for callback in self._callbacks:
            call_listener(callback, record)

    @property
    def has_callbacks(self) -> bool:
        return bool(self._callbacks)

    def warn(self, epoch: Epoch, answer: Settled, call_id: str, tool: str, listener: Listener | None = None) -> None:
        """Tell, once, that a session passed its warning mark."""
        if answer.repeated or not epoch.warns:
            return
        for before, after in zip(answer.before, answer.after, strict=True):
            for account, mark in zip((epoch.usd, epoch.tokens), epoch.warn_at, strict=False):
                if after.account == account and mark is not None and crossed(before, after, mark):
                    fields = {"account": account.id, "spent": after.settled + after.presumed, "mark": mark}
                    tell(Event(EventKind.WARNED, tool, call_id, fields), listener)

    # --- reading -----------------------------------------------------------------------------------------

    def get_summary(self) -> CostSummary:
        """What this epoch spent, exact."""
        return self.epoch.summary()

    def get_records(self, limit: int = 1_000) -> list[CostRecord]:
        """The newest records of this epoch, oldest first; a memory ledger keeps at most 100,000.

        Raises:
            ValueError: ``limit`` is not a whole number of at least 1.
        """
        if type(limit) is not int or limit < 1:
            raise ValueError(f"CostTracker.get_records takes a limit of at least 1, not {limit!r}")
        return self.epoch.records(limit)

    def reset(self) -> None:
        """Begin a new epoch at zero. Calls in flight settle in the old one."""
        self.epoch = self._begin()

    def _begin(self) -> Epoch:
        return CountingEpoch(self._budget) if self._ledger is None else Epoch(self._ledger, self._budget)


def _rounded(cost: USDLike) -> int:
    """A cost that a caller states, to the nanodollar: what vendors report may be finer."""
    if isinstance(cost, (Decimal, float)):
        exact = Decimal(str(cost))
        if exact.is_finite() and exact >= 0 and exact.adjusted() < 10:
            return nano_from_usd_half_even(parse_usd(usd_from_nano(nano_from_usd_half_even(exact)), what=_COST))
    return nano_from_usd_half_even(parse_usd(cost, what=_COST))


_CALCULATE_COST: Final = CostTracker.calculate_cost
_global_lock: Final = threading.Lock()
_global_tracker: CostTracker | None = None


def get_global_tracker() -> CostTracker:
    """The process's tracker, on whose book every gate counts its calls."""
    global _global_tracker  # noqa: PLW0603
    tracker = _global_tracker
    if tracker is None:
        with _global_lock:
            tracker = _global_tracker = _global_tracker or CostTracker()
    return tracker


def set_global_tracker(tracker: CostTracker | None) -> None:
    """Replace the process's tracker; None for a new one. Calls in flight settle on the old one's book.

    Raises:
        TypeError: not a ``CostTracker`` or None.
    """
    if tracker is not None and not isinstance(tracker, CostTracker):
        raise TypeError(f"set_global_tracker takes a CostTracker or None, not {type(tracker).__name__}")
    global _global_tracker  # noqa: PLW0603
    with _global_lock:
        _global_tracker = tracker
