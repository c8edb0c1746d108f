"""What a model costs: rate cards, and the books that find them.

A :class:`PriceBook` is a caller's own table, or the prices that ship with the ``genai-prices`` package. That
package is imported here only, and only when a first card is asked for: its data takes about a second to load.

**What is known.** ``genai-prices`` answers more than it knows: 0 USD for models without a price, and a
prefix's price for names that do not exist. So a name is known only where its data lists that very name (as an
id, or as an alias by an *equals* clause) with a price per token of input and of output. See
:meth:`_Catalogue.find` for names that several providers list, :func:`_rates` for prices that are not known here.

**What a card does not price.** Its rates are those of text in the standard service tier, in the global
region: priority, batch and regional prices, audio and images that are sent as input, and fees per search or
container are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, Final, cast

from .money import USDLike, nano_from_usd_up
from .price_rows import read_prices
from .rates import RateCard, Rates, Reach

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, MatchLogic, ModelInfo, ModelPrice, Provider

__all__ = ("MAKERS", "PriceBook", "RateCard", "Rates", "Reach")

MAKERS: Final = (
    "anthropic", "openai", "google", "mistral", "deepseek", "x-ai", "cohere", "meta", "moonshotai",
    "minimax", "perplexity", "zai", "voyageai",
)  # fmt: skip
"""The providers (``genai-prices`` ids) that sell what they make, in order: Google also sells Anthropic's
models, so it comes after. Not here: ``azure`` and ``aws`` (resellers), ``zhipuai`` (zai's site in yuan)."""

_DAY_SECONDS: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)
_ALWAYS: Final = (float("-inf"), float("inf"))
_NO_LIMITS: Final[Mapping[str, int]] = {}
_NOTICE: Final = timedelta(days=2)
"""A card is never cheaper than a row that starts within this time: a call that is estimated before midnight
may be billed after it, and no lease lasts longer."""
_LONGEST_NAME: Final = 256

_Kept = tuple[float, float, RateCard]
"""A card, and the seconds since 1970 from which and before which it holds."""


