"""A policy and its configuration as the text of an ``airlock.toml``, which reads back equal."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from .budgets import Budget
from .config import AirlockConfig
from .exceptions import plain
from .ledger.accounts import Unit
from .money import parse_usd, usd_from_nano
from .policy import SecurityPolicy
from .rate_limits import RateLimit
from .tiers import ModelTierBudget

try:
    import tomli_w
except ImportError as error:
    raise ImportError(
        "writing a policy as TOML needs tomli-w: pip install 'agent-airlock-ledger[cli]'", name="tomli_w"
    ) from error

if TYPE_CHECKING:
    from .checks.capabilities import Capability, CapabilityPolicy

_TABLES: Final = ("model_tier_budget", "budgets", "prices", "model_aliases", "capability_policy")
"""Fields of a policy that are tables of their own."""
_SIMPLE: Final = ("unknown_args", "arguments_mode", "path_arguments", "url_arguments")
"""Fields of a configuration that stand in ``[policy]``. Callbacks do not: they are the code's."""


def policy_text(policy: SecurityPolicy, config: AirlockConfig | None = None, ledger_url: str | None = None) -> str:
    """The file of a policy, its configuration and its ledger. What is at its default is left out.

    Raises:
        ValueError: the policy has a ``tier_resolver``: what a function does has no text.
    """
    config = config or AirlockConfig()
    tables: dict[str, Any] = {
        "policy": _given(policy, SecurityPolicy(), _TABLES) | _only(_given(config, AirlockConfig()), _SIMPLE),
        "tiers": policy.model_tier_budget and _tiers(policy.model_tier_budget),
        "budgets": [_budget(budget) for budget in policy.budgets],
        "prices": {model: _prices(row) for model, row in policy.prices.items()},
        "model_aliases": dict(policy.model_aliases),
        "filesystem": config.filesystem_policy and _given(config.filesystem_policy),
        "endpoints": {tool: _given(endpoints) for tool, endpoints in config.endpoint_policies.items()},
        "capabilities": policy.capability_policy and _capabilities(policy.capability_policy),
        "ledger": ledger_url and {"url": ledger_url},
    }
    return tomli_w.dumps(_plain({name: table for name, table in tables.items() if table}))


def _given(value: Any, default: Any = None, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass that are not at their default."""
    known = (item.name for item in dataclasses.fields(value) if item.init and item.name not in but)
    fields = {name: getattr(value, name) for name in known}
    if default is None:
        return {name: item for name, item in fields.items() if item is not None}
    return {name: item for name, item in fields.items() if item != getattr(default, name)}


def _only(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in names}


def _tiers(budget: ModelTierBudget) -> dict[str, Any]:
    if budget.tier_resolver is not None:
        raise ValueError("a policy with a tier_resolver cannot be written as TOML: what a function does has no text")
    if taken := {"strict", "mode"} & set(budget.tiers):
        raise ValueError(f"a tier named {min(taken)!r} cannot be written as TOML: [tiers] has a key of that name")
    tiers: dict[str, Any] = {"strict": budget.strict_tier}
    if budget.mode != "enforce":
        tiers["mode"] = budget.mode
    return tiers | {label: _given(cap) for label, cap in budget.tiers.items()}


def _budget(budget: Budget) -> dict[str, Any]:
    amount = plain(usd_from_nano(budget.amount)) if budget.unit is Unit.USD else str(budget.amount)
    unit = "USD" if budget.unit is Unit.USD else budget.unit.value
    kept = {name: getattr(budget, name) for name in ("window", "zone", "warn_at", "mode")}
    default = Budget("global", "0 calls")
    changed = {name: value for name, value in kept.items() if value != getattr(default, name)}
    return {"scope": budget.scope, "limit": f"{amount} {unit}", **changed}


def _prices(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if type(value) is int else parse_usd(value, what=key) for key, value in row.items()}


def _capabilities(policy: CapabilityPolicy) -> dict[str, Any]:
    models = [
        {"models": list(tier.models), "granted": _names(tier.granted), "denied": _names(tier.denied)}
        for tier in policy.tiers
    ]
    table: dict[str, Any] = {"granted": _names(policy.granted), "denied": _names(policy.denied), "mode": policy.mode}
    return {**table, "models": models} if policy.model_tier is not None else table


def _names(capability: Capability) -> list[str]:
    return [name.lower() for name in capability.names]


def _plain(value: Any) -> Any:
    """As TOML has it."""
    if isinstance(value, RateLimit):
        return str(value) if value.mode == "enforce" else {"limit": str(value), "mode": value.mode}
    given = value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in given.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in given]
    if isinstance(value, timedelta):
        return Decimal(str(value.total_seconds()))
    if isinstance(value, bool) or type(value) in (int, str, Decimal):
        return value
    if isinstance(value, float):
        return Decimal(str(value))
    return str(value)
