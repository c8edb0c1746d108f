"""Short words for the messages that tests send."""

from __future__ import annotations

from typing import Final

from agent_airlock.ledger.accounts import TOTAL, Account, Amounts, Hold, Labels, Period, Unit
from agent_airlock.ledger.commands import Charge, OnExpiry, Release, Reserve, Settle
from agent_airlock.ledger.operations import Freeze, Raise, Resolve

MINUTE: Final = 60_000
LABELS: Final = Labels("tool")
WHY: Final = "an operator says so"


def account(scope: str = "agent:a", window: str = "total", period: Period = TOTAL, unit: Unit = Unit.USD) -> Account:
    return Account(scope, window, unit, period)


def hold(amount: int, limit: int | None, where: Account | str = "agent:a") -> Hold:
    return Hold(account(where) if isinstance(where, str) else where, amount, limit)


def reserve(
    id: str,
    *holds: Hold,
    nonce: str = "me",
    lease_ms: int = MINUTE,
    labels: Labels = LABELS,
    on_expiry: OnExpiry = "presume",
) -> Reserve:
    return Reserve(id, nonce, holds, lease_ms, labels, on_expiry)


def lapsing(id: str, *holds: Hold, nonce: str = "me") -> Reserve:
    """A reserve whose lease gives the holds back when it ends."""
    return reserve(id, *holds, nonce=nonce, on_expiry="release")


def settle(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Settle:
    return Settle(id, holds, _amounts(actual), labels)


def charge(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Charge:
    return Charge(id, holds, _amounts(actual), labels)


def release(id: str, nonce: str = "me") -> Release:
    return Release(id, nonce)


def resolve(id: str, actual: Amounts | int | None = None, *, why: str = WHY, by: str = "") -> Resolve:
    return Resolve(id, _amounts(actual), why, by)


def lifted(line: str, amount: int, until_ms: int | None = None, *, why: str = WHY, by: str = "") -> Raise:
    return Raise(line, amount, until_ms, why, by)


def freeze(line: str, *, frozen: bool = True, why: str = WHY, by: str = "") -> Freeze:
    return Freeze(line, why, by, frozen)


def thaw(line: str) -> Freeze:
    return freeze(line, frozen=False)


def _amounts(actual: Amounts | int | None) -> Amounts:
    """A bare number is USD; nothing said is booked at the hold."""
    if actual is None:
        return {}
    return {Unit.USD: actual} if isinstance(actual, int) else actual
