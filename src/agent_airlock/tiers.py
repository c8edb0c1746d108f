"""The tier budget: what one call of each tier may cost and say, denied by default."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal

from .call import Bound, Estimate, TokenUsage, check_tokens
from .checks.modes import Mode, check_mode
from .cost import Pricer, model_estimate, unpriced
from .events import log
from .exceptions import UnknownTierError, UnpricedCall
from .money import MAX_AMOUNT, NANO_PER_CENT, cents_half_up
from .rates import Reach
from .reconciliation import ReconciliationRecord, reconcile
from .tier_blocks import at_most, declared_too_dear, token_hints, too_dear, too_many_tokens

TierResolver = Callable[[str], str]
_WORST_REACH: Final = Reach()
_MAX_CENTS: Final = MAX_AMOUNT // NANO_PER_CENT


@dataclass(frozen=True, slots=True)
class TierBudget:
    """What one call of a tier may cost and say.

    Args:
        max_cost_cents: whole US cents that a call may cost at most; None for no cap.
        max_output_tokens: tokens that a call may answer at most; None for no cap.

    Raises:
        ValueError: a cap that is not a non-negative whole number.
    """

    max_cost_cents: int | None = None
    max_output_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, most in (("max_cost_cents", _MAX_CENTS), ("max_output_tokens", MAX_AMOUNT)):
            cap = getattr(self, name)
            if cap is not None and (type(cap) is not int or not 0 <= cap <= most):
                raise ValueError(f"{name} must be a non-negative whole number up to {most}, or None, not {cap!r}")

    @property
    def max_cost_nano(self) -> int | None:
        """The cost cap in nanodollars."""
        return None if self.max_cost_cents is None else self.max_cost_cents * NANO_PER_CENT


@dataclass(frozen=True, slots=True)
class BudgetEstimate:
    """The tier's public view of an estimate. Cents are for showing, rounded half up; USD is exact."""

    tier: str
    model_id: str | None
    input_tokens: int
    estimated_output_tokens: int
    estimated_cost_cents: int | None
    estimated_cost_usd: Decimal | None
    cap: TierBudget
    bound: Bound = "worst_case"


