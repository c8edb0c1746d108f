"""After the call: estimate and reality side by side, logged and never booked here."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from agent_airlock import CostTracker, ModelTierBudget, TierBudget, TokenUsage

TRACKER = CostTracker(pricing={"default": {"input": "0.01", "output": "0.01"}})
BUDGET = ModelTierBudget({"small": TierBudget(2, 1000)}, "small")


def reconciled(budget: ModelTierBudget, input_tokens: int, actual: Any) -> Any:
    estimate = budget.check_pre_execute(tier_label=None, input_tokens=input_tokens, cost_tracker=TRACKER)
    return budget.reconcile_post_execute(estimate=estimate, actual=actual, cost_tracker=TRACKER)


@pytest.mark.parametrize("output", [0, 1000])
def test_a_call_within_its_estimate_is_logged_as_information(output: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "agent_airlock.cost")
    record = reconciled(BUDGET, 1000, TokenUsage(1000, output))
    assert record.delta_cents <= 0
    assert not record.output_tokens_over_cap
    assert not record.input_tokens_over_estimate
    assert [logged.levelno for logged in caplog.records] == [logging.INFO]


def test_reconciliation_books_nothing() -> None:
    reconciled(BUDGET, 1000, TokenUsage(1000, 1000))
    assert TRACKER.get_summary().total_calls == 0


@pytest.mark.parametrize("actual", [None, "many", SimpleNamespace(input_tokens="x")])
def test_reconciliation_never_raises(actual: Any) -> None:
    assert reconciled(BUDGET, 10, actual).actual_cost_cents is None


def test_reconciliation_survives_a_handler_that_raises() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError

    handler = Broken()
    logging.getLogger("agent_airlock.cost").addHandler(handler)
    try:
        assert reconciled(BUDGET, 10, TokenUsage(10**6, 10)).delta_cents > 0
    finally:
        logging.getLogger("agent_airlock.cost").removeHandler(handler)


def test_a_model_without_a_known_price_has_no_delta(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "agent_airlock.cost")
    estimate = BUDGET.check_pre_execute(
        tier_label=None, input_tokens=10, cost_tracker=TRACKER, model_id="no-such-model"
    )
    record = BUDGET.reconcile_post_execute(estimate=estimate, actual=TokenUsage(10, 10), cost_tracker=CostTracker())
    assert (record.actual_cost_cents, record.delta_cents) == (None, None)
    assert caplog.records[0].levelno == logging.INFO
