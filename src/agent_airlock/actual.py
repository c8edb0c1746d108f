"""What a call really spent, read from how it ended. Pure."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Final

from .call import Outcome, Raised, TokenUsage
from .cost import actual_nano
from .dialects.usage import MalformedUsage, reported_usage
from .events import log
from .exceptions import NothingSpent, UnknownModelError
from .ledger.accounts import Amounts, Unit
from .quote import Quote
from .values import message

_TOLD: Final = "_airlock_nothing_spent_ns"
_NOTHING: Final[Mapping[Unit, int]] = {}

# An attribute of an Enum class costs 70 ns before Python 3.12.
_USD: Final = Unit.USD
_TOKENS: Final = Unit.TOKENS
_CALLS: Final = Unit.CALLS


@message
class Spent:
    """``nothing``: all of it is given back. ``usage`` is what the call reported, None where it reported none."""

    amounts: Amounts
    usage: TokenUsage | None
    nothing: bool = False


def spent_by(quote: Quote, outcome: Outcome) -> Spent:
    """The real cost: as reported, else at the estimate; nothing where the tool says so.

    ``on_unknown_usage="release"`` is about calls that returned. One that raised, or was cancelled, may have been billed
    all the same, so it is booked at its estimate unless it says otherwise.
    """
    estimate = quote.estimate
    if isinstance(outcome, Raised):
        error = outcome.error
        if isinstance(error, (NothingSpent, *quote.gate.nothing_spent_on)) and not _told_inside(quote, error):
            return Spent(_NOTHING, None, True)
        usage = _usage(quote, error)
    else:
        if outcome.unfinished:
            return at_estimate(quote)
        usage = _usage(quote, outcome.value)
        if usage is None and outcome.last is not None:
            usage = _usage(quote, outcome.last)
    priced_by_tokens = quote.cost.kind == "model"
    returned = not isinstance(outcome, Raised)
    if usage is None and priced_by_tokens and returned and quote.gate.policy.on_unknown_usage == "release":
        return Spent(_NOTHING, None, True)
    if usage is None:
        return at_estimate(quote)
    nano = estimate.nano
    if priced_by_tokens:
        try:
            nano = actual_nano(quote.pricer, usage, estimate.model_id)
        except UnknownModelError:
            log(logging.WARNING, "%s: its model has no known price; only its tokens are booked", quote.call.tool)
    return Spent(_amounts(nano, usage.total_tokens), usage)


def _told_inside(quote: Quote, error: BaseException) -> bool:
    """Whether a gate inside this call has taken the error as its own: it says nothing of what this call spent."""
    now = time.monotonic_ns()
    told: int = getattr(error, _TOLD, 0)
    with contextlib.suppress(Exception):  # an exception that takes no attributes
        setattr(error, _TOLD, now)
    return told > quote.began_ns


def at_estimate(quote: Quote) -> Spent:
    """The cost of a call that said nothing of it."""
    return Spent(_amounts(quote.estimate.nano, quote.estimate.tokens), None)


def _amounts(nano: int | None, tokens: int) -> dict[Unit, int]:
    return {_TOKENS: tokens, _CALLS: 1} if nano is None else {_USD: nano, _TOKENS: tokens, _CALLS: 1}


def _usage(quote: Quote, result: object) -> TokenUsage | None:
    try:
        return reported_usage(result)
    except MalformedUsage as error:
        log(logging.WARNING, "%s: %s; it is booked as if it had reported none", quote.call.tool, error)
        return None
