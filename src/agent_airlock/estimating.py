"""The most that a call may cost, known before it runs, and the tier that it is in. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .call import Call, Estimate, Tags, check_tokens
from .cost import Cost, Pricer, model_estimate
from .events import Listener
from .exceptions import (
    AirlockBlocked,
    BudgetExceededError,
    PolicyViolation,
    UnknownTierError,
    UnpricedCall,
    ValidationBlocked,
)
from .money import nano_from_usd_up
from .observing import tell_would_block
from .tiers import ModelTierBudget

if TYPE_CHECKING:
    from .policy_prices import PolicyPrices


def estimate_of(
    call: Call,
    cost: Cost,
    budget: ModelTierBudget | None,
    pricer: Pricer,
    prices: PolicyPrices | None = None,
    *,
    capped: bool = True,
) -> Estimate:
    """The most that a call may cost, and the tier that it is in.

    ``prices`` are the policy's own, for the names that they give models. ``capped``: the tier's caps hold.

    Raises:
        PolicyViolation: its tier is not one of the budget's.
        ValidationBlocked: a tag means nothing, or a price function failed.
        AirlockBudgetExceeded, UnpricedCall: its tier does not allow it, or its cost is not known.
    """
    model_id, tier, asked, input_tokens = _named(call, cost, budget, prices, capped)
    caps = budget if capped else None
    if cost.kind != "model":
        usd = cost.declared(call.arguments) if cost.kind == "function" else cost.price
        estimate = Estimate(usd, nano_from_usd_up(usd), input_tokens or 0, asked or 0, model_id, tier)
        if caps is not None and tier is not None:
            caps.check_declared(tier, estimate, asked)
        return estimate
    if input_tokens is None:
        input_tokens = _counted(call)
    if caps is not None and tier is not None:
        return caps.admit(
            tier,
            input_tokens=input_tokens,
            asked=asked,
            model_id=model_id,
            pricer=pricer,
            reach=cost.reach,
        )
    return model_estimate(
        pricer,
        model_id=model_id,
        tier=tier,
        input_tokens=input_tokens,
        output_tokens=asked,
        reach=cost.reach,
    )


def observed_estimate(
    call: Call,
    cost: Cost,
    budget: ModelTierBudget | None,
    pricer: Pricer,
    prices: PolicyPrices | None,
    *,
    all_observed: bool,
    listener: Listener | None,
) -> Estimate:
    """The estimate where the tier's caps, or with ``all_observed`` the whole policy, only observe.

    What cannot be priced then has an estimate without an amount: a limit that is enforced all the same refuses it.

    Raises:
        AirlockBlocked: what is not observed.
    """
    try:
        return estimate_of(call, cost, budget, pricer, prices)
    except AirlockBlocked as block:
        if not (all_observed or isinstance(block, (BudgetExceededError, PolicyViolation))):
            raise
        tell_would_block(call.tool, "tier", block.reason, listener)
    try:
        return estimate_of(call, cost, budget, pricer, prices, capped=False)
    except AirlockBlocked as block:
        if not isinstance(block, UnpricedCall):
            if not all_observed:
                raise
            return Estimate(None, None, bound="input_only")
    model_id, tier, asked, input_tokens = _named(call, cost, budget, prices, capped=False)
    return Estimate(None, None, input_tokens or 0, asked or 0, model_id, tier, "input_only")


def _named(
    call: Call, cost: Cost, budget: ModelTierBudget | None, prices: PolicyPrices | None, capped: bool
) -> tuple[str | None, str | None, int | None, int | None]:
    """The call's model, its tier, and the output limit and the input that its tags name, in tokens."""
    tags = _tags(call)
    named = _text(call, "model_id", tags.model_id)
    model_id = named or cost.model_id
    if prices is not None:
        named, model_id = _meant(prices, named), _meant(prices, model_id)
    tier = _tier(call, budget, tags.tier, named, capped)
    asked = _count(call, "max_output_tokens", tags.max_output_tokens)
    return model_id, tier, asked, _count(call, "input_tokens", tags.input_tokens)


def model_of(call: Call, prices: PolicyPrices | None) -> str | None:
    """The model that the call's tags name.

    Raises:
        ValidationBlocked: the tag is no text.
    """
    return _meant(prices, _text(call, "model_id", _tags(call).model_id))


def _meant(prices: PolicyPrices | None, model_id: str | None) -> str | None:
    return model_id if prices is None or model_id is None else prices.resolve(model_id)


def _tags(call: Call) -> Tags:
    """The call's tags, each from the first place that has it: its keyword, then the contexts, the nearest first."""
    tags = call.tags
    for context in call.contexts:
        said = context.metadata
        if said:
            tags = Tags(
                said.get("airlock_tier") if tags.tier is None else tags.tier,
                said.get("model_id") if tags.model_id is None else tags.model_id,
                said.get("input_tokens") if tags.input_tokens is None else tags.input_tokens,
                said.get("max_output_tokens") if tags.max_output_tokens is None else tags.max_output_tokens,
            )
    return tags


def _tier(
    call: Call, budget: ModelTierBudget | None, explicit: object, model_id: str | None, capped: bool
) -> str | None:
    if budget is None:
        return _text(call, "airlock_tier", explicit)
    try:
        return budget.resolve_tier(explicit=cast("str | None", explicit), model_id=model_id)
    except UnknownTierError as error:
        if not capped:
            return budget.strict_tier
        raise PolicyViolation(f"{call.tool}: {error}", hints=(f"Known tiers: {', '.join(error.known)}.",)) from error


def _text(call: Call, key: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise ValidationBlocked(
        f"{call.tool}: the tag {key} must be text, not {type(value).__name__}",
        hints=(f"Give {key} as text, or leave it out.",),
    )


def _count(call: Call, key: str, value: object) -> int | None:
    if value is None:
        return None
    try:
        return check_tokens(value, key)
    except ValueError:
        raise ValidationBlocked(
            f"{call.tool}: the tag {key} must be a non-negative whole number of tokens",
            hints=(f"Give {key} as a non-negative whole number, or leave it out.",),
        ) from None


def _counted(call: Call) -> int:
    """An upper bound of the input, from the text in the arguments."""
    from .tokens import arguments_bound  # only where nobody tells how many tokens a call has

    try:
        args, kwargs = call.raw
        return max(arguments_bound(kwargs, args), arguments_bound(call.kwargs, call.args))
    except ValueError as error:
        raise ValidationBlocked(
            f"{call.tool}: the text in its arguments cannot be counted: {error}",
            hints=("Pass fewer or flatter arguments, or tell _airlock_input_tokens.",),
        ) from None
