"""The caps of a ``CostTracker``, and what an estimate amounts to in each unit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from .call import Estimate
from .cost import unpriced
from .exceptions import AirlockBudgetExceeded, BudgetExceededError, UnpricedCall
from .ledger.accounts import Unit
from .money import MAX_AMOUNT, USDLike, format_usd, nanodollars, parse_usd


def fraction_of(amount: int, fraction: object, what: str) -> int:
    """``fraction`` of ``amount``, rounded up.

    Raises:
        ValueError: not a number above 0 and up to 1.
    """
    exact = _exact(fraction)
    if not 0 < exact <= 1:
        raise ValueError(f"{what} must be a fraction above 0 and up to 1, not {fraction!r}")
    return _part(amount, exact)


def _part(amount: int, fraction: Fraction) -> int:
    """``amount × fraction``, exactly, rounded up."""
    return -(-amount * fraction.numerator // fraction.denominator)


def _exact(number: object) -> Fraction:
    """A number through its text; 0 where it is none."""
    if isinstance(number, bool) or not isinstance(number, (int, float, Decimal)):
        return Fraction(0)
    try:
        return Fraction(str(number))
    except ValueError:
        return Fraction(0)


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """Caps of a :class:`CostTracker`. USD as ``Decimal``, text or whole number; floats through their text.

    Raises:
        ValueError: naming the field, the value and what is allowed.
    """

    max_cost_per_call: USDLike | None = None
    max_cost_per_session: USDLike | None = None
    max_tokens_per_call: int | None = None
    max_tokens_per_session: int | None = None
    warn_at_percentage: float | Decimal | None = None
    """From 1 to 100."""

    def __post_init__(self) -> None:
        for name in ("max_cost_per_call", "max_cost_per_session"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, parse_usd(value, what=f"BudgetConfig.{name}"))
        for name in ("max_tokens_per_call", "max_tokens_per_session"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or not 0 <= value <= MAX_AMOUNT):
                raise ValueError(f"BudgetConfig.{name} must be a non-negative whole number, not {value!r}")
        percentage = self.warn_at_percentage
        if percentage is not None and not 1 <= _exact(percentage) <= 100:
            raise ValueError(f"BudgetConfig.warn_at_percentage must be from 1 to 100, not {percentage!r}")

    @property
    def max_nano_per_call(self) -> int | None:
        return None if self.max_cost_per_call is None else nanodollars(self.max_cost_per_call)

    @property
    def max_nano_per_session(self) -> int | None:
        return None if self.max_cost_per_session is None else nanodollars(self.max_cost_per_session)

    @property
    def caps_a_session(self) -> bool:
        return self.max_cost_per_session is not None or self.max_tokens_per_session is not None

    @property
    def caps_a_call(self) -> bool:
        return self.max_cost_per_call is not None or self.max_tokens_per_call is not None

    def warn_amount(self, limit: int | None) -> int | None:
        """The amount at which passing ``limit``'s mark is told."""
        if limit is None or self.warn_at_percentage is None:
            return None
        return _part(limit, _exact(self.warn_at_percentage) / 100)


def amount_of(unit: Unit, estimate: Estimate) -> int:
    """The estimate in one unit.

    Raises:
        UnpricedCall: USD, and the cost is not known; tokens, and the largest output is not.
    """
    if unit is Unit.CALLS:
        return 1
    if estimate.nano is None:
        if unit is Unit.USD:
            raise unpriced(None)
        if estimate.bound == "input_only":
            raise UnpricedCall(
                "its model is not named, so its largest output is not known, and its tokens are limited",
                hints=("Set max_output_tokens on the tier or on the call (_airlock_max_output_tokens).",),
            )
    return min(estimate.tokens if unit is Unit.TOKENS else estimate.nano or 0, MAX_AMOUNT)


def counted(unit: Unit, estimate: Estimate) -> int:
    """As :func:`amount_of`, for an account that only counts: what is not known is 0, and stops no call."""
    if unit is Unit.USD:
        return min(estimate.nano or 0, MAX_AMOUNT)
    return 1 if unit is Unit.CALLS else min(estimate.tokens, MAX_AMOUNT)


def check_tracker_call(budget: BudgetConfig, estimate: Estimate) -> None:
    """A tracker's caps of a single call.

    Raises:
        AirlockBudgetExceeded: the call alone is over one.
        UnpricedCall: its cost is capped, and not known.
    """
    most = budget.max_nano_per_call
    if most is not None and amount_of(Unit.USD, estimate) > most:
        raise AirlockBudgetExceeded(
            "its worst case is more than the tracker allows a call",
            budget_type="cost",
            estimate=estimate,
            hints=(f"A call may cost at most {format_usd(most)}.",),
        )
    if budget.max_tokens_per_call is not None and amount_of(Unit.TOKENS, estimate) > budget.max_tokens_per_call:
        raise AirlockBudgetExceeded(
            "it may use more tokens than the tracker allows a call",
            budget_type="tokens",
            estimate=estimate,
            hints=(f"A call may use at most {budget.max_tokens_per_call} tokens.",),
        )


def check_tracker(budget: BudgetConfig, *, nano: int, tokens: int, spent_nano: int, spent_tokens: int) -> None:
    """Whether a further call of ``nano`` nanodollars and ``tokens`` fits a tracker's caps; nothing is held.

    Raises:
        BudgetExceededError: it does not.
    """
    for what, amount, cap, unit in (
        ("a call", nano, budget.max_nano_per_call, Unit.USD),
        ("a call", tokens, budget.max_tokens_per_call, Unit.TOKENS),
        ("the session", spent_nano + nano, budget.max_nano_per_session, Unit.USD),
        ("the session", spent_tokens + tokens, budget.max_tokens_per_session, Unit.TOKENS),
    ):
        if cap is not None and amount > cap:
            most = f"cost at most {format_usd(cap)}" if unit is Unit.USD else f"use at most {cap} tokens"
            raise BudgetExceededError(f"{what} may {most}", hints=("End the work, or ask for less.",))
