"""What the package exports, and what importing it loads."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import subprocess
import sys
import types
from typing import Any

import pytest

import agent_airlock
from agent_airlock import cost_tracking

NOTE = [
    "Airlock",
    "airlock",
    "AirlockConfig",
    "UnknownArgsMode",
    "AirlockResponse",
    "BlockedResult",
    "BlockReason",
    "handle_budget_exceeded",
    "SecurityPolicy",
    "PolicyMutationError",
    "PolicyViolation",
    "AirlockContext",
    "get_current_context",
    "set_current_context",
    "reset_context",
    "ContextExtractor",
    "AirlockError",
    "AirlockBlocked",
    "BudgetExceededError",
    "AirlockBudgetExceeded",
    "NothingSpent",
    "TierBudget",
    "ModelTierBudget",
    "BudgetEstimate",
    "ReconciliationRecord",
    "TokenUsage",
    "CostRecord",
    "CostSummary",
    "CostTracker",
    "BudgetConfig",
    "get_global_tracker",
    "set_global_tracker",
    "Cost",
    "Budget",
    "MemoryLedger",
    "UnknownTierError",
    "UnknownModelError",
    "STRICT_MODEL_TIER_BUDGET",
    "strict_tier_budget_policy",
]
TIER_BUDGET = [
    "TierBudget",
    "ModelTierBudget",
    "BudgetEstimate",
    "ReconciliationRecord",
    "AirlockBudgetExceeded",
    "BudgetExceededError",
    "TokenUsage",
    "CostRecord",
    "CostSummary",
    "CostTracker",
    "BudgetConfig",
    "get_global_tracker",
    "set_global_tracker",
]


def fresh(code: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


@pytest.mark.parametrize("name", sorted({*agent_airlock.__all__, *NOTE}))
def test_a_public_name_is_at_the_top(name: str) -> None:
    value: Any = getattr(agent_airlock, name)
    assert name in agent_airlock.__all__
    assert name in dir(agent_airlock)
    assert getattr(importlib.import_module("agent_airlock"), name) is value


def test_the_siblings_of_handle_budget_exceeded_are_at_the_top() -> None:
    for name in ("ghost_arguments", "validation_error", "policy_violation", "ledger_unavailable"):
        assert hasattr(agent_airlock, f"handle_{name}")


@pytest.mark.parametrize("name", TIER_BUDGET)
def test_cost_tracking_exports_the_tier_budget(name: str) -> None:
    assert getattr(cost_tracking, name) is getattr(agent_airlock, name)
    assert name in cost_tracking.__all__


def test_cost_tracking_exports_the_error_of_an_unknown_tier() -> None:
    assert hasattr(cost_tracking, "UnknownTierError")


def test_the_alias_is_the_decorator_and_no_module() -> None:
    assert agent_airlock.airlock is agent_airlock.Airlock
    assert not isinstance(agent_airlock.airlock, types.ModuleType)
    assert "airlock" not in {module.name for module in pkgutil.iter_modules(agent_airlock.__path__)}
    assert importlib.util.find_spec("agent_airlock.airlock") is None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'agent_airlock' has no attribute 'Airlocks'"):
        _ = agent_airlock.Airlocks  # type: ignore[attr-defined]


def test_a_star_import_brings_every_public_name() -> None:
    assert fresh("from agent_airlock import *; print(Airlock is airlock, SecurityPolicy.__name__)").split() == [
        "True",
        "SecurityPolicy",
    ]


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    loaded = fresh("import sys, agent_airlock; print(*(m for m in sys.modules if m.startswith('agent_airlock')))")
    assert loaded.split() == ["agent_airlock"]


@pytest.mark.parametrize("module", ["asyncio", "genai_prices", "sqlite3", "apsw", "httpx", "concurrent.futures"])
def test_importing_the_decorator_does_not_load(module: str) -> None:
    code = "import sys; from agent_airlock import Airlock, SecurityPolicy; print(*sys.modules)"
    assert module not in fresh(code).split()


def test_a_sync_gated_call_with_own_prices_loads_neither_asyncio_nor_prices() -> None:
    code = """
import sys
from agent_airlock import Airlock, CostTracker, set_global_tracker, strict_tier_budget_policy
set_global_tracker(CostTracker(pricing={"default": {"input": "0.001", "output": "0.001"}}))
@Airlock(policy=strict_tier_budget_policy())
def ask(prompt: str) -> str:
    return "ran"
assert ask("hi") == "ran"
print(*sys.modules)
"""
    assert not {"asyncio", "genai_prices", "sqlite3"} & set(fresh(code).split())
