"""Short words for the messages that tests send."""

from __future__ import annotations

from typing import Final

from agent_airlock.ledger.accounts import TOTAL, Account, Amounts, Hold, Labels, Period, Unit
from agent_airlock.ledger.commands import Charge, Release, Reserve, Settle

MINUTE: Final = 60_000
LABELS: Final = Labels("tool")


def account(scope: str = "agent:a", window: str = "total", period: Period = TOTAL, unit: Unit = Unit.USD) -> Account:
    return Account(scope, window, unit, period)


def hold(amount: int, limit: int | None, where: Account | str = "agent:a") -> Hold:
    return Hold(account(where) if isinstance(where, str) else where, amount, limit)


def reserve(id: str, *holds: Hold, nonce: str = "me", lease_ms: int = MINUTE, labels: Labels = LABELS) -> Reserve:
    return Reserve(id, nonce, holds, lease_ms, labels)


def settle(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Settle:
    return Settle(id, holds, _amounts(actual), labels)


def charge(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Charge:
    return Charge(id, holds, _amounts(actual), labels)


def release(id: str, nonce: str = "me") -> Release:
    return Release(id, nonce)


def _amounts(actual: Amounts | int | None) -> Amounts:
    """A bare number is USD; nothing said is booked at the hold."""
    if actual is None:
        return {}
    return {Unit.USD: actual} if isinstance(actual, int) else actual
