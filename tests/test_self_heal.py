"""What a model reads when a call is blocked: what happened, why, and what would pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockContext,
    AirlockResponse,
    BlockReason,
    Budget,
    BudgetConfig,
    BudgetExceededError,
    Cost,
    CostTracker,
    LedgerUnavailable,
    MemoryLedger,
    SecurityPolicy,
    handle_budget_exceeded,
    set_global_tracker,
    strict_tier_budget_policy,
)
from agent_airlock.ledger.commands import Reserve
from agent_airlock.self_heal import respond


@pytest.fixture(autouse=True)
def _tracker() -> Iterator[None]:
    set_global_tracker(CostTracker(pricing={"default": {"input": "0.01", "output": "0.03"}}))
    yield
    set_global_tracker(None)


class Silent(MemoryLedger):
    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Reserve):
            raise LedgerUnavailable("the disk is gone")
        return super().apply(command)


def gated(policy: SecurityPolicy | None = None, **options: Any) -> Any:
    options.setdefault("ledger", MemoryLedger())

    @Airlock(policy=policy, **options)
    def tool(x: int = 1) -> int:
        return x

    return tool


def budgeted(*budgets: Budget, **options: Any) -> Any:
    return gated(SecurityPolicy(budgets=list(budgets), **options), cost=Cost("0.02 USD"))


def capped(**caps: Any) -> Any:
    set_global_tracker(CostTracker(budget=BudgetConfig(**caps)))
    return gated(cost=Cost("0.02 USD"))()


def spend_first(tool: Any) -> Any:
    assert tool() == 1
    return tool()


def wrong_count() -> Any:
    return gated(strict_tier_budget_policy())(_airlock_input_tokens=-1)


def price_that_fails() -> Any:
    return gated(cost=Cost(lambda arguments: arguments["y"]))()


def unpriced() -> Any:
    set_global_tracker(CostTracker())
    return gated(strict_tier_budget_policy())(_airlock_model_id="nope")


BLOCKS: dict[str, tuple[str, Callable[[], Any], tuple[str, ...]]] = {
    "a ghost": ("ghost_arguments", lambda: gated()(xx=1), ("no argument 'xx'", "Did you mean 'x'?")),
    "a type": ("validation_error", lambda: gated()("1"), ("x: ", "Input should be a valid integer")),
    "too many": ("validation_error", lambda: gated()(1, 2), ("too many positional arguments", "tool(x: ")),
    "a count": ("validation_error", wrong_count, ("input_tokens", "non-negative whole number")),
    "a price": ("validation_error", price_that_fails, ("KeyError", "must return an exact, non-negative amount")),
    "denied": (
        "policy_violation",
        lambda: gated(SecurityPolicy(denied_tools=["t*"]))(),
        ("denies the tool 'tool'", "Use another tool"),
    ),
    "a tier": (
        "policy_violation",
        lambda: gated(strict_tier_budget_policy())(_airlock_tier="gold"),
        ("unknown tier 'gold'", "frontier, mid, small"),
    ),
    "the tier's cost": (
        "budget_exceeded",
        lambda: gated(strict_tier_budget_policy())(_airlock_input_tokens=1000),
        ("4 cents", "tier 'small' allows 2", "at most 333 output tokens fit"),
    ),
    "the tier's tokens": (
        "budget_exceeded",
        lambda: gated(strict_tier_budget_policy())(_airlock_max_output_tokens=9999, _airlock_input_tokens=10),
        ("asks for 9999 output tokens", "allows 1000", "at most 663 output tokens fit"),
    ),
    "no price": (
        "budget_exceeded",
        unpriced,
        ("no price is known for the model 'nope'", "Name a model whose price is known"),
    ),
    "an account": (
        "budget_exceeded",
        lambda: spend_first(budgeted(Budget("tool:*", "0.03 USD"))),
        ("budget 'tool:*'", "A call of at most 0.01 USD fits now."),
    ),
    "a spent account": (
        "budget_exceeded",
        lambda: spend_first(budgeted(Budget("tool:*", "0.02 USD"))),
        ("budget 'tool:*'", "ask the operator to raise the budget"),
    ),
    "an account that is too small": (
        "budget_exceeded",
        lambda: budgeted(Budget("tool:*", "0.01 USD"))(),
        ("budget 'tool:*'", "more than all of it", "A call of at most 0.01 USD fits now."),
    ),
    "an account with a window": (
        "budget_exceeded",
        lambda: spend_first(budgeted(Budget("tool:*", "1 calls", window="day"))),
        ("budget 'tool:*'", "The budget begins anew at 2"),
    ),
    "a call's own limit": (
        "budget_exceeded",
        lambda: budgeted(Budget("tool:*", "0.01 USD", window="call"))(),
        ("'tool:*' allows a call", "A call of at most 0.01 USD fits now."),
    ),
    "the session cap": (
        "budget_exceeded",
        lambda: capped(max_cost_per_session="0.01"),
        ("session cap of the cost tracker", "A call of at most 0.01 USD fits now."),
    ),
    "the call cap": (
        "budget_exceeded",
        lambda: capped(max_cost_per_call="0.01"),
        ("more than the tracker allows a call", "A call may cost at most 0.01 USD."),
    ),
    "no ledger": (
        "ledger_unavailable",
        lambda: gated(SecurityPolicy(budgets=[Budget("global", "1 calls")]), ledger=Silent())(),
        ("the ledger did not answer", "the disk is gone", "Try again later"),
    ),
}
LATER = {"rate_limit", "capability_denied", "path_violation", "endpoint_blocked"}
"""Reasons whose checks come later; each joins BLOCKS with its check."""


@pytest.mark.parametrize(("reason", "make", "said"), BLOCKS.values(), ids=BLOCKS)
def test_a_block_says_what_why_and_what_would_pass(reason: str, make: Callable[[], Any], said: tuple[str, ...]) -> None:
    answer = make()
    assert answer["block_reason"] == reason
    assert answer["error"].startswith("AIRLOCK_BLOCK: tool")
    for part in said:
        assert part in answer["error"], answer["error"]
    assert answer["fix_hints"]
    assert all(isinstance(hint, str) and hint.endswith((".", "?")) for hint in answer["fix_hints"])
    assert answer["metadata"]["tool"] == "tool"
    json.dumps(answer, allow_nan=False)


def test_every_reason_has_a_block_or_comes_later() -> None:
    assert {str(reason) for reason in BlockReason} == {reason for reason, _, _ in BLOCKS.values()} | LATER
    assert all(reason.name == reason.value.upper() for reason in BlockReason)
    assert BlockReason.BUDGET_EXCEEDED.value == "budget_exceeded"


def test_no_sentence_is_said_twice() -> None:
    for _, make, _ in BLOCKS.values():
        sentences = [sentence.strip().casefold() for sentence in make()["error"].split(". ")]
        assert len(sentences) == len(set(sentences))


# --- what a model may know -------------------------------------------------------------------------------

SHARED = [Budget("global", "1.23 USD"), Budget("team:*", "1.23 USD"), Budget("workspace:*", "1.23 USD")]


@pytest.mark.parametrize("budget", SHARED, ids=lambda budget: budget.scope)
@pytest.mark.parametrize("explain", ["scoped", "all"])
def test_figures_of_shared_accounts_are_told_only_where_the_policy_says_so(budget: Budget, explain: Any) -> None:
    tool = gated(SecurityPolicy(budgets=[budget], explain=explain), cost=Cost("1.30 USD"))
    with AirlockContext(team_id="t", workspace_id="w"):
        answer = tool()
    assert ("1.23" in str(answer)) is (explain == "all")
    assert answer["metadata"]["refusal"]["cause"] == "spent"


@pytest.mark.parametrize("scope", ["agent:*", "session:*", "user:*"])
def test_figures_of_the_callers_own_accounts_are_told(scope: str) -> None:
    tool = budgeted(Budget(scope, "0.03 USD"))
    with AirlockContext(agent_id="a", session_id="s", user_id="u"):
        assert tool() == 1
        refusal = tool()["metadata"]["refusal"]
    assert refusal | {"resets_at": None} == {
        "scope": f"{scope[:-2]}:{scope[0]}",
        "window": "total",
        "unit": "usd",
        "cause": "spent",
        "resets_at": None,
        "limit": "0.03 USD",
        "settled": "0.02 USD",
        "presumed": "0 USD",
        "held": "0 USD",
        "asked": "0.02 USD",
        "fits": "0.01 USD",
    }


def test_the_refusal_on_the_exception_is_complete() -> None:
    tool = gated(SecurityPolicy(budgets=[SHARED[0]]), cost=Cost("2 USD"), on_block="raise")
    with pytest.raises(BudgetExceededError) as caught:
        tool()
    refusal: Any = caught.value
    assert (refusal.refusal.limit, refusal.cap, refusal.tier) == (1_230_000_000, None, None)


# --- the responses themselves ----------------------------------------------------------------------------


def test_a_success_response_has_a_result_and_no_error() -> None:
    response = AirlockResponse.success_response([1], metadata={"tool": "t"}, warnings=("slow",))
    assert response.to_dict() == {
        "success": True, "status": "ok", "result": [1], "metadata": {"tool": "t"}, "warnings": ["slow"],
    }  # fmt: skip


def test_a_blocked_response_has_an_error_with_its_prefix_once() -> None:
    for error in ("no", "AIRLOCK_BLOCK: no"):
        response = AirlockResponse.blocked_response(error, BlockReason.RATE_LIMIT, fix_hints=("Wait.",))
        assert response.to_dict() == {
            "success": False, "status": "blocked", "error": "AIRLOCK_BLOCK: no", "block_reason": "rate_limit",
            "fix_hints": ["Wait."], "metadata": {},
        }  # fmt: skip


def test_an_answer_can_be_changed_without_changing_the_response() -> None:
    response = AirlockResponse.blocked_response("no", BlockReason.RATE_LIMIT, metadata={"a": 1})
    response.to_dict()["metadata"]["a"] = 2
    response.to_dict()["fix_hints"].append("x")
    assert response.to_dict()["metadata"] == {"a": 1}
    assert response.to_dict()["fix_hints"] == []


def test_a_trackers_own_block_becomes_a_response() -> None:
    tracker = CostTracker(
        budget=BudgetConfig(max_cost_per_session=Decimal(0)), pricing={"default": {"input": 1, "output": 1}}
    )
    from agent_airlock import TokenUsage

    with pytest.raises(BudgetExceededError) as caught:
        tracker.check(TokenUsage(10))
    for response in (handle_budget_exceeded("tool", caught.value), respond("tool", caught.value)):
        assert response.block_reason is BlockReason.BUDGET_EXCEEDED
        assert (response.error or "").startswith("AIRLOCK_BLOCK: tool may not run: the session may cost at most 0 USD")


def test_a_tool_whose_name_is_a_word_of_the_reason_is_named_all_the_same() -> None:
    @Airlock(policy=SecurityPolicy(default_deny=True))
    def the() -> None: ...

    answer: Any = the()
    assert answer["error"].startswith("AIRLOCK_BLOCK: the")


@pytest.mark.parametrize("name", ["call", "cost", "a"])
def test_a_tool_named_like_a_word_is_named_first(name: str) -> None:
    def function() -> None: ...

    function.__name__ = name
    answer: Any = Airlock(policy=SecurityPolicy(default_deny=True))(function)()
    assert answer["error"].startswith(f"AIRLOCK_BLOCK: {name} may not run: ")
