"""Which accounts a call counts in under a policy, which limits hold, and why. Pure; nothing is asked of a ledger.

The resolver that a gate uses (``BudgetSet``) says where a call counts; here is only worked out why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..budgets import Budget, BudgetSet, Slot
from ..checks.access import check_access
from ..checks.modes import Mode
from ..exceptions import PolicyViolation, UnknownTierError
from ..ledger.accounts import Account
from ..policy import SecurityPolicy
from ..policy_prices import PolicyPrices

Values = Mapping[str, str | None]
"""The call's value of each kind of ``scopes.KINDS``; None where it has none."""
Key = tuple[str, bool]
"""An account's line, and whether the limit is of a single call."""


@dataclass(frozen=True)
class Counted:
    """A limit that a call meets."""

    account: Account
    """A limit of a single call (``kind="call"``) has none; then its scope and its unit alone mean something."""
    kind: Literal["rate", "budget", "call"]
    name: str
    """The budget's scope, or the rate limit's pattern, as it is written."""
    limit: int
    warn_at: int | None
    mode: Mode


@dataclass(frozen=True)
class Replaced:
    """A budget that is over the call, and that another one stands for."""

    place: int
    """In the policy's list of budgets."""
    budget: Budget
    by: str
    """The other one's scope."""
    why: str


@dataclass(frozen=True)
class Aside:
    """A budget in which the call does not count."""

    place: int
    budget: Budget
    why: str


@dataclass(frozen=True)
class TierCap:
    """What the call's tier allows one call. ``why`` it is in this tier."""

    label: str
    why: str
    max_cost_cents: int | None
    max_output_tokens: int | None
    mode: Mode


@dataclass(frozen=True)
class Explanation:
    """All that limits the calls of these values. ``blocked``: why none of them passes, whatever it costs."""

    values: Values
    """As they are counted: aliases of models resolved, the strict tier where nobody tagged the call."""
    blocked: str | None
    tier: TierCap | None
    counted: tuple[Counted, ...]
    replaced: tuple[Replaced, ...]
    aside: tuple[Aside, ...]


def explain(policy: SecurityPolicy, values: Values, now_ms: int) -> Explanation:
    """What a call with these values would meet at ``now_ms`` (milliseconds since 1970).

    Its ``values["tool"]`` is not None. Roles are taken to be right: a call's are not among its values.
    """
    blocked = _access(policy, values, now_ms)
    try:
        tier = _tier(policy, values.get("tier"))
    except UnknownTierError as error:
        return Explanation(values, blocked or str(error), None, (), (), ())
    model = values.get("model")
    if model is not None:
        model = PolicyPrices(policy.prices, policy.model_aliases).resolve(model)
    values = {**values, "model": model, "tier": values.get("tier") if tier is None else tier.label}
    slots = _slots(policy, values, now_ms)
    replaced, aside = _others(policy, values, slots, now_ms)
    counted = tuple(_counted(slot, is_call) for (_, is_call), slot in slots.items())
    return Explanation(values, blocked, tier, counted, replaced, aside)


def _access(policy: SecurityPolicy, values: Values, now_ms: int) -> str | None:
    try:
        check_access(
            policy,
            values["tool"] or "",
            agent_id=values.get("agent"),
            roles=policy.allowed_roles,
            now_ms=now_ms,
        )
    except PolicyViolation as violation:
        return None if "observe" in (policy.mode, policy.access_mode) else violation.message
    return None


def _tier(policy: SecurityPolicy, label: str | None) -> TierCap | None:
    budget = policy.model_tier_budget
    if budget is None:
        return None
    mode: Mode = "observe" if "observe" in (policy.mode, budget.mode) else "enforce"
    why = "named" if label is not None else "no tier is named, so the strict one holds"
    try:
        found = budget.resolve_tier(explicit=label)
    except UnknownTierError:
        if mode == "enforce":
            raise
        found, why = budget.strict_tier, "the one named is not known, so the strict one holds"
    cap = budget.cap_for(found)
    return TierCap(found, why, cap.max_cost_cents, cap.max_output_tokens, mode)


def _slots(policy: SecurityPolicy, values: Values, now_ms: int) -> dict[Key, Slot]:
    observe = policy.mode == "observe"
    windows = [budget for budget in policy.budgets if budget.window != "call"]
    calls = [_as_total(budget) for budget in policy.budgets if budget.window == "call"]
    found: dict[Key, Slot] = {}
    for slot in _ask(BudgetSet(windows, policy.rate_limits, observe=observe), values, now_ms):
        found[slot.account.line, False] = slot
    for slot in _ask(BudgetSet(calls, observe=observe), values, now_ms):
        found[slot.account.line, True] = slot
    return found


def _others(
    policy: SecurityPolicy, values: Values, slots: Mapping[Key, Slot], now_ms: int
) -> tuple[tuple[Replaced, ...], tuple[Aside, ...]]:
    """The budgets that no slot is of."""
    over: dict[Key, list[tuple[int, Budget]]] = {}
    aside: list[Aside] = []
    for place, budget in enumerate(policy.budgets):
        # Where the call would count if this were the only budget.
        alone = _ask(BudgetSet([_as_total(budget)], observe=policy.mode == "observe"), values, now_ms)
        if alone:
            over.setdefault((alone[0].account.line, budget.window == "call"), []).append((place, budget))
        else:
            aside.append(Aside(place, budget, _why_not(budget, values)))
    replaced: list[Replaced] = []
    for key, budgets in over.items():
        slot = slots[key]
        chosen, winner = next(
            (place, budget) for place, budget in budgets if (budget.scope, budget.amount) == (slot.name, slot.amount)
        )
        replaced += [
            Replaced(place, budget, winner.scope, _why_replaced(budget, winner))
            for place, budget in budgets
            if place != chosen
        ]
    return tuple(sorted(replaced, key=lambda one: one.place)), tuple(aside)


def _ask(budgets: BudgetSet, values: Values, now_ms: int) -> tuple[Slot, ...]:
    return budgets.slots(tuple(values.get(kind) for kind in budgets.kinds), now_ms)


def _as_total(budget: Budget) -> Budget:
    """A limit of one call has no account; as one of the total it is matched and chosen in the same way."""
    return replace(budget, window="total") if budget.window == "call" else budget


def _why_replaced(budget: Budget, winner: Budget) -> str:
    if winner.named > budget.named:
        return f"{winner.scope!r} names more of the call"
    return "of several on one account the lower limit holds"


def _why_not(budget: Budget, values: Values) -> str:
    part = next(part for part in budget.parts if not part.matches(values.get(part.kind)))
    has = values.get(part.kind)
    return f"the call's {part.kind} is {has!r}" if has is not None else f"the call has no {part.kind}"


def _counted(slot: Slot, is_call: bool) -> Counted:
    kind: Literal["rate", "budget", "call"] = "rate" if slot.is_rate else "call" if is_call else "budget"
    mode: Mode = "observe" if slot.limit is None else "enforce"
    return Counted(slot.account, kind, slot.name, slot.amount, slot.warn_amount, mode)
