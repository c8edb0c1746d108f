"""What the gate adds to a call, beside what pydantic's ``validate_call`` adds to the same function."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import validate_call

from agent_airlock import (
    STRICT_MODEL_TIER_BUDGET,
    Airlock,
    AirlockContext,
    Budget,
    Cost,
    SecurityPolicy,
)

from .timing import Figure, compare


def lookup(query: str, limit: int = 10) -> str:
    return query


def figures() -> Iterator[Figure]:
    validated = validate_call(lookup)
    base = lambda: validated("otters", limit=5)  # noqa: E731
    cost = Cost.model("claude-haiku-5-5")

    tiers = SecurityPolicy(allowed_tools=["look*"], model_tier_budget=STRICT_MODEL_TIER_BUDGET).freeze()
    gated = Airlock(policy=tiers, cost=cost)(lookup)
    yield compare(
        "gate: arguments, access, tier budget ÷ validate_call",
        lambda: gated("otters", limit=5, _airlock_tier="mid", _airlock_input_tokens=100),  # type: ignore[call-arg]
        base,
        8,
    )

    capped = SecurityPolicy(
        allowed_tools=["look*"],
        model_tier_budget=STRICT_MODEL_TIER_BUDGET,
        budgets=[Budget("session:*", "1_000_000 USD")],
    ).freeze()
    held = Airlock(policy=capped, cost=cost)(lookup)
    with AirlockContext(session_id="s"):
        yield compare(
            "gate: the same and a session budget on the memory ledger ÷ validate_call",
            lambda: held("otters", limit=5, _airlock_tier="mid", _airlock_input_tokens=100),  # type: ignore[call-arg]
            base,
            15,
        )
