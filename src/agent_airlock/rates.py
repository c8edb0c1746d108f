"""A model's rate card: its prices, compiled once into whole numbers of femtodollars per token."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from .money import usd_from_femto

if TYPE_CHECKING:
    from .call import TokenUsage


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one step, in femtodollars per token (= nanodollars per million tokens), whole numbers."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What a call may cause beyond what its usage says."""

    cache_writes: bool = True
    """Input may be written to the provider's cache, at its dearest write rate (Anthropic: twice the input's)."""


@dataclass(frozen=True, slots=True)
class RateCard:
    """One model's prices, in femtodollars per token, and its limits, in tokens (None: not known).

    ``steps`` are ``(threshold, rates)`` in ascending order. The last step whose threshold is *less than* the
    input tokens prices the whole request, output too: Claude Haiku 5.5's ``(100_000, …)`` begins at 100,001
    input tokens. The first threshold is 0, and its step also prices a request without input.

    Raises:
        ValueError: no step, or thresholds that do not ascend from 0.
    """

    model: str
    provider: str | None
    steps: tuple[tuple[int, Rates], ...]
    context_window: int | None
    max_output_tokens: int | None
    source: str
    _only: Rates | None = field(init=False, repr=False, compare=False)
    _worst: tuple[tuple[int, int, int, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        thresholds = [threshold for threshold, _ in self.steps]
        if thresholds[:1] != [0] or sorted(set(thresholds)) != thresholds:
            raise ValueError(f"steps of {self.model!r} must ascend from a threshold of 0, not {thresholds!r}")
        object.__setattr__(self, "_only", self.steps[0][1] if len(self.steps) == 1 else None)
        object.__setattr__(self, "_worst", tuple((t, *_dearest(rates)) for t, rates in self.steps))

    def cost(self, usage: TokenUsage) -> int:
        """Femtodollars of what ``usage`` says, exactly."""
        tokens = usage.input_tokens
        rates = self._only or self.at(tokens)
        read, write = usage.cache_read_tokens, usage.cache_write_tokens
        if not read and not write:
            return tokens * rates.input + usage.output_tokens * rates.output
        long = usage.cache_write_1h_tokens
        return (
            (tokens - read - write) * rates.input
            + read * rates.cache_read
            + (write - long) * rates.cache_write
            + long * rates.cache_write_1h
            + usage.output_tokens * rates.output
        )

    def usd(self, usage: TokenUsage, reach: Reach | None = None) -> Decimal:
        """:meth:`cost`, or with ``reach`` :meth:`worst`, in USD: exact and unrounded."""
        return usd_from_femto(self.cost(usage) if reach is None else self.worst(usage, reach))

    def worst(self, usage: TokenUsage, reach: Reach) -> int:
        """As :meth:`at_most`. What ``usage`` says of caches is not used: the bound holds for any."""
        return self.at_most(usage.input_tokens, usage.output_tokens, reach)

    def at_most(self, input_tokens: int, output_tokens: int, reach: Reach) -> int:
        """Femtodollars of the dearest call with at most this input and this output.

        A bound because a call with i ≤ input and o ≤ output tokens is priced at a step whose threshold is
        less than i, so less than this input: one of those looked at here (a smaller input may be the dearer).
        At that step it costs at most i × (its dearest input rate) + o × (its output rate), so no more than
        that step's term of the maximum.
        """
        writes = reach.cache_writes
        dearest = 0
        for threshold, written, plain, out in self._worst:
            if threshold and threshold >= input_tokens:
                break
            femto = input_tokens * (written if writes else plain) + output_tokens * out
            if femto > dearest:
                dearest = femto
        return dearest

    def at(self, tokens: int) -> Rates:
        """The rates of a request with this input."""
        for threshold, rates in reversed(self.steps):
            if tokens > threshold:
                return rates
        return self.steps[0][1]


def _dearest(rates: Rates) -> tuple[int, int, int]:
    """(dearest input rate with cache writes, without them, output rate)."""
    plain = max(rates.input, rates.cache_read)
    return max(plain, rates.cache_write, rates.cache_write_1h), plain, rates.output
