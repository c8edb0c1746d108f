"""Limits, pure: what is in force on a line, what an operator changes, which account of a crowd a hold is made on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..money import MAX_AMOUNT
from ..values import shown
from .accounts import Account, Balance, Crowd, Hold
from .operations import Freeze, Override, Raise
from .rows import Head, Rows, whole_amount

MAX_LINE: Final = 1_000
"""Characters of an account's line, at most."""


def room_of(limit: int | None, override: Override | None, now: int) -> int:
    """The most that an account may hold in all: its limit, raised while an operator's raise is in force."""
    if limit is None:
        return MAX_AMOUNT
    if override is not None and override.raised and (override.until_ms is None or now < override.until_ms):
        limit += override.raised
    return min(limit, MAX_AMOUNT)


def overridden(known: Override | None, command: Raise | Freeze) -> Override:
    """What stands over the line when the operator's word is taken.

    Raises:
        ValueError: a line that is none, a raise that is no whole number of at least 0, or a time that is none.
    """
    kind, line = type(command).__name__, command.line
    if not isinstance(line, str) or not 0 < len(line) <= MAX_LINE:
        raise ValueError(f"{kind}.line must be text of 1 to {MAX_LINE:,} characters, not {shown(line)}")
    known = known or Override(line)
    if isinstance(command, Freeze):
        return replace(known, frozen=command.frozen)
    until = command.until_ms
    if until is not None and type(until) is not int:
        raise ValueError(f"Raise.until_ms must be whole milliseconds since 1970, or None, not {shown(until)}")
    return replace(known, raised=whole_amount(command.amount), until_ms=until)


def says_nothing(override: Override, now: int) -> bool:
    """Whether it need not be kept: it freezes nothing, and raises nothing any more."""
    over = override.until_ms is not None and override.until_ms <= now
    return not override.frozen and (not override.raised or over)


def closed(account: Account, known: Balance | None) -> Balance | None:
    """The account's balance when it is closed; None where it takes no new hold already."""
    balance = known or Balance(account)
    return None if balance.shut is not None else replace(balance, shut="closed")


def is_full(crowd: Crowd, head: Head) -> bool:
    """Whether it has opened as many accounts as it may."""
    return head.crowds.get(crowd.overflow.id, 0) >= crowd.most


def seated(holds: tuple[Hold, ...], rows: Rows, head: Head) -> tuple[Hold, ...]:
    """The holds, each on the account that it is made on: new accounts of a crowd that is full share its overflow."""
    return tuple(
        Hold(hold.crowd.overflow, hold.amount, hold.limit)
        if hold.crowd is not None and hold.account.id not in rows and is_full(hold.crowd, head)
        else hold
        for hold in holds
    )