class PriceBook:
    """Finds the rate card of a model."""

    __slots__ = ("_cards", "_day", "_default", "own")

    own: bool
    """True for a caller's own table."""

    def __init__(self, own: bool, cards: Mapping[str, RateCard], today: date | None) -> None:
        self.own = own
        self._day = today
        self._default = cards.get("default")
        self._cards: dict[str, _Kept] = {name: (*_ALWAYS, card) for name, card in cards.items()}

    @classmethod
    def from_pricing(cls, pricing: Mapping[str, Mapping[str, USDLike]]) -> PriceBook:
        """A caller's own table, in USD per 1,000 tokens: ``{"default": {"input": …, "output": …}, …}``.

        It is used as it is: one step, no limits. ``cache_read``, ``cache_write`` and ``cache_write_1h`` may
        be given, and are the input price otherwise. The row ``"default"`` prices what the table lacks.

        Raises:
            ValueError: no row, a key that is missing or not one of these, or a price that is not one.
        """
        if not isinstance(pricing, Mapping) or not pricing:
            raise ValueError(f"pricing must be a mapping of at least one model to its prices, not {pricing!r}")
        return cls(True, {name: _own_card(name, row) for name, row in pricing.items()}, None)

    @classmethod
    def shipped(cls, today: date | None = None) -> PriceBook:
        """The prices of the installed ``genai-prices``: one book per process, which follows the day (UTC).

        A ``today`` gives a book of its own that stays on that day.
        """
        return _SHIPPED if today is None else cls(False, {}, today)

    def card(self, model_id: str) -> RateCard | None:
        """The rate card of ``model_id``, or None where its price is not known.

        The first card of a shipped book loads the data (about 1 s); every other one is a look-up, or is
        compiled once a day. Only cards are kept, so names that do not exist take no memory.
        """
        kept = self._cards.get(model_id)
        if kept is not None:
            start, end, card = kept
            if start <= time() < end:
                return card
        if self.own:
            return self._default
        if len(model_id) > _LONGEST_NAME:
            return None
        today = self._today()
        found = _catalogue().find(model_id, today)
        if found is not None:
            midnight = (today - _EPOCH).days * _DAY_SECONDS
            start, end = (midnight, midnight + _DAY_SECONDS) if self._day is None else _ALWAYS
            self._cards[model_id] = start, end, found
        return found

    def names(self, model_id: str) -> tuple[str, ...]:
        """The names under which what ``model_id`` may mean has a price: for hints where it has no card.

        Empty for a caller's own table.
        """
        if self.own:
            return ()
        full = [f"{provider}/{name}" for provider, name in _catalogue().readings(model_id)]
        maker = [model_id.partition("/")[2]] if model_id in full else []
        return tuple(name for name in maker + full if self.card(name) is not None)

    def left_out(self, card: RateCard) -> tuple[str, ...]:
        """What ``genai-prices`` says of the model of a shipped card, and the card does not price, in its words."""
        model = None if card.provider is None else _catalogue().models.get((card.provider, card.model))
        return () if model is None else tuple(sorted(_left_out(model, self._today())))

    def _today(self) -> date:
        return self._day or _EPOCH + timedelta(days=int(time()) // _DAY_SECONDS)


def limits_file() -> Mapping[str, Any]:
    """The table of limits, with its sources and the date on which it, and the prices, were compared."""
    import json
    from importlib.resources import files

    table: dict[str, Any] = json.loads(files("agent_airlock").joinpath("limits.json").read_text(encoding="utf-8"))
    return table


_SHIPPED: Final = PriceBook(False, {}, None)


def _own_card(name: object, row: object) -> RateCard:
    if not isinstance(name, str) or not name:
        raise ValueError(f"a model in pricing must be a non-empty text, not {name!r}")
    prices = read_prices(row, f"pricing[{name!r}]", per_tokens=1_000)
    cached = dict.fromkeys(("cache_read", "cache_write", "cache_write_1h"), prices["input"])
    return RateCard(name, None, ((0, Rates(**{**cached, **prices})),), None, None, "pricing")


# --- The shipped prices ---------------------------------------------------------------------------------------

_TEXT_KEYS: Final = frozenset(
    ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
)
_IGNORED_KEYS: Final = frozenset(
    (
        # What is sent is the caller's choice, and cards are for text.
        "input_audio_mtok", "input_image_mtok", "input_video_mtok", "cache_audio_read_mtok", "cache_image_read_mtok",
        # Fees of hosted tools that a call must ask for.
        "web_searches_kcount", "storage_searches_kcount",
    )
)  # fmt: skip
# These cost what they hear, see or draw, and genai-prices has no rate, or only a text rate, for some of that.
_MEDIA: Final = re.compile(
    r"(?:^|[-/.])(?:audio|image|live|realtime|speech|transcribe|video|voice)(?:[-.]|$)", re.IGNORECASE
)
_LONG_WRITES: Final = {"openai": 2}
"""OpenAI's cache write that lives 12 h costs twice the one that lives 30 min (2.5 and 1.25 times the input) for
all models that charge for writes; ``genai-prices`` leaves it out. Source: litellm 1.109.1, `…above_12hr`,
compared for every model by `scripts/make_limits.py`."""


class _Catalogue:
    """The data of ``genai-prices``, indexed by name. What its updater may have fetched is not used."""

    __slots__ = ("_makers", "holders", "limits", "models", "version")

    def __init__(self, providers: Iterable[Provider], version: str, limits: Mapping[str, Mapping[str, int]]) -> None:
        self.version = version
        self.limits = limits
        self.models: dict[tuple[str, str], ModelInfo] = {}
        """(provider, id or alias) → model."""
        self.holders: dict[str, list[str]] = {}
        """id or alias → the providers that list it."""
        self._makers = {provider.id: provider for provider in providers if provider.id in MAKERS}
        for provider in providers:
            for name, model in _listed(provider).items():
                self.models[provider.id, name] = model
                self.holders.setdefault(name, []).append(provider.id)

    def readings(self, name: str) -> list[tuple[str, str]]:
        """All that ``name`` may mean, as (provider, id); what it names explicitly comes first."""
        provider, _, rest = name.partition("/")
        explicit = [(provider, rest)] if (provider, rest) in self.models else []
        return explicit + [(holder, name) for holder in self.holders.get(name, ())]

    def find(self, name: str, today: date) -> RateCard | None:
        """The card that ``name`` means, or None where that is not certain.

        1. ``provider/id`` is that provider's card. But resellers list ids that look the same
           (``deepseek/deepseek-v4-pro``): where one of those is dearer at any rate, or its price is not
           known, the name is not certain; ``openrouter/deepseek/deepseek-v4-pro`` and ``deepseek-v4-pro`` are.
        2. An id that one of `MAKERS` lists is the first such maker's, unless its price is copied from a
           reseller, or the rules of a maker before it claim the id (``claude-3-opus`` is Google's spelling).
        3. An id of one provider alone is that provider's, unless the rules of a maker claim it
           (``claude-opus-5.5`` is GitHub Copilot's spelling, at its price).
        4. An id of several resellers is unknown: their prices differ, and the id does not say whose it is.
        """
        readings = self.readings(name)
        if not readings:
            return None
        if readings[0][1] != name:
            return self._explicit(readings, today)
        holders = self.holders[name]
        makers = (maker for maker in MAKERS if maker in holders and not _is_copied(self.models[maker, name]))
        holder = next(makers, holders[0] if len(holders) == 1 else None)
        if holder is None or self._claimed(name, but=holder):
            return None
        return self._card(holder, name, today)

    def _explicit(self, readings: list[tuple[str, str]], today: date) -> RateCard | None:
        first, *others = (self._card(provider, name, today) for provider, name in readings)
        return first if first and all(other and _covers(first, other) for other in others) else None

    def _claimed(self, name: str, *, but: str) -> bool:
        """Whether the rules of a maker that comes before ``but`` give a price to ``name``."""
        for maker in MAKERS:
            if maker == but:
                return False
            rules = self._makers.get(maker)
            if rules and rules.model_match and rules.model_match.is_match(name) and rules.find_model(name):
                return True
        return False

    def _card(self, provider: str, name: str, today: date) -> RateCard | None:
        model = self.models[provider, name]
        steps = _steps(_rows(model, today), model.id, _LONG_WRITES.get(provider, 1))
        if steps is None:
            return None
        # The limits are those of the maker's own service: a reseller may serve a model with others.
        limits = self.limits.get(model.id, _NO_LIMITS) if provider == self._maker(model.id) else _NO_LIMITS
        source = f"genai-prices {self.version}: {provider}/{model.id}"
        # Without a price of output (see `_rates`) it is an embedding, and has none.
        most = limits.get("max_output_tokens") if steps[0][1].output else 0
        return RateCard(model.id, provider, steps, limits.get("context_window"), most, source)

    def _maker(self, name: str) -> str | None:
        return next((maker for maker in MAKERS if maker in self.holders[name]), None)


_loading: Final = Lock()
_loaded: list[_Catalogue] = []


def _catalogue() -> _Catalogue:
    """The catalogue of the installed ``genai-prices``, loaded once per process."""
    if not _loaded:
        with _loading:
            if not _loaded:
                _loaded.append(_load())
    return _loaded[0]


def _load() -> _Catalogue:
    from importlib.metadata import version

    from genai_prices.data import providers

    return _Catalogue(providers, version("genai-prices"), limits_file()["models"])


def _listed(provider: Provider) -> dict[str, ModelInfo]:
    """The names that ``provider`` lists: ids, and aliases that mean one model by an *equals* clause.

    Left out: an alias ending in ``latest`` (what it means moves after the data was made), one with a slash
    (another provider's spelling), and one that the provider's own order of rules gives to another model.
    """
    names = {model.id: model for model in provider.models}
    for model in provider.models:
        for alias in _equals(model.match):
            if alias not in names and not alias.endswith("latest") and "/" not in alias:
                found = provider.find_model(alias)
                if found is not None and found.id == model.id:
                    names[alias] = model
    return names


def _equals(clause: MatchLogic) -> list[str]:
    from genai_prices.types import ClauseEquals, ClauseOr

    if isinstance(clause, ClauseEquals):
        return [clause.equals]
    return [text for part in clause.or_ for text in _equals(part)] if isinstance(clause, ClauseOr) else []


def _is_copied(model: ModelInfo) -> bool:
    """Whether the maker's price is a reseller's: OpenAI's open-weight models, which OpenAI does not serve."""
    return (model.price_comments or "").startswith("Imported from OpenRouter")


def _covers(card: RateCard, other: RateCard) -> bool:
    """Whether ``card`` is at least as dear as ``other``, at every rate and for every input."""
    thresholds = {threshold for threshold, _ in card.steps + other.steps}
    return all(
        getattr(card.at(threshold + 1), rate.name) >= getattr(other.at(threshold + 1), rate.name)
        for threshold in thresholds
        for rate in fields(Rates)
    )


def _rows(model: ModelInfo, today: date) -> list[ModelPrice]:
    """The price rows that may apply from ``today`` until `_NOTICE` later.

    ``genai-prices`` takes the last active row. So, from the end: all that depend on the time of day, all that
    start within the notice, and the first that is active today, which hides those before it.
    """
    from genai_prices.types import ModelPrice, StartDateConstraint

    if isinstance(model.prices, ModelPrice):
        return [model.prices]
    rows: list[ModelPrice] = []
    row: ConditionalPrice
    for row in reversed(model.prices):
        start = row.constraint.start_date if isinstance(row.constraint, StartDateConstraint) else None
        if start is None or start <= today + _NOTICE:
            rows.append(row.prices)
        if row.constraint is None or (start is not None and start <= today):
            return rows
    return []  # not for sale yet


def _left_out(model: ModelInfo, today: date) -> set[str]:
    """Its prices of other things than text, of other services than the standard one, and the days of later prices."""
    conditional = model.prices if isinstance(model.prices, list) else []
    rows = [row.prices for row in conditional] or [cast("ModelPrice", model.prices)]
    days = [getattr(row.constraint, "start_date", today) for row in conditional]
    later = {f"prices from {day}" for day in days if day > today + _NOTICE}
    services = {
        f"{key}={value}"
        for variant in model.price_variants or ()
        for key, value in variant.when.items()
        if _priced(variant.prices)
    }
    return {key for row in rows for key in _priced(row)} - _TEXT_KEYS | later | services


def _priced(row: ModelPrice) -> dict[str, Any]:
    return {key: price for key, price in vars(row).items() if price is not None}


def _steps(rows: list[ModelPrice], model_id: str, long_write: int) -> tuple[tuple[int, Rates], ...] | None:
    """The steps of the dearest of ``rows``, rate by rate; None where one of them is not a known price."""
    prices = [_priced(row) for row in rows]
    tiers = [tier.start for row in prices for price in row.values() for tier in getattr(price, "tiers", ())]
    steps: list[tuple[int, Rates]] = []
    for threshold in sorted({0, *tiers}):
        rates = [_rates(row, threshold + 1, model_id, long_write) for row in prices]
        known = [one for one in rates if one is not None]
        if not known or len(known) < len(rates):
            return None
        dearest = (max(getattr(one, rate.name) for one in known) for rate in fields(Rates))
        steps.append((threshold, Rates(*dearest)))
    return tuple(steps)


def _rates(row: Mapping[str, Any], tokens: int, model_id: str, long_write: int) -> Rates | None:
    """The rates of a request with ``tokens`` of input; None where they are not all of its price.

    Not known: a model that is free (a promotion or a mistake, and in either case no bound), one with a price
    per request, page or hour, one that answers in audio, images or video at other rates or whose id says that it
    is made for them, one whose reasoning costs extra, and one without a price of output whose id does not say
    that it is an embedding.
    """
    if row.keys() - _TEXT_KEYS - _IGNORED_KEYS or _MEDIA.search(model_id):
        return None
    usd = {key: _at(price, tokens) for key, price in row.items() if key in _TEXT_KEYS}
    if not all(price.is_finite() and price >= 0 for price in usd.values()):
        return None
    femto = {key: nano_from_usd_up(price) for key, price in usd.items()}  # USD per million tokens → femtodollars
    entry, output = femto.get("input_mtok", 0), femto.get("output_mtok", 0)
    if not entry or not (output or "embed" in model_id.lower()):
        return None
    write = femto.get("cache_write_mtok", entry)
    long = femto.get("cache_write_1h_mtok", write * long_write if "cache_write_mtok" in femto else write)
    return Rates(entry, output, femto.get("cache_read_mtok", entry), write, long)


def _at(price: Any, tokens: int) -> Decimal:
    """USD per million tokens at ``tokens`` of input. A tier begins one token *after* its start."""
    usd: Decimal = price.base if hasattr(price, "tiers") else price
    for tier in getattr(price, "tiers", ()):
        if tokens > tier.start:
            usd = tier.price
    return usd
