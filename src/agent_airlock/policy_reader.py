"""From the tables of an ``airlock.toml`` to a policy and its configuration, and what is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from pydantic import ValidationError

from .budgets import Budget
from .checks.capabilities import Capability, CapabilityPolicy, ModelCapabilityTier
from .checks.endpoints import EndpointPolicy
from .checks.filesystem import FilesystemPolicy
from .checks.modes import UnknownArgsMode
from .config import AirlockConfig
from .exceptions import PolicyFileError
from .policy import SecurityPolicy
from .policy_tables import CapabilitiesTable, PolicyFile, PolicyTable, Rate, RateTable, Table, TiersTable, TierTable
from .rate_limits import RateLimit
from .tiers import ModelTierBudget, TierBudget

T = TypeVar("T")
_MAX_TOLD: Final = 20


def read_tables(tables: Mapping[str, Any], name: str, folder: Path) -> tuple[SecurityPolicy, AirlockConfig, str | None]:
    """The policy, the configuration and the ledger's URL of a file's tables.

    Raises:
        PolicyFileError: every problem, each with its key's path.
    """
    try:
        file = PolicyFile.model_validate(tables)
    except ValidationError as error:
        raise PolicyFileError(name, tuple(_structural(error))[:_MAX_TOLD]) from None
    problems: list[str] = []
    policy, config = _policy(file, problems), _config(file, folder, problems)
    if problems or config is None:
        raise PolicyFileError(name, tuple(problems[:_MAX_TOLD]))
    return policy, config, None if file.ledger is None else file.ledger.url


def _policy(file: PolicyFile, problems: list[str]) -> SecurityPolicy:
    given = {name: value for name, value in file.policy.given().items() if name not in _OF_CONFIG}
    rates = {
        pattern: _made(f"policy.rate_limits.{_key(pattern)}", problems, _rate, limit)
        for pattern, limit in given.get("rate_limits", {}).items()
    }
    budgets = [
        _made(f"budgets[{place}]", problems, Budget, **budget.given()) for place, budget in enumerate(file.budgets)
    ]
    given |= {
        "rate_limits": {pattern: rate for pattern, rate in rates.items() if rate is not None},
        "budgets": [budget for budget in budgets if budget is not None],
        "prices": {model: row.given() for model, row in file.prices.items()},
        "model_aliases": file.model_aliases,
        "model_tier_budget": file.tiers and _made("tiers", problems, _tier_budget, file.tiers),
        "capability_policy": file.capabilities and _made("capabilities", problems, _capabilities, file.capabilities),
    }
    policy = SecurityPolicy()
    for field, value in given.items():
        place = f"policy.{field}" if field in PolicyTable.model_fields else field
        _made(place, problems, setattr, policy, field, value)
    return policy


def _config(file: PolicyFile, folder: Path, problems: list[str]) -> AirlockConfig | None:
    given = {name: value for name, value in file.policy.given().items() if name in _OF_CONFIG}
    if "unknown_args" in given:
        given["unknown_args"] = UnknownArgsMode(given["unknown_args"])
    if file.filesystem is not None:
        table = file.filesystem.given()
        table["allowed_roots"] = [str(folder / root) for root in table["allowed_roots"]]
        given["filesystem_policy"] = _made("filesystem", problems, FilesystemPolicy, **table)
    endpoints = {
        tool: _made(f"endpoints.{_key(tool)}", problems, EndpointPolicy, **table.given())
        for tool, table in file.endpoints.items()
    }
    given["endpoint_policies"] = {tool: policy for tool, policy in endpoints.items() if policy is not None}
    return _made("policy", problems, AirlockConfig, **given)


_OF_CONFIG: Final = frozenset(("unknown_args", "arguments_mode", "path_arguments", "url_arguments"))
"""The keys of ``[policy]`` that ``AirlockConfig`` has."""


def _rate(limit: str | RateTable) -> RateLimit:
    if isinstance(limit, str):
        return RateLimit.parse(limit)
    parsed = RateLimit.parse(limit.limit)
    return RateLimit(parsed.calls, parsed.window, limit.mode)


def _tier_budget(tiers: TiersTable) -> ModelTierBudget:
    caps = tiers.__pydantic_extra__ or {}
    return ModelTierBudget(
        {label: TierBudget(cap.max_cost_cents, cap.max_output_tokens) for label, cap in caps.items()},
        tiers.strict,
        mode=tiers.mode,
    )


def _capabilities(table: CapabilitiesTable) -> CapabilityPolicy:
    models = [
        ModelCapabilityTier(tuple(row.models), Capability.parse(row.granted), Capability.parse(row.denied))
        for row in table.models
    ]
    granted, denied = Capability.parse(table.granted), Capability.parse(table.denied)
    return CapabilityPolicy(granted, denied, models or None, table.mode)


# --- problems --------------------------------------------------------------------------------------------


def _made(key: str, problems: list[str], make: Callable[..., T], /, *args: Any, **kwargs: Any) -> T | None:
    """What ``make`` makes; where it does not, what is wrong joins ``problems``."""
    try:
        return make(*args, **kwargs)
    except (ValueError, TypeError) as error:
        problems.append(f"{key}: {error}")
        return None


def _structural(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False, include_context=False):
        steps, known = _walk(detail["loc"])
        if detail["type"] == "extra_forbidden":
            nearest = difflib.get_close_matches(str(steps[-1]), known, 1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(sorted(known))}"
            yield f"{_path(steps)}: unknown key; {hint}"
        else:
            said = detail["msg"].removeprefix("Value error, ")
            yield f"{_path(steps)}: {said[:1].lower()}{said[1:]}"


def _walk(place: tuple[int | str, ...]) -> tuple[list[int | str], list[str]]:
    """The steps of a place that stand in the file, and the keys that its last table knows."""
    steps: list[int | str] = []
    known: list[str] = []
    kind: Any = PolicyFile
    for step in place:
        members = [kind, *get_args(kind)]
        table = next((one for one in members if isinstance(one, type) and issubclass(one, Table)), None)
        if get_origin(kind) in (list, dict):
            kind = get_args(kind)[-1]
        elif kind is Rate or get_origin(kind) is Annotated:
            kind = RateTable
            continue  # pydantic's name for the member of a union is no key of the file
        elif table is not None:
            known = list(table.model_fields)
            field = table.model_fields.get(str(step))
            kind = TierTable if field is None and table is TiersTable else field and field.annotation
        steps.append(step)
    return steps, known


def _path(place: list[int | str]) -> str:
    path = ""
    for step in place:
        path += f"[{step}]" if isinstance(step, int) else f".{_key(step)}"
    return path.removeprefix(".") or "the file"


def _key(key: str) -> str:
    """A key as TOML writes it."""
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isascii() and bare.isalnum() else f'"{key[:80]}"'
