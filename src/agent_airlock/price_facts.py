"""What is known of a model's price, and what is not, as plain data: for people who ask before they trust it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

from .exceptions import plain
from .money import usd_from_nano
from .prices import PriceBook, RateCard, Rates, limits_file

if TYPE_CHECKING:
    from .policy_prices import PolicyPrices

STALE_DAYS: Final = 60
"""The shipped prices are worth a warning when they are older: vendors change theirs every few weeks."""

UNKNOWN: Final = (
    "service tiers other than the standard one: priority, fast, flex, batch",
    "regional and data-residency surcharges, and prices that you have agreed with the vendor",
    "audio, images, video and documents as input, where they cost more than text",
    "fees for searches, containers, sessions and other hosted tools, and for the storage of a cache",
    "prices that start more than two days from now",
)
"""What no card prices."""


class StepFacts(TypedDict):
    """One step of a card: USD per million tokens, as text, of requests with more input than its threshold."""

    above_input_tokens: int
    usd_per_million_tokens: dict[str, str]


class PriceFacts(TypedDict):
    """What is known of a model's price. A model without a card has ``names`` alone, the others all else."""

    asked: str
    known: bool
    names: NotRequired[list[str]]
    """Names with a price that ``asked`` may mean."""
    model: NotRequired[str]
    provider: NotRequired[str | None]
    source: NotRequired[str]
    """Where the prices come from: the price data and its version, or the policy."""
    date: NotRequired[str | None]
    """:func:`snapshot_date`; None for a policy's own prices."""
    steps: NotRequired[list[StepFacts]]
    context_window: NotRequired[int | None]
    max_output_tokens: NotRequired[int | None]
    limits_source: NotRequired[str | None]
    left_out: NotRequired[list[str]]
    """What the price data says of this model, and the card does not price, in its words."""
    unknown: list[str]
    """:data:`UNKNOWN`."""


def snapshot_date() -> date:
    """The day on which the shipped prices and limits were compared.

    ``genai-prices`` has no date of its own: where a newer one is installed, its prices are as old as this at most.
    """
    return date.fromisoformat(limits_file()["date"])


def is_stale(today: date) -> bool:
    """Whether the shipped prices are more than 60 days old."""
    return (today - snapshot_date()).days > STALE_DAYS


def card_of(model_id: str, policy: PolicyPrices | None = None) -> RateCard | None:
    """The card of a model: the policy's own, else the shipped one; None where its price is not known."""
    if policy is None:
        return PriceBook.shipped().card(model_id)
    name = policy.resolve(model_id)
    return policy.card(name) or PriceBook.shipped().card(name)


def describe(model_id: str, policy: PolicyPrices | None = None) -> PriceFacts:
    """What is known of the price of ``model_id``, with a policy's own prices and aliases where there are some."""
    book, card = PriceBook.shipped(), card_of(model_id, policy)
    if card is None:
        name = model_id if policy is None else policy.resolve(model_id)
        return PriceFacts(asked=model_id, known=False, names=list(book.names(name)), unknown=list(UNKNOWN))
    return PriceFacts(
        asked=model_id,
        known=True,
        model=card.model,
        provider=card.provider,
        source=card.source,
        date=None if card.provider is None else snapshot_date().isoformat(),
        steps=[_step(threshold, rates) for threshold, rates in card.steps],
        context_window=card.context_window,
        max_output_tokens=card.max_output_tokens,
        limits_source=_limits_source(card),
        left_out=list(book.left_out(card)),
        unknown=list(UNKNOWN),
    )


def _step(threshold: int, rates: Rates) -> StepFacts:
    # A femtodollar per token is a nanodollar per million tokens.
    prices = {name: plain(usd_from_nano(getattr(rates, name))) for name in Rates.__slots__}
    return StepFacts(above_input_tokens=threshold, usd_per_million_tokens=prices)


def _limits_source(card: RateCard) -> str | None:
    if card.context_window is None and not card.max_output_tokens:
        return None
    if card.provider is None:
        return card.source
    table = limits_file()
    source: str = table["added"].get(card.model) or table["source"].partition("; added")[0]
    return source