class ModelTierBudget:
    """Caps for one call of each tier. Immutable; equal by its parts; the same object after a copy.

    Args:
        tiers: label → :class:`TierBudget`; at least one.
        strict_tier: the tier of a call that nobody tagged; one of ``tiers``.
        tier_resolver: from a model's id to a label. One that raises, or answers anything but a known label, gives
            the strict tier (logged once).
        mode: ``"observe"`` tells what its caps would block, and blocks nothing.

    Raises:
        ValueError: no tier, a strict tier that is not one of them, or a tier that is not a ``TierBudget``.
    """

    __slots__ = ("_resolver_warned", "mode", "strict_tier", "tier_resolver", "tiers")

    tiers: Mapping[str, TierBudget]
    strict_tier: str
    tier_resolver: TierResolver | None
    mode: Mode
    _resolver_warned: list[bool]

    def __init__(
        self,
        tiers: Mapping[str, TierBudget],
        strict_tier: str,
        tier_resolver: TierResolver | None = None,
        mode: Mode = "enforce",
    ) -> None:
        if not isinstance(tiers, Mapping):
            raise ValueError(f"ModelTierBudget.tiers must be a mapping of labels to TierBudget, not {tiers!r}")
        tiers = dict(tiers)
        if not tiers:
            raise ValueError("ModelTierBudget.tiers must have at least one tier")
        for label, cap in tiers.items():
            if not isinstance(label, str) or not label or not isinstance(cap, TierBudget):
                raise ValueError(f"ModelTierBudget.tiers must map labels to TierBudget, not {label!r} to {cap!r}")
        if not isinstance(strict_tier, str) or strict_tier not in tiers:
            raise ValueError(f"ModelTierBudget.strict_tier must be one of {', '.join(tiers)}, not {strict_tier!r}")
        if tier_resolver is not None and not callable(tier_resolver):
            raise ValueError(f"ModelTierBudget.tier_resolver must be callable, not {tier_resolver!r}")
        check_mode(mode, "ModelTierBudget.mode")
        _warn_of_lower_caps(tiers, strict_tier)
        object.__setattr__(self, "tiers", MappingProxyType(tiers))
        object.__setattr__(self, "strict_tier", strict_tier)
        object.__setattr__(self, "tier_resolver", tier_resolver)
        object.__setattr__(self, "mode", mode)
        object.__setattr__(self, "_resolver_warned", [])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"ModelTierBudget is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"ModelTierBudget is immutable: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelTierBudget) and all(
            getattr(self, name) == getattr(other, name) for name in ("tiers", "strict_tier", "tier_resolver", "mode")
        )

    def __hash__(self) -> int:
        return hash((frozenset(self.tiers.items()), self.strict_tier, self.tier_resolver, self.mode))

    def __repr__(self) -> str:
        resolver = ", tier_resolver=…" if self.tier_resolver else ""
        mode = "" if self.mode == "enforce" else f", mode={self.mode!r}"
        return f"ModelTierBudget({dict(self.tiers)!r}, strict_tier={self.strict_tier!r}{resolver}{mode})"

    def __copy__(self) -> ModelTierBudget:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelTierBudget:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ModelTierBudget, (dict(self.tiers), self.strict_tier, self.tier_resolver, self.mode)

    # --- which tier, and its caps ------------------------------------------------------------------------

    def resolve_tier(self, *, explicit: str | None = None, model_id: str | None = None) -> str:
        """The label of a call: explicit, else what the resolver says of the model, else the strict tier.

        Raises:
            UnknownTierError: ``explicit`` is not one of the tiers.
        """
        if explicit is not None:
            self.cap_for(explicit)
            return explicit
        if self.tier_resolver is None or model_id is None:
            return self.strict_tier
        try:
            label = self.tier_resolver(model_id)
            if isinstance(label, str) and label in self.tiers:
                return label
            problem = "answered no known label"
        except Exception as error:
            problem = f"raised {type(error).__name__}"
        if not self._resolver_warned:
            self._resolver_warned.append(True)
            log(logging.WARNING, "the tier resolver %s; the strict tier %r decides", problem, self.strict_tier)
        return self.strict_tier

    def cap_for(self, label: str) -> TierBudget:
        """The caps of a tier.

        Raises:
            UnknownTierError: not one of the tiers.
        """
        cap = self.tiers.get(label) if isinstance(label, str) else None
        if cap is None:
            raise UnknownTierError(label, tuple(self.tiers))
        return cap

    def canonical_payload(self) -> dict[str, Any]:
        """The budget as plain values, the same in every process; a resolver counts as present or absent."""
        payload: dict[str, Any] = {
            "tiers": {
                label: {"max_cost_cents": cap.max_cost_cents, "max_output_tokens": cap.max_output_tokens}
                for label, cap in sorted(self.tiers.items())
            },
            "strict_tier": self.strict_tier,
            "tier_resolver": self.tier_resolver is not None,
        }
        return payload if self.mode == "enforce" else {**payload, "mode": self.mode}

    # --- before and after a call -------------------------------------------------------------------------

    def check_pre_execute(
        self,
        *,
        tier_label: str | None,
        input_tokens: int,
        cost_tracker: Pricer,
        model_id: str | None = None,
    ) -> BudgetEstimate:
        """The worst case of a call, if its tier allows it.

        Raises:
            AirlockBudgetExceeded: it does not fit. Compared exactly: 2.49 cents is over a cap of 2.
            UnknownTierError: not one of the tiers.
            UnpricedCall: the tier has a cost cap, and the call's cost cannot be known.
            ValueError: ``input_tokens`` is not a non-negative whole number.
        """
        label = self.resolve_tier(explicit=tier_label, model_id=model_id)
        estimate = self.admit(
            label,
            input_tokens=check_tokens(input_tokens, "input_tokens"),
            asked=None,
            model_id=model_id,
            pricer=cost_tracker,
        )
        return self.public_estimate(estimate, label)

    def public_estimate(self, estimate: Estimate, label: str) -> BudgetEstimate:
        """The public view of what :meth:`admit` returned."""
        return BudgetEstimate(
            label,
            estimate.model_id,
            estimate.input_tokens,
            estimate.output_tokens,
            None if estimate.usd is None else cents_half_up(estimate.usd),
            estimate.usd,
            self.tiers[label],
            estimate.bound,
        )

    def reconcile_post_execute(
        self, *, estimate: BudgetEstimate, actual: TokenUsage, cost_tracker: Pricer
    ) -> ReconciliationRecord:
        """What a call really cost beside its estimate: computed and logged, not booked. Never raises."""
        return reconcile(estimate, actual, cost_tracker)

    def admit(
        self,
        label: str,
        *,
        input_tokens: int,
        asked: int | None,
        model_id: str | None,
        pricer: Pricer,
        reach: Reach = _WORST_REACH,
    ) -> Estimate:
        """The estimate of a call that fits the caps of its tier.

        ``asked`` is the output limit that the call names, in tokens; None where it names none.

        Raises:
            AirlockBudgetExceeded, UnknownTierError, UnpricedCall: as :meth:`check_pre_execute`.
        """
        estimate, problem = self._judge(label, input_tokens, asked, model_id, pricer, reach)
        if problem is None:
            return estimate
        others = [
            other
            for other in self.tiers
            if other != label and self._would_admit(other, input_tokens, asked, model_id, pricer, reach)
        ]
        cap = self.tiers[label]
        if problem == "tokens":
            raise too_many_tokens(estimate, cap, token_hints(estimate, cap, pricer, reach), others)
        if estimate.usd is None:
            raise unpriced(None)
        raise too_dear(estimate, cap, token_hints(estimate, cap, pricer, reach), others)

    def check_declared(self, label: str, estimate: Estimate, asked: int | None) -> None:
        """The caps of a tier over a declared price.

        Raises:
            AirlockBudgetExceeded: it does not fit.
        """
        cap = self.cap_for(label)
        problem = _declared_problem(cap, estimate, asked)
        if problem is None:
            return
        others = [
            other for other, its in self.tiers.items() if other != label and not _declared_problem(its, estimate, asked)
        ]
        if problem == "tokens":
            fits = _declared_problem(cap, estimate, None) is None
            raise too_many_tokens(estimate, cap, (at_most(cap.max_output_tokens),) if fits else (), others)
        raise declared_too_dear(estimate, cap, others)

    def _judge(
        self, label: str, input_tokens: int, asked: int | None, model_id: str | None, pricer: Pricer, reach: Reach
    ) -> tuple[Estimate, Literal["tokens", "cost"] | None]:
        """The estimate of a call in this tier, and which of the tier's caps it does not fit."""
        cap = self.cap_for(label)
        most_output, most_nano = cap.max_output_tokens, cap.max_cost_nano
        estimate = model_estimate(
            pricer,
            model_id=model_id,
            tier=label,
            input_tokens=input_tokens,
            output_tokens=most_output if asked is None else asked,
            reach=reach,
        )
        if asked is not None and most_output is not None and asked > most_output:
            return estimate, "tokens"
        if most_nano is not None and (estimate.nano is None or estimate.nano > most_nano):
            return estimate, "cost"
        return estimate, None

    def _would_admit(
        self, label: str, input_tokens: int, asked: int | None, model_id: str | None, pricer: Pricer, reach: Reach
    ) -> bool:
        try:
            return self._judge(label, input_tokens, asked, model_id, pricer, reach)[1] is None
        except UnpricedCall:
            return False


def _declared_problem(cap: TierBudget, estimate: Estimate, asked: int | None) -> Literal["tokens", "cost"] | None:
    if cap.max_output_tokens is not None and asked is not None and asked > cap.max_output_tokens:
        return "tokens"
    over = cap.max_cost_nano is not None and estimate.nano is not None and estimate.nano > cap.max_cost_nano
    return "cost" if over else None


def _warn_of_lower_caps(tiers: Mapping[str, TierBudget], strict_tier: str) -> None:
    strict = tiers[strict_tier].max_cost_cents
    for label, cap in tiers.items():
        if cap.max_cost_cents is not None and (strict is None or cap.max_cost_cents < strict):
            warnings.warn(
                f"tier {label!r} has a lower cost cap than the strict tier {strict_tier!r}: "
                "a call that nobody tags may cost more than one that is tagged",
                UserWarning,
                stacklevel=3,
            )
