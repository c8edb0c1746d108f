"""What a call may cost and where that is counted, worked out before it runs. Pure: nothing is asked of a ledger.

``Gate.quote(call)`` finds the tier, the estimate, and the holds on each book.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .budgets import BudgetSet, Slot, holds
from .call import Call, Estimate
from .caps import check_tracker_call
from .checking import Check, Subject, checks_of
from .config import AirlockConfig
from .cost import Cost, Pricer
from .cost_tracking import CostTracker, get_global_tracker
from .estimating import estimate_of, observed_estimate
from .exceptions import AirlockBlocked
from .ledger.accounts import Hold, Labels
from .ledger.commands import Book
from .ledger.ids import IDS
from .observing import tell_would_block
from .policy import SecurityPolicy
from .spend import Epoch
from .values import message

if TYPE_CHECKING:
    from .policy_prices import PolicyPrices

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
    pricer: Pricer
    """The tracker, or the policy's own prices over it."""
    epoch: Epoch
    cost: Cost
    estimate: Estimate
    rules: Rules
    """What the policy said when the call came."""
    values: tuple[str | None, ...] | None
    """What its budgets count it by; None where it counts in none."""
    labels: Labels
    plans: tuple[Plan, ...]
    began_ns: int
    """When the call came, by the monotonic clock."""

    def __repr__(self) -> str:
        return f"<Quote of {self.call.tool}: {self.estimate!r}>"


class Rules(NamedTuple):
    """What a policy says, and a copy of what it was made from: one value, so that no thread sees half a change."""

    budgets: BudgetSet
    checks: tuple[Check, ...]
    prices: PolicyPrices | None
    lease_ms: int
    observes: bool
    seen: tuple[Any, ...]
    frozen: bool


class Gate:
    """One function under one policy: what is fixed before a call comes."""

    def __init__(
        self,
        subject: Subject | str,
        policy: SecurityPolicy,
        *,
        config: AirlockConfig,
        ledger: Book,
        cost: Cost | None,
        nothing_spent_on: tuple[type[BaseException], ...],
    ) -> None:
        self._subject = Subject(subject) if isinstance(subject, str) else subject
        self.tool = self._subject.tool
        self.policy = policy
        self.config = config
        self.ledger = ledger
        self.nothing_spent_on = nothing_spent_on
        self._cost = cost
        self._compile()

    def _compile(self) -> Rules:
        """Work out what the policy says now. It takes effect whole, or, where the policy is wrong, not at all."""
        policy = self.policy
        seen = policy.snapshot()
        observes = policy.mode == "observe"
        prices = None
        if policy.prices or policy.model_aliases:
            from .policy_prices import PolicyPrices

            prices = PolicyPrices(policy.prices, policy.model_aliases)
        self._rules = Rules(
            BudgetSet(policy.budgets, policy.rate_limits, observe=observes),
            checks_of(self._subject, policy, self.config, self.ledger, prices),
            prices,
            policy.lease_ms,
            observes,
            seen,
            policy.is_frozen(),
        )
        return self._rules

    def rules(self) -> Rules:
        """What the policy says now; worked out anew where an unfrozen one has changed."""
        rules = self._rules
        return rules if rules.frozen or self.policy.says(rules.seen) else self._compile()

    def quote(self, call: Call, rules: Rules | None = None) -> Quote:
        """The estimate and the holds of a call. ``rules`` are those by which it was checked.

        Raises:
            AirlockBlocked: a tag means nothing, the cost is not known, or a limit of a single call is passed.
        """
        rules = rules or self.rules()
        tracker = get_global_tracker()
        pricer: Pricer = tracker if rules.prices is None else rules.prices.over(tracker)
        cost = self._cost or (_FREE if self.policy.model_tier_budget is None else _MODEL)
        estimate = self._estimate(call, rules, cost, pricer)
        if tracker.budget.caps_a_call:
            check_tracker_call(tracker.budget, estimate)
        values = self._values(call, rules, estimate)
        labels = Labels(call.tool, estimate.model_id, estimate.tier, call.value("agent_id"), call.value("session_id"))
        epoch = tracker.epoch
        quote = Quote(self, call, tracker, pricer, epoch, cost, estimate, rules, values, labels, (), monotonic_ns())
        if values is not None or tracker.budget.caps_a_session:
            quote.plans = self.plans(quote, self.ledger.now_ms())  # type: ignore[misc]  # only now it is complete
        return quote

    def _estimate(self, call: Call, rules: Rules, cost: Cost, pricer: Pricer) -> Estimate:
        budget = self.policy.model_tier_budget
        if rules.observes or (budget is not None and budget.mode == "observe"):
            return observed_estimate(
                call,
                cost,
                budget,
                pricer,
                rules.prices,
                all_observed=rules.observes,
                listener=self.config.on_event,
            )
        return estimate_of(call, cost, budget, pricer, rules.prices)

    def _values(self, call: Call, rules: Rules, estimate: Estimate) -> tuple[str | None, ...] | None:
        """What the call's budgets count it by; None where it counts in none."""
        budgets = rules.budgets
        if not budgets.counts:
            return None
        try:
            values = budgets.values(call, estimate.tier, estimate.model_id)
        except AirlockBlocked as block:
            if budgets.enforces:
                raise
            tell_would_block(call.tool, "budgets", block.reason, self.config.on_event)
            return None
        budgets.check_call(values, estimate)
        return values

    def plans(self, quote: Quote, now_ms: int) -> tuple[Plan, ...]:
        """The holds of a quote at a ledger's time: on the tracker's book, then on the gate's."""
        values = quote.values
        slots = () if values is None else quote.rules.budgets.slots(values, now_ms)
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
