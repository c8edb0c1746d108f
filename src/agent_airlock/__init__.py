"""A gate in front of every tool and model call of an agent: none passes unless its worst case fits the budget."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .beneath import open_beneath as open_beneath
    from .budgets import Budget as Budget
    from .call import TokenUsage as TokenUsage
    from .caps import BudgetConfig as BudgetConfig
    from .checks.capabilities import Capability as Capability
    from .checks.capabilities import CapabilityPolicy as CapabilityPolicy
    from .checks.capabilities import ModelCapabilityTier as ModelCapabilityTier
    from .checks.capabilities import requires as requires
    from .checks.endpoints import EndpointPolicy as EndpointPolicy
    from .checks.filesystem import FilesystemPolicy as FilesystemPolicy
    from .checks.hours import TimeWindow as TimeWindow
    from .checks.markers import FilePath as FilePath
    from .checks.markers import Url as Url
    from .checks.modes import UnknownArgsMode as UnknownArgsMode
    from .config import AirlockConfig as AirlockConfig
    from .context import AirlockContext as AirlockContext
    from .context import ContextExtractor as ContextExtractor
    from .context import get_current_context as get_current_context
    from .context import reset_context as reset_context
    from .context import set_current_context as set_current_context
    from .cost import Cost as Cost
    from .cost_tracking import CostRecord as CostRecord
    from .cost_tracking import CostSummary as CostSummary
    from .cost_tracking import CostTracker as CostTracker
    from .cost_tracking import get_global_tracker as get_global_tracker
    from .cost_tracking import set_global_tracker as set_global_tracker
    from .decorator import Airlock as Airlock
    from .decorator import airlock as airlock
    from .events import Event as Event
    from .events import EventKind as EventKind
    from .exceptions import AirlockBlocked as AirlockBlocked
    from .exceptions import AirlockBudgetExceeded as AirlockBudgetExceeded
    from .exceptions import AirlockError as AirlockError
    from .exceptions import BlockReason as BlockReason
    from .exceptions import BudgetExceededError as BudgetExceededError
    from .exceptions import CapabilityDenied as CapabilityDenied
    from .exceptions import EndpointBlocked as EndpointBlocked
    from .exceptions import GhostArgumentsBlocked as GhostArgumentsBlocked
    from .exceptions import LedgerCorrupt as LedgerCorrupt
    from .exceptions import LedgerError as LedgerError
    from .exceptions import LedgerUnavailable as LedgerUnavailable
    from .exceptions import LedgerUnavailableBlocked as LedgerUnavailableBlocked
    from .exceptions import NothingSpent as NothingSpent
    from .exceptions import PathViolation as PathViolation
    from .exceptions import PolicyFileError as PolicyFileError
    from .exceptions import PolicyMutationError as PolicyMutationError
    from .exceptions import PolicyViolation as PolicyViolation
    from .exceptions import RateLimitExceeded as RateLimitExceeded
    from .exceptions import TicketUsedError as TicketUsedError
    from .exceptions import UnknownModelError as UnknownModelError
    from .exceptions import UnknownTierError as UnknownTierError
    from .exceptions import UnpricedCall as UnpricedCall
    from .exceptions import ValidationBlocked as ValidationBlocked
    from .identity import AgentIdentity as AgentIdentity
    from .ledger import open_ledger as open_ledger
    from .ledger.memory import MemoryLedger as MemoryLedger
    from .policy import SecurityPolicy as SecurityPolicy
    from .policy_file import LoadedPolicy as LoadedPolicy
    from .policy_file import load_policy as load_policy
    from .policy_presets import STRICT_MODEL_TIER_BUDGET as STRICT_MODEL_TIER_BUDGET
    from .policy_presets import strict_tier_budget_policy as strict_tier_budget_policy
    from .prices import Reach as Reach
    from .rate_limits import RateLimit as RateLimit
    from .reconciliation import ReconciliationRecord as ReconciliationRecord
    from .sdk_credit import AGENT_SDK_TIER_USD as AGENT_SDK_TIER_USD
    from .sdk_credit import AgentSDKCreditBudget as AgentSDKCreditBudget
    from .sdk_credit import AgentSDKCreditDecision as AgentSDKCreditDecision
    from .sdk_credit import AgentSDKCreditVerdict as AgentSDKCreditVerdict
    from .self_heal import AirlockResponse as AirlockResponse
    from .self_heal import BlockedResult as BlockedResult
    from .self_heal import handle_blocked as handle_blocked
    from .self_heal import handle_budget_exceeded as handle_budget_exceeded
    from .self_heal import handle_capability_denied as handle_capability_denied
    from .self_heal import handle_endpoint_blocked as handle_endpoint_blocked
    from .self_heal import handle_ghost_arguments as handle_ghost_arguments
    from .self_heal import handle_ledger_unavailable as handle_ledger_unavailable
    from .self_heal import handle_path_violation as handle_path_violation
    from .self_heal import handle_policy_violation as handle_policy_violation
    from .self_heal import handle_rate_limit as handle_rate_limit
    from .self_heal import handle_validation_error as handle_validation_error
    from .tiers import BudgetEstimate as BudgetEstimate
    from .tiers import ModelTierBudget as ModelTierBudget
    from .tiers import TierBudget as TierBudget

_ROOMS = {
    "AGENT_SDK_TIER_USD": "sdk_credit",
    "AgentIdentity": "identity",
    "AgentSDKCreditBudget": "sdk_credit",
    "AgentSDKCreditDecision": "sdk_credit",
    "AgentSDKCreditVerdict": "sdk_credit",
    "Airlock": "decorator",
    "AirlockBlocked": "exceptions",
    "AirlockBudgetExceeded": "exceptions",
    "AirlockConfig": "config",
    "AirlockContext": "context",
    "AirlockError": "exceptions",
    "AirlockResponse": "self_heal",
    "BlockReason": "exceptions",
    "BlockedResult": "self_heal",
    "Budget": "budgets",
    "BudgetConfig": "caps",
    "BudgetEstimate": "tiers",
    "BudgetExceededError": "exceptions",
    "Capability": "checks.capabilities",
    "CapabilityDenied": "exceptions",
    "CapabilityPolicy": "checks.capabilities",
    "ContextExtractor": "context",
    "Cost": "cost",
    "CostRecord": "cost_tracking",
    "CostSummary": "cost_tracking",
    "CostTracker": "cost_tracking",
    "EndpointBlocked": "exceptions",
    "EndpointPolicy": "checks.endpoints",
    "Event": "events",
    "EventKind": "events",
    "FilePath": "checks.markers",
    "FilesystemPolicy": "checks.filesystem",
    "GhostArgumentsBlocked": "exceptions",
    "LedgerCorrupt": "exceptions",
    "LedgerError": "exceptions",
    "LedgerUnavailable": "exceptions",
    "LedgerUnavailableBlocked": "exceptions",
    "LoadedPolicy": "policy_file",
    "MemoryLedger": "ledger.memory",
    "ModelCapabilityTier": "checks.capabilities",
    "ModelTierBudget": "tiers",
    "NothingSpent": "exceptions",
    "PathViolation": "exceptions",
    "PolicyFileError": "exceptions",
    "PolicyMutationError": "exceptions",
    "PolicyViolation": "exceptions",
    "RateLimit": "rate_limits",
    "RateLimitExceeded": "exceptions",
    "Reach": "prices",
    "ReconciliationRecord": "reconciliation",
    "STRICT_MODEL_TIER_BUDGET": "policy_presets",
    "SecurityPolicy": "policy",
    "TicketUsedError": "exceptions",
    "TierBudget": "tiers",
    "TimeWindow": "checks.hours",
    "TokenUsage": "call",
    "UnknownArgsMode": "checks.modes",
    "UnknownModelError": "exceptions",
    "UnknownTierError": "exceptions",
    "UnpricedCall": "exceptions",
    "Url": "checks.markers",
    "ValidationBlocked": "exceptions",
    "airlock": "decorator",
    "get_current_context": "context",
    "get_global_tracker": "cost_tracking",
    "handle_blocked": "self_heal",
    "handle_budget_exceeded": "self_heal",
    "handle_capability_denied": "self_heal",
    "handle_endpoint_blocked": "self_heal",
    "handle_ghost_arguments": "self_heal",
    "handle_ledger_unavailable": "self_heal",
    "handle_path_violation": "self_heal",
    "handle_policy_violation": "self_heal",
    "handle_rate_limit": "self_heal",
    "handle_validation_error": "self_heal",
    "load_policy": "policy_file",
    "open_beneath": "beneath",
    "open_ledger": "ledger",
    "requires": "checks.capabilities",
    "reset_context": "context",
    "set_current_context": "context",
    "set_global_tracker": "cost_tracking",
    "strict_tier_budget_policy": "policy_presets",
}
"""Public name → the room it lives in. Loaded when it is first asked for."""

__all__ = list(_ROOMS)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{room}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
