"""What a call may cost and where that is counted, worked out before it runs. Pure: nothing is asked of a ledger.

``Gate.quote(call)`` finds the tier, the estimate, and the holds on each book.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import Final, NamedTuple, cast

from .budgets import Budget, BudgetSet, Slot, holds
from .call import Call, Estimate, Tags, check_tokens
from .caps import check_tracker_call
from .config import AirlockConfig
from .cost import Cost, model_estimate
from .cost_tracking import CostTracker, Epoch, get_global_tracker
from .exceptions import PolicyViolation, UnknownTierError, ValidationBlocked
from .ledger.accounts import Hold, Labels
from .ledger.commands import Book
from .ledger.ids import IDS
from .money import nano_from_usd_up
from .policy import SecurityPolicy
from .tiers import ModelTierBudget
from .values import message

_FREE: Final = Cost.free()
_MODEL: Final = Cost.model()


@message
class Plan:
    """The holds of one call on one book, under one id. ``slots`` say which budget each hold is of, where one is."""

    book: Book
    id: str
    holds: tuple[Hold, ...]
    slots: tuple[Slot, ...]
    on_tracker: bool
    """Whether the tracker's holds are among them, after those of ``slots``."""


@message
class Quote:
    """An estimate and its holds. Nothing is held."""

    gate: Gate
    call: Call
    tracker: CostTracker
    epoch: Epoch
    cost: Cost
    estimate: Estimate
    budgets: BudgetSet
    """The policy's, as they were when the call came."""
    values: tuple[str | None, ...]
    labels: Labels
    plans: tuple[Plan, ...]
    began_ns: int
    """When the call came, by the monotonic clock."""

    def __repr__(self) -> str:
        return f"<Quote of {self.call.tool}: {self.estimate!r}>"


class _Compiled(NamedTuple):
    """A policy's budgets and lease, and what they were made from: one value, so that no thread sees half a change."""

    budgets: BudgetSet
    lease_ms: int
    seen: list[Budget]
    lease: object
    frozen: bool


class Gate:
    """One function under one policy: what is fixed before a call comes."""

    def __init__(
        self,
        tool: str,
        policy: SecurityPolicy,
        *,
        config: AirlockConfig,
        ledger: Book,
        cost: Cost | None,
        nothing_spent_on: tuple[type[BaseException], ...],
    ) -> None:
        self.tool = tool
        self.policy = policy
        self.config = config
        self.ledger = ledger
        self.nothing_spent_on = nothing_spent_on
        self._cost = cost
        self._compile()

    def _compile(self) -> BudgetSet:
        """Work out what the policy says now. It takes effect whole, or, where the policy is wrong, not at all."""
        policy = self.policy
        seen, lease = list(policy.budgets), policy.lease
        self._compiled = _Compiled(BudgetSet(seen), policy.lease_ms, seen, lease, policy.is_frozen())
        return self._compiled.budgets

    @property
    def budgets(self) -> BudgetSet:
        """The policy's budgets, compiled; anew where an unfrozen policy has changed."""
        compiled, policy = self._compiled, self.policy
        if compiled.frozen or (policy.lease is compiled.lease and policy.budgets == compiled.seen):
            return compiled.budgets
        return self._compile()

    @property
    def lease_ms(self) -> int:
        """How long the holds of a call stand, in milliseconds."""
        return self._compiled.lease_ms

    def quote(self, call: Call) -> Quote:
        """The estimate and the holds of a call.

        Raises:
            AirlockBlocked: a tag means nothing, the cost is not known, or a limit of a single call is passed.
        """
        policy = self.policy
        tracker = get_global_tracker()
        cost = self._cost or (_FREE if policy.model_tier_budget is None else _MODEL)
        estimate = estimate_of(call, cost, policy.model_tier_budget, tracker)
        if tracker.budget.caps_a_call:
            check_tracker_call(tracker.budget, estimate)
        budgets = self.budgets
        values: tuple[str | None, ...] = ()
        if budgets.budgets:
            values = budgets.values(call, estimate.tier, estimate.model_id)
            budgets.check_call(values, estimate)
        labels = Labels(call.tool, estimate.model_id, estimate.tier, call.value("agent_id"), call.value("session_id"))
        epoch = tracker.epoch
        quote = Quote(self, call, tracker, epoch, cost, estimate, budgets, values, labels, (), monotonic_ns())
        if budgets.budgets or tracker.budget.caps_a_session:
            quote.plans = self.plans(quote, self.ledger.now_ms())  # type: ignore[misc]  # only now it is complete
        return quote

    def plans(self, quote: Quote, now_ms: int) -> tuple[Plan, ...]:
        """The holds of a quote at a ledger's time: on the tracker's book, then on the gate's."""
        slots = quote.budgets.slots(quote.values, now_ms)
        exact = quote.cost.kind != "model"
        made, kept = holds(slots, quote.estimate, exact=exact) if slots else ((), ())
        epoch, id = quote.epoch, IDS.make(now_ms)
        if not quote.tracker.budget.caps_a_session:
            if epoch.ledger is self.ledger and made:
                return (Plan(self.ledger, id, made + epoch.holds_for(quote.estimate), kept, True),)
            return (Plan(self.ledger, id, made, kept, False),) if made else ()
        tracked = epoch.holds_for(quote.estimate)
        if epoch.ledger is self.ledger:
            return (Plan(self.ledger, id, made + tracked, kept, True),)
        on_tracker = Plan(epoch.ledger, id, tracked, (), True)
        return (on_tracker, Plan(self.ledger, id, made, kept, False)) if made else (on_tracker,)


# --- the estimate ----------------------------------------------------------------------------------------


def estimate_of(call: Call, cost: Cost, budget: ModelTierBudget | None, tracker: CostTracker) -> Estimate:
    """The most that a call may cost, and the tier that it is in.

    Raises:
        PolicyViolation: its tier is not one of the budget's.
        ValidationBlocked: a tag means nothing, or a price function failed.
        AirlockBudgetExceeded, UnpricedCall: its tier does not allow it, or its cost is not known.
    """
    tags = _tags(call)
    named = _text(call, "model_id", tags.model_id)
    tier = _tier(call, budget, tags.tier, named)
    asked = _count(call, "max_output_tokens", tags.max_output_tokens)
    input_tokens = _count(call, "input_tokens", tags.input_tokens)
    model_id = named or cost.model_id
    if cost.kind != "model":
        usd = cost.declared(call.arguments) if cost.kind == "function" else cost.price
        estimate = Estimate(usd, nano_from_usd_up(usd), input_tokens or 0, asked or 0, model_id, tier)
        if budget is not None and tier is not None:
            budget.check_declared(tier, estimate, asked)
        return estimate
    if input_tokens is None:
        input_tokens = _counted(call)
    if budget is not None and tier is not None:
        return budget.admit(
            tier,
            input_tokens=input_tokens,
            asked=asked,
            model_id=model_id,
            pricer=tracker,
            reach=cost.reach,
        )
    return model_estimate(
        tracker,
        model_id=model_id,
        tier=tier,
        input_tokens=input_tokens,
        output_tokens=asked,
        reach=cost.reach,
    )


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


def _tier(call: Call, budget: ModelTierBudget | None, explicit: object, model_id: str | None) -> str | None:
    if budget is None:
        return _text(call, "airlock_tier", explicit)
    try:
        return budget.resolve_tier(explicit=cast("str | None", explicit), model_id=model_id)
    except UnknownTierError as error:
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
