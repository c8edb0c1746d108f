"""What a call really cost, beside what it was estimated at: computed and logged, never booked here."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from .call import TokenUsage
from .money import cents_half_up

if TYPE_CHECKING:
    from .cost import Pricer
    from .tiers import BudgetEstimate

LOGGER: Final = logging.getLogger("agent_airlock.cost")


@dataclass(frozen=True, slots=True)
class ReconciliationRecord:
    """Estimate and reality of one call. Cents are whole US cents, rounded half up; None where not known."""

    tier: str
    model_id: str | None
    input_tokens: int
    output_tokens: int
    estimated_cost_cents: int | None
    actual_cost_cents: int | None
    delta_cents: int | None
    """Actual − estimated: positive where the call cost more than was held."""
    output_tokens_over_cap: bool
    input_tokens_over_estimate: bool


def reconcile(estimate: BudgetEstimate, actual: TokenUsage, pricer: Pricer) -> ReconciliationRecord:
    """Compute the record and log it as ``tier_budget_reconciled``. Never raises."""
    try:
        cents = cents_half_up(pricer.calculate_cost(actual, estimate.model_id))
    except Exception:  # an unknown model, a pricer of the user's: the call has run, only the price is missing
        cents = None
    usage = actual if isinstance(actual, TokenUsage) else TokenUsage()
    estimated = estimate.estimated_cost_cents
    most = estimate.cap.max_output_tokens
    record = ReconciliationRecord(
        estimate.tier,
        estimate.model_id,
        usage.input_tokens,
        usage.output_tokens,
        estimated,
        cents,
        None if cents is None or estimated is None else cents - estimated,
        most is not None and usage.output_tokens > most,
        usage.input_tokens > estimate.input_tokens,
    )
    with contextlib.suppress(Exception):  # a handler or a filter of the user's
        _log(record)
    return record


def _log(record: ReconciliationRecord) -> None:
    level = logging.WARNING if (record.delta_cents or 0) > 0 else logging.INFO
    if LOGGER.isEnabledFor(level):
        delta = "unknown" if record.delta_cents is None else f"{record.delta_cents:+d}"
        LOGGER.log(
            level,
            "tier_budget_reconciled tier=%s delta_cents=%s",
            record.tier,
            delta,
            extra={"event": "tier_budget_reconciled", **asdict(record)},
        )
