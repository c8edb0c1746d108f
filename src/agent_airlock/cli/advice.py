"""What is allowed in a policy's file, and yet worth a second look. It asks the installed price data, and the day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ..budget_index import BudgetIndex
from ..budgets import Budget, BudgetSet
from ..checks.access import matches
from ..ledger.accounts import Unit
from ..policy_file import LoadedPolicy
from ..price_facts import card_of
from ..scopes import MAX_VALUE_BYTES
from .ages import stale_prices
from .loading import noted

if TYPE_CHECKING:
    from ..policy import SecurityPolicy

MADE_UP: Final = ("session", "agent", "user")
"""Kinds whose ids an agent, or whoever calls it, can make up: a new id is a new account, and the whole limit again."""


def advice(loaded: LoadedPolicy) -> Iterator[str]:
    """Each point as ``key: what``."""
    policy = loaded.policy
    yield from _observing(loaded)
    yield from _shadowed(policy)
    yield from _merged(policy)
    yield from _unbounded(policy)
    yield from _never_counting(policy)
    yield from _unpriced(policy)
    stale = stale_prices()
    if stale is not None:
        yield stale


def _observing(loaded: LoadedPolicy) -> Iterator[str]:
    policy, config = loaded.policy, loaded.config
    modes = {
        "policy.mode": policy.mode,
        "policy.access_mode": policy.access_mode,
        "policy.arguments_mode": config.arguments_mode,
        "tiers.mode": policy.model_tier_budget and policy.model_tier_budget.mode,
        "capabilities.mode": policy.capability_policy and policy.capability_policy.mode,
        "filesystem.mode": config.filesystem_policy and config.filesystem_policy.mode,
    }
    modes |= {f"budgets[{place}].mode": budget.mode for place, budget in enumerate(policy.budgets)}
    modes |= {
        f"policy.rate_limits.{pattern}.mode": limit.mode
        for pattern, limit in policy.rate_limits.items()
        if not isinstance(limit, str)
    }
    modes |= {f"endpoints.{tool}.mode": endpoints.mode for tool, endpoints in config.endpoint_policies.items()}
    for key, mode in modes.items():
        if mode == "observe":
            yield f"{key}: 'observe' blocks nothing"


def _shadowed(policy: SecurityPolicy) -> Iterator[str]:
    for pattern in policy.allowed_tools:
        by = next((denied for denied in policy.denied_tools if _covers(denied, pattern)), None)
        if by is not None:
            yield f"policy.allowed_tools: {pattern!r} allows nothing, because denied_tools has {by!r}"
    if not policy.allowed_tools and policy.default_deny:
        yield "policy.default_deny: no tool may be called, because allowed_tools is empty"
    elif not policy.allowed_tools and "*" in policy.denied_tools:
        yield "policy.denied_tools: no tool may be called, because '*' is denied"


def _covers(wide: str, narrow: str) -> bool:
    """Whether every tool that ``narrow`` means is one that ``wide`` means: certain where it says so."""
    # A star matches whatever stands there, also a star or "?" of the other pattern. The signs of a set ("[ab]") are
    # no names, so of sets nothing is certain; nor of "?", which would match a star.
    certain = not set(wide) & set("?[") and "[" not in narrow
    return wide in ("*", narrow) or (certain and matches(narrow, wide))


def _merged(policy: SecurityPolicy) -> Iterator[str]:
    _, warned = noted(lambda: BudgetSet(policy.budgets))
    yield from (f"budgets: {message}" for message in warned)


def _unbounded(policy: SecurityPolicy) -> Iterator[str]:
    """A budget for each of the ids that agents make up, around which none of a fixed number of accounts stands."""
    enforced = [budget for budget in policy.budgets if budget.mode == "enforce" and budget.window != "call"]
    fixed = {(budget.unit, budget.parts): budget for budget in enforced if not _made_up(budget)}
    around = {unit: BudgetIndex(budget for (its, _), budget in fixed.items() if its is unit) for unit in Unit}
    for place, budget in enumerate(policy.budgets):
        made_up = _made_up(budget)
        if budget.mode != "enforce" or budget.window == "call" or not made_up:
            continue
        if not around[budget.unit].matching(_named(budget)):
            kinds = " and ".join(made_up)
            yield (
                f"budgets[{place}]: {budget.scope!r} has its limit anew for each {kinds} id, and ids can be made up: "
                f"add a budget in {'USD' if budget.unit is Unit.USD else budget.unit} over a fixed scope around it, "
                "such as 'global'"
            )


def _made_up(budget: Budget) -> list[str]:
    return [part.kind for part in budget.parts if part.wildcard and part.kind in MADE_UP]


class _Named(dict[str, str | None]):
    """The values that a budget names; of other kinds one that no budget can name, so that only wildcards match it."""

    def __missing__(self, kind: str) -> str:
        return "x" * (MAX_VALUE_BYTES + 1)


def _named(budget: Budget) -> _Named:
    return _Named({part.kind: part.value for part in budget.parts if not part.wildcard})


def _never_counting(policy: SecurityPolicy) -> Iterator[str]:
    tiers = None if policy.model_tier_budget is None else policy.model_tier_budget.tiers
    for place, budget in enumerate(policy.budgets):
        for part in budget.parts:
            if part.value is None:
                continue
            if part.kind == "model" and part.value in policy.model_aliases:
                model = policy.model_aliases[part.value]
                yield f"budgets[{place}]: counts nothing: {part.value!r} is an alias, and is counted as {model!r}"
            if part.kind == "tier" and tiers is not None and part.value not in tiers:
                yield f"budgets[{place}]: counts nothing: {part.value!r} is no tier; known are {', '.join(tiers)}"


def _unpriced(policy: SecurityPolicy) -> Iterator[str]:
    if not policy.model_aliases:
        return
    from ..policy_prices import PolicyPrices

    prices = PolicyPrices(policy.prices, policy.model_aliases)
    for alias, model in policy.model_aliases.items():
        if card_of(alias, prices) is None:
            yield f"model_aliases.{alias}: no price is known for {model!r}"
