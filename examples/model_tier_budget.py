"""One router, three tiers: four ways to say which tier a call is in. Nothing is sent anywhere.

    python examples/model_tier_budget.py

Exits 0 only if each call was admitted, or blocked, as it should be.
"""

from __future__ import annotations

import sys
from typing import Any

from agent_airlock import (
    Airlock,
    AirlockContext,
    CostTracker,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    set_global_tracker,
    strict_tier_budget_policy,
)

WRONG: list[str] = []


def show(title: str, answer: Any, *, tier: str | None = None, blocked: str | None = None) -> None:
    """Print an answer, and note where it is not what this example promises."""
    reason = answer.get("block_reason")
    if reason is None:
        print(f"  admitted  {title}: tier {answer['tier']}")
    else:
        print(f"  BLOCKED   {title}: {reason}\n            {answer['error']}")
    if reason != blocked or (tier is not None and answer.get("tier") != tier):
        WRONG.append(title)


def model_call(prompt: str) -> dict[str, Any]:
    """Stands in for a vendor's client, which would report its usage in the same way."""
    return {"text": prompt.upper(), "token_usage": TokenUsage(input_tokens=len(prompt.split()), output_tokens=40)}


def booked(tracker: CostTracker, answer: Any) -> Any:
    """The answer, with the tier that its call was booked in."""
    return answer if "block_reason" in answer else {**answer, "tier": tracker.get_records()[-1].tier}


def by_keyword(tracker: CostTracker) -> None:
    print("\n1. The caller's code names the tier: _airlock_tier")

    @Airlock(policy=strict_tier_budget_policy())
    def ask(prompt: str, **options: Any) -> dict[str, Any]:
        assert not options, "the tags never reach the function"
        return model_call(prompt)

    show("frontier", booked(tracker, ask("prove it", _airlock_tier="frontier")), tier="frontier")
    show("nobody tagged it", booked(tracker, ask("say hi")), tier="small")
    show("too much for small", ask("sum it up", _airlock_input_tokens=200_000), blocked="budget_exceeded")
    show("a tier nobody knows", ask("say hi", _airlock_tier="gold"), blocked="policy_violation")


def by_context(tracker: CostTracker) -> None:
    print("\n2. The context around the call names it: metadata['airlock_tier']")

    @Airlock(policy=strict_tier_budget_policy())
    def ask(prompt: str) -> dict[str, Any]:
        return model_call(prompt)

    with AirlockContext(agent_id="router", metadata={"airlock_tier": "mid"}):
        show("inside the context", booked(tracker, ask("draft it")), tier="mid")
    show("after the context", booked(tracker, ask("draft it")), tier="small")


def by_model(tracker: CostTracker) -> None:
    print("\n3. The model's id decides: metadata['model_id'] and a tier_resolver")

    def tier_of(model_id: str) -> str:
        return "frontier" if "opus" in model_id else "small"

    @Airlock(policy=strict_tier_budget_policy(tier_of))
    def ask(prompt: str) -> dict[str, Any]:
        return model_call(prompt)

    for model_id, tier in (("claude-opus-5-5", "frontier"), ("claude-haiku-5-5", "small")):
        with AirlockContext(metadata={"model_id": model_id}):
            show(model_id, booked(tracker, ask("think")), tier=tier)


def with_lists(tracker: CostTracker) -> None:
    print("\n4. Together with allow and deny lists: access is asked before money")
    budget = ModelTierBudget({"small": TierBudget(max_cost_cents=2, max_output_tokens=1000)}, strict_tier="small")
    policy = SecurityPolicy(allowed_tools=["ask_*"], denied_tools=["ask_admin"], model_tier_budget=budget).freeze()
    print(f"  the policy's digest: {policy.digest[:16]}…")

    @Airlock(policy=policy)
    def ask_docs(prompt: str) -> dict[str, Any]:
        return model_call(prompt)

    @Airlock(policy=policy)
    def ask_admin(prompt: str) -> dict[str, Any]:
        return model_call(prompt)

    @Airlock(policy=policy)
    def delete_all(prompt: str) -> dict[str, Any]:
        return model_call(prompt)

    huge = "word " * 50_000
    show("allowed, and it fits", booked(tracker, ask_docs("where is it?")), tier="small")
    show("allowed, but too dear", ask_docs(huge), blocked="budget_exceeded")
    show("denied, whatever it costs", ask_admin(huge), blocked="policy_violation")
    show("not on the list", delete_all("now"), blocked="policy_violation")


def main() -> int:
    # Prices of our own, USD per 1,000 tokens; without `pricing` a model's shipped prices are used.
    tracker = CostTracker(pricing={"default": {"input": "0.0002", "output": "0.001"}})
    set_global_tracker(tracker)
    for pattern in (by_keyword, by_context, by_model, with_lists):
        pattern(tracker)
    summary = tracker.get_summary()
    print(f"\n{summary.total_calls} calls ran and cost {summary.total_cost} USD: ", end="")
    print(", ".join(f"{tier} {usd}" for tier, usd in summary.by_tier.items()))
    if summary.total_calls != 7:
        WRONG.append(f"{summary.total_calls} calls were booked instead of 7")
    for what in WRONG:
        print(f"NOT AS PROMISED: {what}", file=sys.stderr)
    return 1 if WRONG else 0


if __name__ == "__main__":
    sys.exit(main())
