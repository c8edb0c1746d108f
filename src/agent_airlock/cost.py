"""How a call is priced: by a model's tokens, a fixed price, a function of its arguments, or free."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, Protocol

from .call import Bound, Estimate, TokenUsage
from .events import log
from .exceptions import UnknownModelError, UnpricedCall, ValidationBlocked
from .money import USDLike, nano_from_usd_half_even, nano_from_usd_up, nano_half_even, nano_up, parse_usd
from .rates import RateCard, Reach

UNNAMED_MODEL: Final = "default"
"""The model of a tracker that names none."""

PriceFunction = Callable[[Mapping[str, Any]], USDLike]
_SET_A_LIMIT: Final = (
    "Set max_output_tokens on the tier or on the call (_airlock_max_output_tokens), or give the model a max_output "
    "in SecurityPolicy.prices."
)
_ZERO: Final = Decimal(0)
_WARNED: Final[set[object]] = set()


class Pricer(Protocol):
    """What prices tokens: a ``CostTracker``, or a policy's own prices over one. A ``model`` of None is its own."""

    @property
    def model(self) -> str: ...
    @property
    def by_card(self) -> bool:
        """Whether ``calculate_cost`` says what its cards say: then they are asked, in whole femtodollars."""
        ...

    def card(self, model: str | None = None) -> RateCard | None: ...
    def input_only(self, model: str | None = None) -> bool:
        """Whether, without an output limit, the input alone is priced: the one estimate that is not a bound."""
        ...

    def calculate_cost(
        self, tokens: TokenUsage, model: str | None = None, *, reach: Reach | None = None
    ) -> Decimal: ...


@dataclass(frozen=True, slots=True, init=False)
class Cost:
    """How a gated function's call is priced.

    * ``Cost("0.02 USD")``: each call costs that;
    * ``Cost(lambda arguments: Decimal("0.001") * arguments["pages"])``: a function of the validated arguments,
      as a mapping; it returns exact USD of at least 0, anything else blocks the call;
    * ``Cost.model("claude-haiku-5-5")``: tokens at that model's prices, where no tag names another;
    * ``Cost.free()``: nothing; the call is still counted.

    Raises:
        ValueError: the price is not an exact, non-negative amount of USD.
    """

    kind: Literal["fixed", "function", "model", "free"]
    price: Decimal
    function: PriceFunction | None
    model_id: str | None
    reach: Reach

    def __init__(self, price: USDLike | PriceFunction) -> None:
        if callable(price):
            _fill(self, "function", function=price)
        else:
            _fill(self, "fixed", price=parse_usd(price, what="Cost"))

    @classmethod
    def model(cls, model_id: str | None = None, *, cache_writes: bool = True) -> Cost:
        """Tokens × a model's prices.

        Args:
            model_id: the model where no tag names another; None for the tracker's.
            cache_writes: whether the function may have the provider write its input to a cache, which costs up to
                twice the input price. ``False`` is the caller's word that it never does: estimates get tighter,
                and a cache write that is reported all the same is counted as ``bound_broken``.
        """
        if model_id is not None and (not isinstance(model_id, str) or not model_id):
            raise ValueError(f"Cost.model takes a model's id, not {model_id!r}")
        if not isinstance(cache_writes, bool):
            raise ValueError(f"Cost.model(cache_writes=…) must be True or False, not {cache_writes!r}")
        cost = object.__new__(cls)
        _fill(cost, "model", model_id=model_id, reach=Reach(cache_writes=cache_writes))
        return cost

    @classmethod
    def free(cls) -> Cost:
        """Nothing is spent; the call is still counted in calls."""
        cost = object.__new__(cls)
        _fill(cost, "free")
        return cost

    def declared(self, arguments: Mapping[str, Any]) -> Decimal:
        """The price of a call that no tokens price, in USD.

        Raises:
            ValidationBlocked: the function raised, or did not return exact money of at least 0.
        """
        if self.function is None:
            return self.price
        try:
            return parse_usd(self.function(arguments), what="the price")
        except Exception as error:
            # Neither the arguments nor what the function made of them is repeated.
            raise ValidationBlocked(
                f"the price of this call could not be worked out ({type(error).__name__})",
                hints=("The tool's price function must return an exact, non-negative amount of USD.",),
            ) from None


def _fill(
    cost: Cost,
    kind: str,
    *,
    price: Decimal = _ZERO,
    function: PriceFunction | None = None,
    model_id: str | None = None,
    reach: Reach | None = None,
) -> None:
    values = (kind, price, function, model_id, reach or Reach())
    for name, value in zip(Cost.__slots__, values, strict=True):
        object.__setattr__(cost, name, value)


