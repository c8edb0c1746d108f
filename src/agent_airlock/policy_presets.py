"""Ready policies."""

from __future__ import annotations

from typing import Final

from .policy import SecurityPolicy
from .tiers import ModelTierBudget, TierBudget, TierResolver

STRICT_MODEL_TIER_BUDGET: Final = ModelTierBudget(
    tiers={
        "frontier": TierBudget(max_cost_cents=50, max_output_tokens=4000),
        "mid": TierBudget(max_cost_cents=10, max_output_tokens=2000),
        "small": TierBudget(max_cost_cents=2, max_output_tokens=1000),
    },
    strict_tier="small",
)
"""50, 10 and 2 US cents a call; 4000, 2000 and 1000 output tokens; ``small`` for a call that nobody tagged."""


def strict_tier_budget_policy(tier_resolver: TierResolver | None = None) -> SecurityPolicy:
    """A policy with :data:`STRICT_MODEL_TIER_BUDGET`: that very object without a resolver, a copy with one."""
    budget = STRICT_MODEL_TIER_BUDGET
    if tier_resolver is not None:
        budget = ModelTierBudget(budget.tiers, budget.strict_tier, tier_resolver, budget.mode)
    return SecurityPolicy(model_tier_budget=budget)
