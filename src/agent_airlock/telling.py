"""What the gate tells of the money: warnings at a mark, broken bounds, what observers would have blocked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from .actual import Spent
from .budgets import Slot, crossed
from .cost_tracking import CostRecord
from .events import Event, EventKind, heard, tell
from .exceptions import BlockReason
from .ledger.accounts import Unit
from .ledger.commands import Reserved, Settled
from .money import usd_from_nano
from .observing import tell_would_block
from .quote import Plan, Quote
from .reconciliation import LOGGER as COST_LOGGER
from .reconciliation import reconcile

_USD: Final = Unit.USD


def tell_of(quote: Quote, kind: EventKind, id: str | None, fields: Mapping[str, object]) -> None:
    """Tell one event of the quote's call to its gate's listener."""
    tell(Event(kind, quote.call.tool, id, fields), quote.gate.config.on_event)


def tell_refused_by_observers(quote: Quote, plan: Plan, answer: Reserved) -> None:
    """An observing budget has no limit in the ledger: say here what it would have blocked."""
    for slot, balance in zip(plan.slots, answer.after, strict=False):
        if slot.limit is None and slot.would_block(quote.estimate, balance.total):
            _tell_would_block(quote, slot, plan.id)


def tell_settled(quote: Quote, plan: Plan, answer: Settled) -> None:
    """Warn, once, of each budget whose mark this settle has passed; say if the call outlasted its lease."""
    if plan.on_tracker:
        quote.tracker.warn(quote.epoch, answer, plan.id, quote.call.tool, quote.gate.config.on_event)
    if answer.repeated:
        return
    for before, after in zip(answer.before, answer.after):  # noqa: B905  (both are of the same holds)
        if before.presumed > after.presumed:
            tell_of(quote, EventKind.PRESUMED, plan.id, {"book": "tracker" if plan.on_tracker else "gate"})
            break
    for slot, before, after in zip(plan.slots, answer.before, answer.after, strict=False):
        mark = slot.warn_amount
        if mark is not None and crossed(before, after, mark):
            spent = after.settled + after.presumed
            fields: dict[str, object] = {
                "scope": slot.name,
                "account": slot.account.id,
                "spent": spent,
                "mark": mark,
            }
            tell_of(quote, EventKind.WARNED, plan.id, fields)


def tell_actual(quote: Quote, id: str | None, spent: Spent, *, booked: bool) -> None:
    """The end of a call: reconciliation, a broken bound, the tracker's callbacks, and, if it is booked, the event."""
    listener = quote.gate.config.on_event
    # Budgets of the `call` window ask no ledger, so those that observe speak here.
    if quote.values is not None:
        for slot in quote.rules.budgets.observed(quote.values, quote.estimate):
            _tell_would_block(quote, slot, id)
    if spent.nothing:
        if booked and heard(EventKind.RELEASED, listener):
            tell_of(quote, EventKind.RELEASED, id, {})
        return
    estimate, nano = quote.estimate, spent.amounts.get(_USD)
    over = nano is not None and estimate.nano is not None and nano > estimate.nano
    if over and estimate.bound == "worst_case":
        tell_of(quote, EventKind.BOUND_BROKEN, id, {"estimate_nano": estimate.nano, "actual_nano": nano})
    budget = quote.gate.policy.model_tier_budget
    told = over or COST_LOGGER.isEnabledFor(logging.INFO)
    if told and spent.usage is not None and budget is not None and estimate.tier is not None:
        reconcile(budget.public_estimate(estimate, estimate.tier), spent.usage, quote.pricer)
    if quote.tracker.has_callbacks:
        _notify(quote, id, spent)
    if booked and heard(EventKind.SETTLED, listener):
        tell_of(quote, EventKind.SETTLED, id, {"actual_nano": nano, "estimate_nano": estimate.nano})


def _tell_would_block(quote: Quote, slot: Slot, id: str | None) -> None:
    reason = BlockReason.RATE_LIMIT if slot.is_rate else BlockReason.BUDGET_EXCEEDED
    listener, account = quote.gate.config.on_event, slot.account.id
    tell_would_block(
        quote.call.tool, "budgets", reason, listener, id, scope=slot.name, account=account, limit=slot.amount
    )


def _notify(quote: Quote, id: str | None, spent: Spent) -> None:
    labels, nano = quote.labels, spent.amounts.get(_USD)
    quote.tracker.notify(
        CostRecord(
            id or "",
            labels.tool,
            labels.model,
            labels.tier,
            spent.amounts[Unit.TOKENS],
            None if nano is None else usd_from_nano(nano),
            quote.epoch.ledger.now_ms(),
        )
    )