def model_estimate(
    pricer: Pricer,
    *,
    model_id: str | None,
    tier: str | None,
    input_tokens: int,
    output_tokens: int | None,
    reach: Reach,
) -> Estimate:
    """The dearest that a model call with at most this input and this output can be.

    ``output_tokens`` is the limit that the call or its tier has, None where neither has one: then it is the
    model's own maximum, else its context window; with a caller's own prices the input alone is priced.
    ``usd`` is None where no model is named; whatever limits USD, or tokens without an output limit, refuses that.

    Raises:
        UnpricedCall: a model is named and its price, or its largest output, is not known.
    """
    bound: Bound = "worst_case"
    if output_tokens is None:
        output_tokens, bound = _unlimited_output(pricer, model_id, tier)
    try:
        exact, nano = _dearest(pricer, model_id, input_tokens, output_tokens, reach)
    except UnknownModelError as unknown:
        if model_id is not None or pricer.model != UNNAMED_MODEL:
            raise unpriced(unknown.model_id) from unknown
        return Estimate(None, None, input_tokens, output_tokens, None, tier, bound)
    return Estimate(exact, nano, input_tokens, output_tokens, model_id or pricer.model, tier, bound)


def _dearest(
    pricer: Pricer, model_id: str | None, input_tokens: int, output_tokens: int, reach: Reach
) -> tuple[Decimal | int, int]:
    """What :class:`Estimate` calls ``exact`` and ``nano``."""
    if not _by_card(pricer):
        usd = pricer.calculate_cost(TokenUsage(input_tokens, output_tokens), model_id, reach=reach)
        return usd, nano_from_usd_up(usd)
    card = pricer.card(model_id)
    if card is None:
        raise UnknownModelError(model_id or pricer.model)
    femto = card.at_most(input_tokens, output_tokens, reach)
    return femto, nano_up(femto)


def actual_nano(pricer: Pricer, usage: TokenUsage, model_id: str | None) -> int:
    """What ``usage`` really cost, in nanodollars, rounded half to even.

    Raises:
        UnknownModelError: no price is known.
    """
    if not _by_card(pricer):
        return nano_from_usd_half_even(pricer.calculate_cost(usage, model_id))
    card = pricer.card(model_id)
    if card is None:
        raise UnknownModelError(model_id or pricer.model)
    return nano_half_even(card.cost(usage))


def _by_card(pricer: Pricer) -> bool:
    by_card: bool = getattr(pricer, "by_card", False)  # a pricer of the user's may have no more than calculate_cost
    return by_card


def _unlimited_output(pricer: Pricer, model_id: str | None, tier: str | None) -> tuple[int, Bound]:
    if pricer.input_only(model_id):
        _warn_input_only(tier)
        return 0, "input_only"
    card = pricer.card(model_id)
    if card is None:
        return 0, "input_only"  # not priced either: what limits USD or tokens refuses it
    limit = card.context_window if card.max_output_tokens is None else card.max_output_tokens
    if limit is None:
        raise UnpricedCall(
            f"the largest output of the model {card.model!r} is not known",
            hints=(_SET_A_LIMIT,),
        )
    return limit, "worst_case"


def _warn_input_only(tier: str | None) -> None:
    if ("input_only", tier) in _WARNED:
        return
    _WARNED.add(("input_only", tier))
    log(
        logging.WARNING,
        "tier %r has no max_output_tokens, and your own prices name no model's limits: only the input of "
        "its calls is held, which is not a bound",
        tier,
        extra={"airlock_event": "input_only", "airlock_tier": tier},
    )


def unpriced(model_id: str | None) -> UnpricedCall:
    """Why a call without a known price is refused, and the ways to name one."""
    named = (
        "Name a model whose price is known: _airlock_model_id=…, metadata['model_id'], Cost.model('…') or "
        "CostTracker(model='…')."
    )
    priced = (
        "Or give prices of your own: SecurityPolicy(prices={'my-model': {'input': …, 'output': …}}), USD per million "
        "tokens; or CostTracker(pricing={'default': {'input': …, 'output': …}}), USD per 1,000 tokens."
    )
    ways = (named, priced)
    if model_id is None:
        return UnpricedCall("no model is named, so the cost of this call cannot be known", hints=ways)
    return UnpricedCall(f"no price is known for the model {model_id[:200]!r}", hints=ways)
