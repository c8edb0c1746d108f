"""A policy's own prices and names of models, over those of the tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from .freezing import FrozenDict
from .money import MAX_AMOUNT, USDLike
from .price_rows import read_prices
from .rates import RateCard, Rates, Reach
from .values import shown

if TYPE_CHECKING:
    from .call import TokenUsage
    from .cost import Pricer

SOURCE: Final = "SecurityPolicy.prices"
"""What the cards of a policy say of where they come from."""

_LIMITS: Final[Mapping[str, int]] = {"context_window": 1, "max_output": 0}
"""The least that each may be, in tokens. (What embeds has no output.)"""
_DEAREST_LONG_WRITE: Final = 2
"""No vendor asks more than twice its short cache write for a long one (genai-prices 0.2.3: 1 to 2 times)."""
_LONGEST_NAME: Final = 256


@dataclass(frozen=True, slots=True, init=False, eq=False)
class PolicyPrices:
    """Rate cards of a policy's own, and the names that it gives to models. Immutable.

    Args:
        prices: model → ``{"input": 3, "output": 12, "context_window": 128_000, "max_output": 16_000}``. Prices are
            USD per million tokens, exact: ``Decimal``, whole numbers, text, or floats through their text. Optional
            are ``cache_read`` and ``cache_write`` (the input price where they are missing), ``cache_write_1h`` (twice
            ``cache_write`` where that is given, else the input price), and the limits, in tokens. A row has one step,
            prices its own model alone, and goes before the shipped prices and the tracker's.
        aliases: the name that calls use → the model that it means, which is no alias itself.

    Raises:
        TypeError, ValueError: naming the row, the key, the value and what is allowed.
    """

    cards: Mapping[str, RateCard]
    aliases: Mapping[str, str]

    def __init__(self, prices: Mapping[str, Mapping[str, USDLike]], aliases: Mapping[str, str]) -> None:
        _check_mapping(prices, "SecurityPolicy.prices")
        _check_mapping(aliases, "SecurityPolicy.model_aliases")
        object.__setattr__(self, "cards", FrozenDict({name: _card(name, row) for name, row in prices.items()}))
        for alias, model in aliases.items():
            _check_alias(alias, model, aliases, self.cards)
        object.__setattr__(self, "aliases", FrozenDict(aliases))

    def resolve(self, model_id: str) -> str:
        """The model that ``model_id`` means."""
        return self.aliases.get(model_id, model_id)

    def card(self, model_id: str) -> RateCard | None:
        """The policy's own card of a model, or None. Aliases are not looked at."""
        return self.cards.get(model_id)

    def over(self, pricer: Pricer) -> Pricer:
        """What prices by the policy's own card where there is one, else as ``pricer`` does."""
        return _Over(self, pricer)

    def canonical(self) -> dict[str, Any]:
        """The rows as plain values, the same for every way to write them: prices in nanodollars per million tokens."""
        return {name: _plain(card) for name, card in self.cards.items()}


class _Over(NamedTuple):
    """A ``Pricer``. Aliases are resolved before anything is asked."""

    prices: PolicyPrices
    pricer: Pricer

    @property
    def model(self) -> str:
        return self.prices.resolve(self.pricer.model)

    @property
    def by_card(self) -> bool:
        return self.pricer.by_card

    def card(self, model: str | None = None) -> RateCard | None:
        name = self._name(model)
        return self.prices.card(name) or self.pricer.card(name)

    def input_only(self, model: str | None = None) -> bool:
        name = self._name(model)
        return self.prices.card(name) is None and self.pricer.input_only(name)

    def calculate_cost(self, tokens: TokenUsage, model: str | None = None, *, reach: Reach | None = None) -> Decimal:
        name = self._name(model)
        card = self.prices.card(name)
        return self.pricer.calculate_cost(tokens, name, reach=reach) if card is None else card.usd(tokens, reach)

    def _name(self, model: str | None) -> str:
        return self.prices.resolve(model or self.pricer.model)


def _plain(card: RateCard) -> dict[str, int | None]:
    rates = card.steps[0][1]
    prices: dict[str, int | None] = {key: getattr(rates, key) for key in Rates.__slots__}
    return {**prices, "context_window": card.context_window, "max_output": card.max_output_tokens}


# --- reading rows ----------------------------------------------------------------------------------------


def _card(name: object, row: object) -> RateCard:
    if not _is_name(name):
        raise ValueError(f"{SOURCE} must name models with 1 to {_LONGEST_NAME} characters, not {shown(name)}")
    what = f"{SOURCE}[{name!r}]"
    prices = read_prices(row, what, per_tokens=1_000_000, limits=tuple(_LIMITS))
    write = prices.get("cache_write")
    defaults = {
        "cache_read": prices["input"],
        "cache_write": prices["input"],
        "cache_write_1h": prices["input"] if write is None else _DEAREST_LONG_WRITE * write,
    }
    window, output = (_limit(cast("Mapping[str, Any]", row).get(key), key, what) for key in _LIMITS)
    return RateCard(cast("str", name), None, ((0, Rates(**{**defaults, **prices})),), window, output, SOURCE)


def _check_alias(alias: object, model: object, aliases: Mapping[str, str], cards: Mapping[str, RateCard]) -> None:
    if not _is_name(alias):
        raise ValueError(
            f"SecurityPolicy.model_aliases must have names of 1 to {_LONGEST_NAME} characters, not {shown(alias)}"
        )
    what = f"SecurityPolicy.model_aliases[{alias!r}]"
    if not _is_name(model):
        raise ValueError(f"{what} must be a model's id of 1 to {_LONGEST_NAME} characters, not {shown(model)}")
    if model in aliases:
        raise ValueError(f"{what} must be a model's id, not {model!r}, which is an alias itself")
    if alias in cards:
        raise ValueError(f"{what} must not be: {alias!r} has prices of its own in {SOURCE}, and a name means one model")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME


def _check_mapping(value: object, what: str) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must be a mapping, not {shown(value)}")


def _limit(limit: Any, key: str, what: str) -> int | None:
    least = _LIMITS[key]
    if limit is None or (type(limit) is int and least <= limit <= MAX_AMOUNT):
        return limit
    raise ValueError(
        f"{what}[{key!r}] must be a whole number of tokens from {least} to {MAX_AMOUNT}, not {shown(limit)}"
    )
